"""The certificate makes the desk stricter than its playbook, never bolder, and says so."""

from dataclasses import replace
from datetime import date
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.test_policy import CASE, PLAYBOOK, changed

from mailflow.core.certify import Certificate, Refusal
from mailflow.core.classification import Action
from mailflow.core.evaluation import Judged, Label
from mailflow.core.message import Role
from mailflow.core.playbook import FACTS, Playbook
from mailflow.core.policy import UNSURE_ACTION, Decision, decide
from mailflow.testing import classification

ASKED = PLAYBOOK.defaults.min_reply_probability


def certificate(threshold: float | None, **per_intent: float) -> Certificate:
    return Certificate(
        bound=0.02,
        confidence=0.95,
        n=700,
        answered=100,
        wrong=3,
        threshold=threshold,
        per_intent=per_intent,
        refused={"rebate": Refusal(n=12, wrong=0, needed=149)},
        date=date(2026, 3, 2),
        model_version="m1",
        rules="r1",
        holdout_sha256="h1",
    )


def certified(threshold: float | None, **per_intent: float) -> Playbook:
    return PLAYBOOK.model_copy(update={"certificate": certificate(threshold, **per_intent)})


def decided(playbook: Playbook, reply: float, *intents: str) -> Decision:
    guess = classification(*((one, 0.99) for one in intents or ("nfr_request",)), reply=reply)
    return decide(replace(CASE, classification=guess), playbook)


def told(decision: Decision) -> str:
    return next(reason.sentence for reason in decision.reasons if reason.code == UNSURE_ACTION)


def test_the_stricter_of_playbook_and_certificate_is_asked() -> None:
    assert decided(certified(0.97), 0.97).action is Action.REPLY
    held = decided(certified(0.97), 0.96)
    assert held.action is Action.REVIEW
    assert told(held) == "an answer is right with probability 0.96, the certificate needs 0.97"


def test_a_certificate_makes_no_playbook_bolder() -> None:
    held = decided(certified(0.01), ASKED - 0.01)
    assert told(held).endswith(f"the playbook needs {ASKED:.2f}")


def test_without_a_certificate_the_playbook_alone_is_asked() -> None:
    assert PLAYBOOK.certificate is None
    assert decided(PLAYBOOK, ASKED).action is Action.REPLY


def test_the_strictest_of_the_claimed_intents_is_asked() -> None:
    playbook = certified(0.9, quoting=0.98)
    assert decided(playbook, 0.95).action is Action.REPLY
    assert told(decided(playbook, 0.95, "nfr_request", "quoting")).endswith("the certificate needs 0.98")


def test_a_refused_bound_answers_nobody_and_says_why() -> None:
    held = decided(certified(None), 1.0)
    assert held.action is Action.REVIEW
    assert told(held).endswith("the certificate was refused, so that no answer may go out")
    assert certified(None).min_reply_probability(["nfr_request"]) == (inf, "the certificate")


CERTIFICATES = st.none() | st.builds(
    certificate, st.none() | st.floats(0, 1), nfr_request=st.floats(0, 1), quoting=st.floats(0, 1)
)


@given(
    found=CERTIFICATES,
    asked=st.floats(0, 1),
    reply=st.floats(0, 1),
    confidence=st.floats(0, 1),
    facts=st.frozensets(st.sampled_from(sorted(FACTS)), max_size=1),
    intents=st.lists(st.sampled_from(sorted(PLAYBOOK.intents)), unique=True, max_size=3),
)
def test_a_trial_is_what_the_policy_would_answer_if_no_certainty_were_asked(
    found: Certificate | None,
    asked: float,
    reply: float,
    confidence: float,
    facts: frozenset[str],
    intents: list[str],
) -> None:
    """The certificate is made from one decision a mail; that must be as good as deciding again at each threshold."""
    guess = classification(*((one, confidence) for one in intents), reply=reply)
    case = replace(CASE, classification=guess, facts=facts)
    bold = changed(PLAYBOOK, min_reply_probability=0.0)
    strict = changed(PLAYBOOK, min_reply_probability=asked).model_copy(update={"certificate": found})
    label = Label("1", "en", "a", Role.PARTNER, ("nfr_request",), Action.REPLY)
    seen = Judged(label, guess, decide(case, strict))
    assert seen.if_sure == tuple(part.intent for part in decide(case, bold).answers)


@pytest.mark.parametrize(
    "change",
    [
        {"min_confidence": 0.1},
        {"min_ignore_probability": 0.1},
        {"max_pathless_doubt": 0.9},
        {"hold_if": ()},
        {"silent_intents": ("spam",)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_decides_more_answers_voids_a_certificate(change: dict[str, object]) -> None:
    assert changed(PLAYBOOK, **change).answering_rules != PLAYBOOK.answering_rules


@pytest.mark.parametrize("change", [{"kill_switch": True}, {"min_reply_probability": 0.1}, {"max_age_days": 1}])
def test_what_decides_nothing_or_is_asked_beside_it_does_not(change: dict[str, object]) -> None:
    assert changed(PLAYBOOK, **change).answering_rules == PLAYBOOK.answering_rules


def test_an_intents_rows_void_a_certificate_but_its_words_do_not() -> None:
    intent = PLAYBOOK.intents["rebate"]
    for change, is_void in (({"min_confidence": 0.1}, True), ({"hold_if": ("has_cc",)}, True), ({"title": "x"}, False)):
        intents = {**PLAYBOOK.intents, "rebate": intent.model_copy(update=change)}
        playbook = PLAYBOOK.model_copy(update={"intents": intents})
        assert (playbook.answering_rules != PLAYBOOK.answering_rules) is is_void, change
