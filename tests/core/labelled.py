"""Labelled mails and what was made of them, in few words."""

from mailflow.core.classification import Action, ActionScores, Classification, IntentScore
from mailflow.core.evaluation import Judged, Label
from mailflow.core.message import Role
from mailflow.core.playbook import Audience
from mailflow.core.policy import UNSURE_ACTION, Decision, Reason
from mailflow.core.ports import AnswerPart

INTENTS = ("nfr_request", "quoting", "no_request")


def judged(
    wanted: str = "nfr_request",
    action: Action = Action.REPLY,
    *,
    wanted_action: Action = Action.REPLY,
    said: str | None = None,
    answered: str | None = None,
    reply: float = 0.9,
    confidence: float = 0.9,
    doubts: tuple[str, ...] = (UNSURE_ACTION,),
    name: str = "1",
    author: str = "a",
    language: str = "en",
    role: Role = Role.PARTNER,
    pair: str = "",
    text: str = "why",
) -> Judged:
    """Intents as words; what is said is what is wanted, and what is answered (or drafted) what is said, unless told.

    `doubts`: codes of the reasons where a person is to look.
    """
    said = wanted if said is None else said
    parts = tuple(
        AnswerPart(intent, Audience.EXTERNAL, f"{intent}.external")
        for intent in (said if answered is None else answered).split()
    )
    codes = doubts if action is Action.REVIEW else ("row",)
    return Judged(
        label=Label(name, language, author, role, tuple(wanted.split()), wanted_action, pair, text),
        classification=Classification(
            intents=tuple(IntentScore(intent, confidence) for intent in said.split()),
            runner_up=None,
            actions=ActionScores(reply, 0.75 * (1 - reply), 0.25 * (1 - reply)),
            role=role,
            model_version="fixed",
        ),
        decision=Decision(
            action=action,
            reasons=tuple(Reason(code, text) for code in codes),
            answers=parts if action is Action.REPLY else (),
            draft=parts if action is Action.REVIEW else (),
            queue="review",
            priority="normal",
            policy_version="p",
            model_version="fixed",
        ),
    )
