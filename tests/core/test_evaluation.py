"""How well decisions agree with labels: a wrong answer is counted apart from every other mistake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.classification import Action
from mailflow.core.evaluation import Judged, Verdict, by_intent, figures

INTENTS = ("nfr_request", "quoting", "no_request")


def judged(
    wanted: str = "nfr_request",
    action: Action = Action.REPLY,
    *,
    wanted_action: Action = Action.REPLY,
    said: str | None = None,
    answered: str | None = None,
) -> Judged:
    """Intents as words; what is said and answered is what is wanted unless told."""
    said = wanted if said is None else said
    answers = (said if answered is None else answered) if action is Action.REPLY else ""
    return Judged(
        name="1",
        language="en",
        author="a",
        wanted=tuple(wanted.split()),
        said=tuple(said.split()),
        wanted_action=wanted_action,
        action=action,
        answered=tuple(answers.split()),
        reason="why",
    )


REPLY, REVIEW, NONE = Action.REPLY, Action.REVIEW, Action.NONE
VERDICTS = [
    (judged(), Verdict.RIGHT),
    (judged(action=REVIEW, wanted_action=REVIEW), Verdict.RIGHT),
    (judged(action=NONE, wanted_action=NONE), Verdict.RIGHT),
    (judged(wanted_action=REVIEW), Verdict.WRONG_ANSWER),
    (judged(wanted_action=NONE), Verdict.WRONG_ANSWER),
    (judged(said="quoting"), Verdict.WRONG_PATH),
    (judged(answered="nfr_request quoting"), Verdict.WRONG_PATH),
    (judged("nfr_request quoting", answered="nfr_request"), Verdict.INCOMPLETE),
    (judged("nfr_request quoting", answered="quoting nfr_request"), Verdict.RIGHT),
    (judged(action=REVIEW), Verdict.HELD_NEEDLESSLY),
    (judged(action=REVIEW, wanted_action=NONE), Verdict.HELD_NEEDLESSLY),
    (judged(action=NONE), Verdict.MISSED),
    (judged(action=NONE, wanted_action=REVIEW), Verdict.MISSED),
]


@pytest.mark.parametrize(("one", "verdict"), VERDICTS)
def test_each_pair_of_label_and_decision_has_its_verdict(one: Judged, verdict: Verdict) -> None:
    assert one.verdict is verdict


def test_every_verdict_is_tested() -> None:
    assert {verdict for _, verdict in VERDICTS} == set(Verdict)


def test_the_figures_of_four_mails() -> None:
    found = figures(
        [
            judged(),
            judged(action=REVIEW),
            judged("quoting", wanted_action=REVIEW, said="nfr_request"),
            judged("no_request", NONE, wanted_action=NONE),
        ]
    )
    assert (found.mails, found.action_right, found.wrong_answers) == (4, 0.5, 0.25)
    assert found.automation == 0.5, "one of the two answerable ones was answered"
    assert found.primary_right == 0.75
    assert found.intent_micro_f1 == 0.75
    assert dict(found.verdicts) == {"right": 2, "held needlessly": 1, "wrong answer": 1}


def test_a_wrong_path_counts_as_a_wrong_answer() -> None:
    assert figures([judged(said="quoting"), judged()]).wrong_answers == 0.5


def test_the_primary_intent_is_the_first() -> None:
    assert figures([judged("nfr_request quoting", said="quoting nfr_request")]).primary_right == 0
    assert figures([judged("nfr_request quoting", said="nfr_request")]).primary_right == 1


def test_a_model_that_says_nothing_has_no_primary_right() -> None:
    found = figures([judged(action=REVIEW, said="")])
    assert (found.primary_right, found.intent_micro_f1) == (0, 0)


def test_no_mails_have_no_figures() -> None:
    with pytest.raises(ValueError, match="no labelled mails"):
        figures([])


def test_nothing_answerable_is_no_automation() -> None:
    assert figures([judged(action=NONE, wanted_action=NONE)]).automation == 0


MAILS = st.builds(
    judged,
    st.lists(st.sampled_from(INTENTS), min_size=1, unique=True).map(" ".join),
    st.sampled_from(Action),
    wanted_action=st.sampled_from(Action),
    said=st.lists(st.sampled_from(INTENTS), unique=True).map(" ".join),
)


@given(st.lists(MAILS, min_size=1, max_size=20))
def test_shares_are_shares_and_the_verdicts_count_every_mail_once(mails: list[Judged]) -> None:
    found = figures(mails)
    shares = (
        found.action_right,
        found.wrong_answers,
        found.automation,
        found.primary_right,
        found.intent_micro_f1,
    )
    assert all(0 <= share <= 1 for share in shares)
    assert found.action_right + found.wrong_answers <= 1
    assert sum(count for _, count in found.verdicts) == found.mails == len(mails)
    assert figures(mails[::-1]).intent_micro_f1 == found.intent_micro_f1


@given(st.lists(MAILS, max_size=20))
def test_the_rows_by_intent_add_up(mails: list[Judged]) -> None:
    rows = by_intent(mails)
    assert {name for name, *_ in rows} == {name for one in mails for name in one.wanted + one.said}
    for name, labelled, found, said_wrongly in rows:
        assert labelled == sum(name in one.wanted for one in mails)
        assert found <= labelled
        assert found + said_wrongly == sum(name in one.said for one in mails)
    mistakes = [labelled - found + said_wrongly for _, labelled, found, said_wrongly in rows]
    assert mistakes == sorted(mistakes, reverse=True)
