"""The desk's numbers, from a handful of rows that one can add up by hand."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.numbers import AGES, PastMail, PersonsAnswer, numbers, queue_age, spread
from mailflow.core.review import Correction, CorrectionView
from mailflow.testing import NOON

HOUR = timedelta(hours=1)


def mail(thread_id: int, action: str, *, at: timedelta = timedelta(0), answered: float | None = None) -> PastMail:
    received = NOON + at
    answered_at = received + timedelta(seconds=answered) if answered is not None else None
    return PastMail(thread_id, received, action, "nfr_request", 0.93, f"row:{action}", answered_at)


def corrected(message_id: int, said: str, *, predicted: str = "nfr_request", action: str = "reply") -> CorrectionView:
    correction = Correction(message_id, (said,), "reply", "partner", "")
    return CorrectionView(message_id, 1, correction, (predicted,), action, "sam", NOON)


MAILS = [
    mail(1, "reply", answered=2),
    mail(2, "reply", answered=4),
    mail(3, "review"),
    mail(4, "none"),
    mail(1, "review", at=HOUR),
]


def test_the_sums_are_those_of_the_rows() -> None:
    answers = [PersonsAnswer(3, NOON + 2 * HOUR, None), PersonsAnswer(3, NOON + 3 * HOUR, None)]
    corrections = [corrected(1, "nfr_request"), corrected(2, "quoting")]
    found = numbers(
        MAILS, answers, corrections, {1: 0.95, 2: 0.95}, [NOON - HOUR], since=NOON.date(), now=NOON + 5 * HOUR
    )
    assert found.mails == 5
    assert found.by_day == ((NOON.date(), {"reply": 2, "review": 2, "none": 1}),)
    assert found.by_intent == (("nfr_request", {"reply": 2, "review": 2, "none": 1}),)
    assert found.automation == 2 / 4
    assert (found.time_to_answer.count, found.time_to_answer.median) == (2, 3.0)
    assert (found.time_to_person.count, found.time_to_person.median) == (1, 7200.0)
    assert (found.corrected, found.agreed, found.wrong_answers) == (2, 1, 1)
    assert (found.reopened, found.answered_threads) == (1, 2)
    assert [(one.mails, one.agreed) for one in found.reliability if one.mails] == [(2, 1)]


def test_a_model_is_right_whatever_its_rollout_lets_be_done() -> None:
    held = [corrected(1, "nfr_request", action="review"), corrected(2, "quoting", action="review")]
    found = numbers([], [], held, {}, [], since=NOON.date(), now=NOON)
    assert (found.corrected, found.agreed, found.right_actions, found.wrong_answers) == (2, 1, 0, 0)
    assert set(found.agreement_by_intent) == {("nfr_request", 1, 1), ("quoting", 1, 0)}


def test_of_many_words_about_a_mail_the_last_one_counts() -> None:
    first, last = corrected(1, "quoting"), replace(corrected(1, "nfr_request"), id=9, at=NOON + HOUR)
    for order in ([first, last], [last, first]):
        found = numbers([], [], order, {1: 0.95}, [], since=NOON.date(), now=NOON)
        assert (found.corrected, found.agreed, found.wrong_answers) == (1, 1, 0)
        assert sum(one.mails for one in found.reliability) == 1


def test_without_mail_there_is_no_share() -> None:
    found = numbers([], [], [], {}, [], since=NOON.date(), now=NOON)
    assert (found.automation, found.time_to_answer.median, found.mails) == (None, None, 0)


@given(st.lists(st.timedeltas(timedelta(0), timedelta(days=60))))
def test_every_held_thread_is_in_one_age(ages: list[timedelta]) -> None:
    found = queue_age([NOON - age for age in ages], NOON)
    assert sum(count for _, count in found) == len(ages)
    assert [name for name, _ in found] == [name for name, _ in AGES]


@given(st.lists(st.floats(min_value=0, max_value=1e6), min_size=1))
def test_nineteen_of_twenty_wait_at_least_as_long_as_half(seconds: list[float]) -> None:
    found = spread(seconds)
    assert found.median is not None and found.p95 is not None
    assert min(seconds) <= found.median <= found.p95 + 1e-6 <= max(seconds) + 1e-5
