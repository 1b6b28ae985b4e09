"""Guards before rows, holding by default, a reason with each decision (D1-D8, RFC 3834)."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.golden_files import assert_golden

from mailflow.adapters.assets import load_playbook
from mailflow.core.classification import Action
from mailflow.core.message import Defect, Origin, OriginKind, Role, Sender, Trust
from mailflow.core.playbook import FACTS, Playbook
from mailflow.core.policy import GUARDS, SEND_GUARDS, Case, History, SentRecord, decide, policy_table
from mailflow.testing import DESK, NOON, classification, inbound

PLAYBOOK = load_playbook(Path(__file__).parents[2] / "classifiers")
HUMAN = Origin(OriginKind.HUMAN, "nothing says otherwise")
STRANGER = Sender(Role.UNKNOWN, Trust.UNAUTHENTICATED, "no proof")
COLLEAGUE = Sender(Role.INTERNAL, Trust.KNOWN, "mx.gitlab.com says dmarc=pass for gitlab.com")
FORGED = Sender(Role.UNKNOWN, Trust.UNAUTHENTICATED, "gitlab.com without proof", ("no_proof",))
SURE = classification(("nfr_request", 0.95))

CASE = Case(inbound(), HUMAN, STRANGER, SURE, frozenset(), History(), NOON, frozenset({DESK}))


def changed(playbook: Playbook, **values: object) -> Playbook:
    return playbook.model_copy(update={"defaults": playbook.defaults.model_copy(update=values)})


def test_a_sure_first_ask_with_a_path_is_answered() -> None:
    decision = decide(CASE, PLAYBOOK)
    assert decision.action is Action.REPLY
    assert [part.template for part in decision.answers] == ["nfr_request.external"]
    assert decision.reasons
    assert decision.policy_version == PLAYBOOK.version
    assert decision.model_version == "fixed"


@pytest.mark.parametrize(
    "kind", [OriginKind.OWN, OriginKind.BOUNCE, OriginKind.AUTO_REPLIED, OriginKind.AUTO_GENERATED]
)
def test_machines_get_no_answer_and_no_queue_noise(kind: OriginKind) -> None:
    """D5, RFC 3834: however sure the classifier is."""
    decision = decide(replace(CASE, origin=Origin(kind, "Auto-Submitted: auto-generated")), PLAYBOOK)
    assert decision.action is Action.NONE
    assert "Auto-Submitted" in decision.reasons[0].sentence


HOLDING: dict[str, Case] = {
    "list": replace(CASE, origin=Origin(OriginKind.LIST, "List-Id: <x>")),
    "null_return_path": replace(CASE, message=inbound(return_path="")),
    "no_reply_address": replace(CASE, message=inbound(from_=None)),
    "unreadable": replace(CASE, message=replace(inbound(), defects=(Defect("truncated", "it was cut"),))),
    "lookalike": replace(CASE, sender=replace(STRANGER, flags=("lookalike_domain",))),
    "misleading_name": replace(CASE, sender=replace(STRANGER, flags=("name_shows_other_address",))),
    "reply_to_differs": replace(CASE, sender=replace(STRANGER, flags=("reply_to_differs",))),
    "reused_message_id": replace(CASE, history=History(is_message_id_reused=True)),
    "too_old": replace(CASE, message=inbound(date=NOON - timedelta(days=20))),
    "fact": replace(CASE, facts=frozenset({"has_deliverable"})),
    "follow_up": replace(CASE, history=History(is_known_thread=True, answers_in_thread=1)),
    "held_thread": replace(CASE, history=History(is_known_thread=True, is_held_thread=True)),
    "muted": replace(CASE, history=History(muted="mail to ann@partner.example came back (until 2026-05-01)")),
    "abstained": replace(CASE, classification=classification(abstained="unlike any mail it knows")),
    "send_budget": replace(CASE, history=History(sent_by_desk_hour=10_000)),
}


@pytest.mark.parametrize("name", HOLDING)
def test_each_guard_holds_an_otherwise_answered_mail(name: str) -> None:
    decision = decide(HOLDING[name], PLAYBOOK)
    assert decision.action is Action.REVIEW
    assert decision.reasons[0].code == f"guard:{name}"
    assert not decision.answers


def test_the_kill_switch_holds_everything() -> None:
    decision = decide(CASE, changed(PLAYBOOK, kill_switch=True))
    assert (decision.action, decision.reasons[0].code) == (Action.REVIEW, "guard:kill_switch")
    assert decision.draft, "the specialist still gets the draft"


def test_every_guard_is_tested() -> None:
    ignored = {"own_mail", "bounce", "auto_replied", "auto_generated"}
    assert {guard.name for guard in GUARDS + SEND_GUARDS} == set(HOLDING) | ignored | {"kill_switch"}


def test_an_answer_to_ourselves_is_impossible() -> None:
    """Reply-To pointing at the desk is the shortest mail loop there is."""
    decision = decide(replace(CASE, message=inbound(reply_to=(DESK.upper(),))), PLAYBOOK)
    assert (decision.action, decision.reasons[0].code) == (Action.REVIEW, "guard:no_reply_address")


def test_thanks_in_an_answered_thread_is_silence_not_review() -> None:
    thanks = classification(("no_request", 0.97), reply=0.01, review=0.02, none=0.97)
    case = replace(CASE, classification=thanks, history=History(is_known_thread=True, answers_in_thread=1))
    assert decide(case, PLAYBOOK).action is Action.NONE


def test_unsure_silence_goes_to_a_person() -> None:
    """A missed request costs more than a look."""
    unsure = classification(("no_request", 0.5), reply=0.3, review=0.4, none=0.3)
    assert decide(replace(CASE, classification=unsure), PLAYBOOK).action is Action.REVIEW


def test_every_part_needs_a_path() -> None:
    """D7: one mail, several intents: answer only if every part has a sure path."""
    both = classification(("nfr_request", 0.95), ("quoting", 0.9))
    decision = decide(replace(CASE, classification=both), PLAYBOOK)
    assert [part.intent for part in decision.answers] == ["nfr_request", "quoting"]
    mixed = classification(("nfr_request", 0.95), ("rebate", 0.9))
    held = decide(replace(CASE, classification=mixed), PLAYBOOK)
    assert held.action is Action.REVIEW
    assert [part.intent for part in held.draft] == ["nfr_request"], "the sure part is drafted"


def test_unlikely_intents_and_unsure_actions_are_held() -> None:
    low = decide(replace(CASE, classification=classification(("nfr_request", 0.1))), PLAYBOOK)
    assert "unsure:nfr_request" in {reason.code for reason in low.reasons}
    split = decide(replace(CASE, classification=classification(("nfr_request", 0.9), reply=0.2, review=0.8)), PLAYBOOK)
    assert "unsure_action" in {reason.code for reason in split.reasons}


def test_only_proof_unlocks_internal_text() -> None:
    """D2: a forged From is not a colleague."""
    quote = classification(("quoting", 0.95))
    inside = decide(replace(CASE, sender=COLLEAGUE, classification=quote), PLAYBOOK)
    outside = decide(replace(CASE, sender=FORGED, classification=quote), PLAYBOOK)
    assert [part.template for part in inside.answers] == ["quoting.internal"]
    assert [part.template for part in outside.answers] == ["quoting.external"]


@pytest.mark.parametrize("intent", ["partner_insights", "billing_setup", "opportunity_record"])
def test_internal_paths_never_reach_a_partner(intent: str) -> None:
    """D1, A19, A23."""
    ask = classification((intent, 0.99), reply=0.99, review=0.01, none=0.0)
    assert decide(replace(CASE, classification=ask), PLAYBOOK).action is Action.REVIEW
    assert decide(replace(CASE, classification=ask, sender=COLLEAGUE), PLAYBOOK).action is Action.REPLY


def test_send_budget_per_sender_and_intent() -> None:
    """The third answer on the same subject within three hours is a loop until a person says otherwise."""
    sent = tuple(SentRecord(NOON - timedelta(minutes=m), frozenset({"nfr_request"})) for m in (10, 20))
    held = decide(replace(CASE, history=History(sent_to_sender=sent)), PLAYBOOK)
    assert held.reasons[0].code == "guard:send_budget"
    other = tuple(replace(one, intents=frozenset({"quoting"})) for one in sent)
    assert decide(replace(CASE, history=History(sent_to_sender=other)), PLAYBOOK).action is Action.REPLY


def test_every_fact_of_the_desk_holds() -> None:
    for fact in PLAYBOOK.defaults.hold_if:
        assert decide(replace(CASE, facts=frozenset({fact})), PLAYBOOK).action is Action.REVIEW, fact


@given(
    kind=st.sampled_from(OriginKind),
    intents=st.lists(st.sampled_from(sorted(PLAYBOOK.intents)), unique=True, max_size=3),
    confidence=st.floats(0, 1),
    reply=st.floats(0, 1),
    facts=st.frozensets(st.sampled_from(sorted(FACTS))),
    answers=st.integers(0, 3),
    sender=st.sampled_from([STRANGER, COLLEAGUE, FORGED]),
)
def test_no_answer_without_every_condition(
    kind: OriginKind,
    intents: list[str],
    confidence: float,
    reply: float,
    facts: frozenset[str],
    answers: int,
    sender: Sender,
) -> None:
    """Whatever comes: an answer goes only to a human's first mail, without holding facts, all parts with a path."""
    guess = classification(*((one, confidence) for one in intents), reply=reply, review=(1 - reply), none=0.0)
    history = History(is_known_thread=bool(answers), answers_in_thread=answers)
    decision = decide(Case(inbound(), Origin(kind, "x"), sender, guess, facts, history, NOON, frozenset()), PLAYBOOK)
    assert decision.reasons
    if decision.action is not Action.REPLY:
        assert not decision.answers
        return
    assert kind is OriginKind.HUMAN
    assert not facts & set(PLAYBOOK.defaults.hold_if)
    assert not answers
    assert reply >= PLAYBOOK.defaults.min_reply_probability
    assert [part.intent for part in decision.answers] == intents
    if sender is not COLLEAGUE:
        assert all(part.template.endswith(".external") for part in decision.answers)


def test_the_policy_on_one_screen() -> None:
    """Each automatic action, pinned: a changed line is a changed promise."""
    widths = [22, 9, 7, 34]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]).rstrip()
        for row in policy_table(PLAYBOOK)
    ]
    assert_golden("policy_table.txt", "\n".join(lines) + "\n")
