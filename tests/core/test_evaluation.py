"""How well decisions agree with labels: a wrong answer is counted apart from every other mistake."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.labelled import INTENTS, judged

from mailflow.core.binomial import Interval, clopper_pearson
from mailflow.core.certify import Trial
from mailflow.core.classification import Action
from mailflow.core.evaluation import (
    GROUPINGS,
    MEASURES,
    Draws,
    Figure,
    Judged,
    Verdict,
    by_intent,
    changes,
    confusion,
    differences,
    figures,
    grouped,
    pairs_told_apart,
    verdicts,
)
from mailflow.core.policy import UNSURE_ACTION

REPLY, REVIEW, NONE = Action.REPLY, Action.REVIEW, Action.NONE


def draws(mails: int, times: int = 200, seed: int = 0) -> Draws:
    chance = random.Random(seed)
    return [chance.choices(range(mails), k=mails) for _ in range(times)]


def told(mails: Sequence[Judged]) -> dict[str, Figure]:
    return {one.name: one for one in figures(mails, draws(len(mails)))}


# ------------------------------------------------------------------ verdicts

VERDICTS = [
    (judged(), Verdict.RIGHT_REPLY),
    (judged(action=REVIEW, wanted_action=REVIEW), Verdict.RIGHT_REVIEW),
    (judged(action=NONE, wanted_action=NONE), Verdict.RIGHT_SILENCE),
    (judged(wanted_action=REVIEW), Verdict.WRONG_REPLY),
    (judged(wanted_action=NONE), Verdict.WRONG_REPLY),
    (judged(said="quoting"), Verdict.WRONG_PATH),
    (judged(answered="nfr_request quoting"), Verdict.WRONG_PATH),
    (judged("nfr_request quoting", answered="nfr_request"), Verdict.INCOMPLETE),
    (judged("nfr_request quoting", answered="quoting nfr_request"), Verdict.RIGHT_REPLY),
    (judged(action=REVIEW), Verdict.HELD_NEEDLESSLY),
    (judged(action=REVIEW, wanted_action=NONE), Verdict.HELD_NEEDLESSLY),
    (judged(action=NONE), Verdict.MISSED),
    (judged(action=NONE, wanted_action=REVIEW), Verdict.MISSED),
]


@pytest.mark.parametrize(("one", "verdict"), VERDICTS)
def test_each_pair_of_label_and_decision_has_its_verdict(one: Judged, verdict: Verdict) -> None:
    assert one.verdict is verdict


def test_every_verdict_is_tested_and_counted_even_if_no_mail_has_it() -> None:
    assert {verdict for _, verdict in VERDICTS} == set(Verdict)
    assert verdicts([judged()]) == {verdict: int(verdict is Verdict.RIGHT_REPLY) for verdict in Verdict}


def test_nothing_harms_more_than_a_wrong_answer() -> None:
    worst = max(verdict.harm for verdict in Verdict)
    assert {verdict for verdict in Verdict if verdict.harm == worst} == {v for v in Verdict if v.is_wrong_answer}
    assert all(verdict.harm == 0 for verdict in Verdict if verdict.value.startswith("right"))


# ------------------------------------------------------------------ figures


def test_the_figures_of_four_mails() -> None:
    found = told(
        [
            judged(),
            judged(action=REVIEW),
            judged("quoting", wanted_action=REVIEW, said="nfr_request"),
            judged("no_request", NONE, wanted_action=NONE),
        ]
    )
    assert {name: one.value for name, one in found.items()} == {
        "wrong answers": 0.25,
        "wrong of the sent": 0.5,
        "automation": 0.5,
        "action right": 0.5,
        "primary right": 0.75,
        "intents, micro-F1": 0.75,
    }
    assert found["wrong answers"].interval == clopper_pearson(1, 4)
    assert found["automation"].interval == clopper_pearson(1, 2)


def test_a_wrong_path_counts_as_a_wrong_answer_though_its_action_is_right() -> None:
    found = told([judged(said="quoting"), judged()])
    assert (found["wrong answers"].value, found["action right"].value) == (0.5, 1)


def test_an_incomplete_answer_is_neither_wrong_nor_automation() -> None:
    found = told([judged("nfr_request quoting", said="nfr_request")])
    assert (found["wrong answers"].value, found["automation"].value) == (0, 0)


@pytest.mark.parametrize(("said", "right"), [("quoting nfr_request", 0), ("nfr_request", 1), ("", 0)])
def test_the_primary_intent_is_the_first(said: str, right: float) -> None:
    assert told([judged("nfr_request quoting", REVIEW, said=said)])["primary right"].value == right


def test_no_mails_have_no_figures() -> None:
    with pytest.raises(ValueError, match="no labelled mails"):
        figures([], [])


def test_a_share_of_nothing_has_no_value_and_may_be_anything() -> None:
    found = told([judged(action=NONE, wanted_action=NONE)])
    for name in ("automation", "wrong of the sent"):
        assert (found[name].value, found[name].interval) == (None, Interval(0, 1))


MAILS = st.builds(
    judged,
    st.lists(st.sampled_from(INTENTS), min_size=1, unique=True).map(" ".join),
    st.sampled_from(Action),
    wanted_action=st.sampled_from(Action),
    said=st.lists(st.sampled_from(INTENTS), unique=True).map(" ".join),
    reply=st.floats(0, 1),
)


@given(st.lists(MAILS, min_size=1, max_size=20))
def test_shares_lie_in_their_intervals_and_the_verdicts_count_every_mail_once(mails: list[Judged]) -> None:
    found = told(mails)
    assert list(found) == [measure.name for measure in MEASURES]
    for one in found.values():
        assert one.value is None or 0 <= one.value <= 1
        if one.name != "intents, micro-F1" and one.value is not None:
            assert one.interval.low <= one.value <= one.interval.high
    assert sum(verdicts(mails).values()) == len(mails)
    assert found["wrong answers"].top == sum(n for verdict, n in verdicts(mails).items() if verdict.is_wrong_answer)


def test_the_interval_of_a_bootstrap_holds_the_middle_of_the_draws() -> None:
    """Two hundred mails, half of them wholly right: 0.5 and two standard deviations of 0.035 to each side."""
    mails = [judged(), judged(said="quoting")] * 100
    found = {one.name: one for one in figures(mails, draws(200, 2000))}["intents, micro-F1"]
    assert found.value == 0.5
    assert (found.interval.low, found.interval.high) == pytest.approx((0.43, 0.57), abs=0.015)


# ------------------------------------------------------------------ what a threshold would decide


def test_a_mail_held_for_want_of_certainty_alone_is_a_trial_of_its_draft() -> None:
    held = judged(action=REVIEW, wanted_action=REVIEW, reply=0.6)
    assert held.if_sure == ("nfr_request",)
    assert held.trial == Trial(0.6, is_wrong=True, intents=("nfr_request",))


def test_a_mail_held_by_anything_else_is_answered_at_no_threshold() -> None:
    held = judged(action=REVIEW, wanted_action=REVIEW, doubts=("fact:legal", UNSURE_ACTION))
    assert held.trial == Trial(0.0, is_wrong=False, intents=("nfr_request",))


def test_an_answered_mail_is_a_trial_of_its_answer() -> None:
    assert judged(reply=0.95).trial == Trial(0.95, is_wrong=False, intents=("nfr_request",))
    assert judged(said="quoting", reply=0.95).trial == Trial(0.95, is_wrong=True, intents=("quoting",))


# ------------------------------------------------------------------ two models


@given(st.lists(MAILS, min_size=1, max_size=20))
def test_a_model_does_not_differ_from_itself(mails: list[Judged]) -> None:
    for one in differences(mails, mails, draws(len(mails), 20)):
        assert one.value in (0, None)
        assert not one.is_proved
    assert changes(mails, mails) == []


def test_a_difference_on_every_mail_is_proved_and_the_other_way_round_its_opposite() -> None:
    ours, theirs = [judged()] * 50, [judged(action=REVIEW)] * 50
    found = {one.name: one for one in differences(ours, theirs, draws(50))}
    assert found["automation"].value == 1
    assert found["automation"].is_proved
    assert found["wrong of the sent"].value is None, "theirs sends nothing"
    assert not found["wrong of the sent"].is_proved
    turned = {one.name: one for one in differences(theirs, ours, draws(50))}
    assert turned["automation"].value == -1


def test_pairing_sees_what_two_intervals_side_by_side_would_not() -> None:
    """Ten of two hundred mails mended and none broken: each rate is unsure by 7 points, the difference by 3."""
    theirs = [judged()] * 100 + [judged(action=REVIEW)] * 100
    ours = [judged()] * 110 + [judged(action=REVIEW)] * 90
    found = {one.name: one for one in differences(ours, theirs, draws(200, 1000))}["automation"]
    assert found.value == pytest.approx(0.05)
    assert found.is_proved
    alone = [told(side)["automation"].interval for side in (ours, theirs)]
    assert alone[0].low < alone[1].high, "side by side they overlap"


def test_changes_are_told_both_ways() -> None:
    theirs = [
        judged(name="1"),
        judged(name="2", action=REVIEW),
        judged(name="3", action=REVIEW),
        judged(name="4"),
        judged(name="5", said="quoting"),
    ]
    ours = [
        judged(name="1", action=REVIEW),
        judged(name="2"),
        judged(name="3", said="quoting"),
        judged(name="4", reply=0.99),
        judged(name="5", said="no_request"),
    ]
    assert [(one.ours.label.name, one.kind) for one in changes(ours, theirs)] == [
        ("1", "worse"),
        ("2", "better"),
        ("3", "worse"),
        ("5", "equal"),
    ]


@pytest.mark.parametrize("theirs", [[judged(name="2")], []])
def test_different_mails_are_not_compared(theirs: list[Judged]) -> None:
    with pytest.raises(ValueError, match=r"same mails|shorter"):
        differences([judged(name="1")], theirs, draws(1))


# ------------------------------------------------------------------ tables


@given(st.lists(MAILS, max_size=20))
def test_the_rows_by_intent_add_up(mails: list[Judged]) -> None:
    rows = by_intent(mails)
    assert {name for name, *_ in rows} == {name for one in mails for name in one.label.intents + one.said}
    for name, labelled, found, said_wrongly in rows:
        assert labelled == sum(name in one.label.intents for one in mails)
        assert found <= labelled
        assert found + said_wrongly == sum(name in one.said for one in mails)
    mistakes = [labelled - found + said_wrongly for _, labelled, found, said_wrongly in rows]
    assert mistakes == sorted(mistakes, reverse=True)


@given(st.lists(MAILS, max_size=20))
def test_the_confusion_counts_every_mail_once(mails: list[Judged]) -> None:
    counts = confusion(mails)
    assert counts.total() == len(mails)
    right = sum(count for (labelled, said), count in counts.items() if labelled == said)
    assert right == sum(one.said[:1] == one.label.intents[:1] for one in mails)


@pytest.mark.parametrize("by", [by for name, by in GROUPINGS.items() if "pair" not in name])
def test_groups_hold_every_mail_the_largest_first(by: object) -> None:
    assert callable(by)
    mails = [judged("quoting", language="de", author="b"), *[judged()] * 2]
    groups = grouped(mails, by)
    assert sorted(len(group.judged) for group in groups) in ([3], [1, 2])
    sizes = [len(group.judged) for group in groups]
    assert sizes == sorted(sizes, reverse=True)


def test_only_mails_of_a_pair_have_a_side() -> None:
    mails = [judged(pair="p"), judged(pair="p", wanted_action=REVIEW), judged()]
    groups = grouped(mails, GROUPINGS["side of a minimal pair"])
    assert [(group.name, len(group.judged)) for group in groups] == [("the side to answer", 1), ("the side to hold", 1)]


def test_a_pair_is_told_apart_if_both_sides_are_right() -> None:
    mails = [
        judged(pair="p"),
        judged(pair="p", action=REVIEW, wanted_action=REVIEW),
        judged(pair="q"),
        judged(pair="q", wanted_action=REVIEW),
        judged(pair="alone"),
        judged(),
    ]
    assert pairs_told_apart(mails) == (1, 2)
