"""How well decisions agree with labels. Pure: labels and decisions in, figures out.

A wrong answer (somebody needed a person, or asked something else) is counted apart from everything else, because it
costs more than all other mistakes.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mailflow.core.classification import Action


class Verdict(StrEnum):
    RIGHT = "right"
    WRONG_ANSWER = "wrong answer"
    """A person was needed, or silence."""
    WRONG_PATH = "wrong path"
    """Answers something that was not asked."""
    INCOMPLETE = "incomplete answer"
    """Leaves a question without its path."""
    HELD_NEEDLESSLY = "held needlessly"
    MISSED = "missed"
    """Silence where somebody waited."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One labelled mail and what was made of it."""

    name: str
    language: str
    author: str
    wanted: tuple[str, ...]
    """Intents by label, the primary first."""
    said: tuple[str, ...]
    """Intents by the model, the primary first."""
    wanted_action: Action
    action: Action
    answered: tuple[str, ...]
    reason: str

    @property
    def verdict(self) -> Verdict:
        if self.action is Action.REPLY:
            if self.wanted_action is not Action.REPLY:
                return Verdict.WRONG_ANSWER
            if set(self.answered) - set(self.wanted):
                return Verdict.WRONG_PATH
            return Verdict.INCOMPLETE if set(self.wanted) - set(self.answered) else Verdict.RIGHT
        if self.action is self.wanted_action:
            return Verdict.RIGHT
        return Verdict.HELD_NEEDLESSLY if self.action is Action.REVIEW else Verdict.MISSED


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares of all mails, but automation: right answers of the answerable."""

    mails: int
    action_right: float
    wrong_answers: float
    automation: float
    primary_right: float
    intent_micro_f1: float
    verdicts: tuple[tuple[str, int], ...]


def figures(judged: Sequence[Judged]) -> Figures:
    """Raises ValueError for no mails."""
    if not judged:
        raise ValueError("no labelled mails")
    verdicts = Counter(one.verdict for one in judged)
    answerable = [one for one in judged if one.wanted_action is Action.REPLY]
    hits = sum(len(set(one.wanted) & set(one.said)) for one in judged)
    named = sum(len(set(one.wanted)) + len(set(one.said)) for one in judged)
    wrong = verdicts[Verdict.WRONG_ANSWER] + verdicts[Verdict.WRONG_PATH]
    right_answers = sum(one.verdict is Verdict.RIGHT for one in answerable)
    return Figures(
        mails=len(judged),
        action_right=verdicts[Verdict.RIGHT] / len(judged),
        wrong_answers=wrong / len(judged),
        automation=right_answers / len(answerable) if answerable else 0.0,
        primary_right=sum(one.said[:1] == one.wanted[:1] for one in judged) / len(judged),
        intent_micro_f1=2 * hits / named if named else 0.0,
        verdicts=tuple((verdict.value, count) for verdict, count in verdicts.most_common()),
    )


def by_intent(judged: Collection[Judged]) -> list[tuple[str, int, int, int]]:
    """(intent, labelled, found, said wrongly) for each, the most often confused first."""
    names = {name for one in judged for name in (*one.wanted, *one.said)}
    rows = [
        (
            name,
            sum(name in one.wanted for one in judged),
            sum(name in one.wanted and name in one.said for one in judged),
            sum(name in one.said and name not in one.wanted for one in judged),
        )
        for name in names
    ]
    return sorted(rows, key=lambda row: (row[2] - row[1] - row[3], row[0]))
