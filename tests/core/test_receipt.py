"""A receipt says what the policy did, and what it would have done: nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.test_policy import CASE, COLLEAGUE, HOLDING, PLAYBOOK, SHIPPED, STRANGER

from mailflow.core.classification import Action
from mailflow.core.message import Sender
from mailflow.core.playbook import FACTS
from mailflow.core.policy import GUARDS, SEND_GUARDS, Case, decide
from mailflow.core.receipt import Receipt, receipt
from mailflow.testing import classification


def what_if(found: Receipt) -> dict[str, str]:
    return {one.change: one.then for one in found.what_ifs}


def test_every_guard_is_asked_in_its_order() -> None:
    found = receipt(CASE, PLAYBOOK)
    assert [asked.guard for asked in found.guards] == [guard.name for guard in GUARDS + SEND_GUARDS]
    assert not any(asked.answer for asked in found.guards)


@pytest.mark.parametrize("name", HOLDING)
def test_the_guard_that_held_says_why_in_the_receipt_too(name: str) -> None:
    found = receipt(HOLDING[name], PLAYBOOK)
    answers = {asked.guard: asked.answer for asked in found.guards}
    assert answers[name]
    assert found.decision.reasons[0].sentence.startswith(answers[name])


def test_each_claimed_intent_is_held_against_its_row() -> None:
    both = classification(("nfr_request", 0.95), ("quoting", 0.8))
    found = receipt(replace(CASE, classification=both), PLAYBOOK)
    assert [(row.intent, row.action, row.template) for row in found.rows] == [
        ("nfr_request", "send", "nfr_request.external"),
        ("quoting", "send", "quoting.external"),
    ]
    first, further = found.rows
    assert (first.needed, further.needed) == (0.7, 0.9)
    assert "R71" in first.rules


def test_an_answered_mail_is_told_what_would_have_held_it() -> None:
    changes = what_if(receipt(CASE, PLAYBOOK))
    assert changes["with the fact escalation"] == "review"
    assert changes["if the thread already had our answer"] == "review"
    assert changes["from a proven colleague"] == "reply with nfr_request.internal"
    assert "if the desk were live" not in changes
    assert "with the fact has_cc" not in changes, "that changes nothing"


def test_a_held_mail_is_told_what_would_have_let_it_pass() -> None:
    held = replace(CASE, facts=frozenset({"has_deliverable"}))
    assert what_if(receipt(held, PLAYBOOK))["without the fact has_deliverable"] == "reply with nfr_request.external"
    unsure = replace(CASE, classification=classification(("nfr_request", 0.4), reply=0.2, review=0.8))
    assert what_if(receipt(unsure, PLAYBOOK))["if the model were sure of what it says"].startswith("reply")


def test_of_a_desk_in_draft_it_is_told_first_what_a_live_one_would_do() -> None:
    found = receipt(CASE, SHIPPED)
    assert found.decision.action is Action.REVIEW
    assert (found.what_ifs[0].change, found.what_ifs[0].then) == (
        "if the desk were live",
        "reply with nfr_request.external",
    )


@given(
    facts=st.frozensets(st.sampled_from(sorted(FACTS))),
    sender=st.sampled_from([STRANGER, COLLEAGUE]),
    intent=st.sampled_from(sorted(PLAYBOOK.intents)),
    confidence=st.floats(0, 1),
    reply=st.floats(0, 1),
)
def test_a_receipt_never_differs_from_the_decision(
    facts: frozenset[str], sender: Sender, intent: str, confidence: float, reply: float
) -> None:
    guess = classification((intent, confidence), reply=reply, review=1 - reply, none=0)
    case: Case = replace(CASE, facts=facts, sender=sender, classification=guess)
    found = receipt(case, PLAYBOOK)
    assert found.decision == decide(case, PLAYBOOK)
    assert found.audience is case.audience
    done = " ".join((found.decision.action.value, *(part.template for part in found.decision.answers)))
    assert all(one.then != done for one in found.what_ifs)
