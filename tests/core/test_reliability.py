"""Whether probabilities are to be believed, and what a threshold on them buys."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.labelled import judged

from mailflow.core.classification import Action
from mailflow.core.evaluation import Judged, figures
from mailflow.core.reliability import QUESTIONS, Point, Question, reliability, risk_coverage

REVIEW = Action.REVIEW
MAILS = st.lists(
    st.builds(
        judged,
        action=st.sampled_from(Action),
        wanted_action=st.sampled_from(Action),
        said=st.sampled_from(["nfr_request", "quoting", ""]),
        reply=st.sampled_from([0.0, 0.1, 0.5, 0.999, 1.0]) | st.floats(0, 1),
        confidence=st.floats(0, 1),
    ),
    max_size=30,
)
BY_NAME = {question.name: question for question in QUESTIONS}


@given(MAILS, st.sampled_from(QUESTIONS))
def test_every_mail_that_was_asked_about_is_in_one_bin(mails: list[Judged], question: Question) -> None:
    found = reliability(mails, question)
    assert found.mails == sum(question.of(one) is not None for one in mails)
    assert 0 <= found.error <= 1
    for one in found.bins:
        assert one.low - 1e-9 <= one.said <= one.high + 1e-9
        assert one.interval.low <= one.rate <= one.interval.high


def test_a_model_that_says_nine_in_ten_and_is_right_in_half_errs_by_four_tenths() -> None:
    mails = [judged(reply=0.9), judged(reply=0.9, wanted_action=REVIEW)] * 5
    (only,) = reliability(mails, BY_NAME["P(reply)"]).bins
    assert (only.mails, only.true, only.rate) == (10, 5, 0.5)
    assert reliability(mails, BY_NAME["P(reply)"]).error == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("question", "one", "forecast"),
    [
        ("P(reply)", judged(reply=0.8), (0.8, True)),
        ("P(reply)", judged(reply=0.8, said="quoting"), (0.8, False)),
        ("P(reply)", judged(reply=0.8, action=REVIEW, said=""), None),
        ("P(review)", judged(reply=0.2, wanted_action=REVIEW), (pytest.approx(0.6), True)),
        ("P(none)", judged(reply=0.2, wanted_action=REVIEW), (pytest.approx(0.2), False)),
        ("primary intent", judged(confidence=0.7, said="quoting"), (0.7, False)),
        ("primary intent", judged(said="", action=REVIEW), None),
    ],
)
def test_what_must_come_true(question: str, one: Judged, forecast: object) -> None:
    assert BY_NAME[question].of(one) == forecast


def test_the_curve_of_four_mails() -> None:
    mails = [
        judged(reply=0.95),
        judged(reply=0.9, wanted_action=REVIEW),
        judged(reply=0.6, action=REVIEW),
        judged(action=REVIEW, doubts=("fact:legal",)),
    ]
    assert risk_coverage(mails) == (
        Point(1.01, 0, 0),
        Point(0.95, 1 / 3, 0),
        Point(0.9, 1 / 3, 1 / 4),
        Point(0.6, 2 / 3, 1 / 4),
    )


def test_equal_probabilities_are_answered_together() -> None:
    mails = [judged(reply=0.9), judged(reply=0.9, wanted_action=REVIEW)]
    assert risk_coverage(mails)[1:] == (Point(0.9, 1.0, 0.5),)


@given(MAILS.filter(bool))
def test_the_curve_only_rises_and_passes_through_what_was_decided(mails: list[Judged]) -> None:
    """At the lowest probability of an answered mail the curve is at the figures, if no held mail lies above it."""
    curve = risk_coverage(mails)
    for earlier, later in pairwise(curve):
        assert later.threshold < earlier.threshold
        assert later.automation >= earlier.automation
        assert later.wrong >= earlier.wrong
    answered = [one for one in mails if one.decision.action is Action.REPLY and one.if_sure]
    everything = [one for one in mails if one.if_sure]
    if answered and len(answered) == len(everything) == sum(one.decision.action is Action.REPLY for one in mails):
        wrong = next(figure.value for figure in figures(mails, []) if figure.name == "wrong answers")
        assert curve[-1].wrong == pytest.approx(wrong)
