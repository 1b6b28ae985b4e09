"""Alarms: raised where something is next to impossible or has lasted too long, and never for want of knowledge."""

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.alarms import (
    AHEAD,
    DUE_TOO_LONG,
    GROWING_BY,
    GROWING_SAMPLES,
    HISTORY,
    IMPROBABLE,
    MIN_WEEKS,
    WEEK,
    Alarm,
    Arrivals,
    Credential,
    QueueSample,
    answer_sample,
    changes,
    expected_mails,
    expiry,
    mail_sample,
    queue,
    raised,
    silence,
    spoken,
)
from mailflow.core.telemetry import Backlog

MONDAY = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
COUNTS = st.integers(min_value=0, max_value=30)


def office_hours(weeks: int, per_hour: int, until: datetime = MONDAY) -> list[datetime]:
    """So many mails in each hour from 8 to 18, Monday to Friday, in the `weeks` before `until`."""
    days = (until - timedelta(days=back) for back in range(1, 7 * weeks + 1))
    hours = [day + hour * HOUR for day in days if day.weekday() < 5 for hour in range(8, 18)]
    return [hour + MINUTE * (60 * n // per_hour) for hour in hours for n in range(per_hour)]


# ------------------------------------------------------------------ silence


def test_a_morning_without_mail_at_a_busy_desk_is_an_alarm() -> None:
    arrivals = Arrivals.of(office_hours(6, 10))
    alarm = silence(arrivals, MONDAY + 10 * HOUR)
    assert alarm is not None
    assert (alarm.code, alarm.about) == ("mail_stopped", "mailbox")
    assert "no mail for 2 days" in alarm.sentence and "about 21 would be usual" in alarm.sentence
    assert "mailflow doctor --send" in alarm.to_do


def test_a_weekend_without_mail_is_none_where_weekends_are_quiet() -> None:
    arrivals = Arrivals.of(office_hours(6, 10, until=MONDAY - timedelta(days=2)))
    assert silence(arrivals, MONDAY) is None


def test_the_first_minutes_of_a_busy_hour_are_no_alarm() -> None:
    arrivals = Arrivals.of(office_hours(6, 10))
    assert silence(arrivals, MONDAY + 8 * HOUR + 20 * MINUTE) is None


@pytest.mark.parametrize("weeks", range(1, MIN_WEEKS + 2))
def test_too_short_a_history_is_no_alarm(weeks: int) -> None:
    """So many working weeks are from Monday to Friday a whole one less."""
    alarm = silence(Arrivals.of(office_hours(weeks, 50)), MONDAY + timedelta(days=3))
    assert (alarm is not None) == (weeks - 1 >= MIN_WEEKS)


def test_an_empty_store_and_mail_of_this_very_moment_are_no_alarm() -> None:
    assert silence(Arrivals.of([]), MONDAY) is None
    assert silence(Arrivals.of([*office_hours(6, 50), MONDAY]), MONDAY) is None


@given(st.lists(st.integers(0, int(HISTORY / MINUTE)), max_size=200), st.integers(0, 20_000))
def test_an_alarm_means_that_silence_is_improbable_and_known_for_weeks(minutes: list[int], later: int) -> None:
    instants = [MONDAY - minute * MINUTE for minute in minutes]
    arrivals, now = Arrivals.of(instants), MONDAY + later * MINUTE
    if silence(arrivals, now) is not None:
        first_at, last_at = min(instants), max(instants)
        assert last_at - first_at >= MIN_WEEKS * WEEK
        weeks = min((last_at - first_at) // WEEK, HISTORY // WEEK)
        usual = expected_mails(arrivals.by_hour, max(last_at, now - WEEK), now, weeks)
        assert math.exp(-usual) < IMPROBABLE


@given(st.integers(0, 6 * 7 * 24 - 1), st.integers(1, 100_000), st.integers(0, 7 * 24 * 60))
def test_one_burst_never_makes_later_weeks_look_silent(hours_ago: int, burst: int, later: int) -> None:
    quiet = [MONDAY - timedelta(days=day) for day in range(1, 43)]
    arrivals = Arrivals.of(quiet)
    hour = MONDAY - hours_ago * HOUR - HOUR
    flooded = Arrivals({**arrivals.by_hour, hour: burst}, arrivals.first_at, arrivals.last_at)
    now = MONDAY + later * MINUTE
    assert silence(flooded, now) is None or silence(arrivals, now) is not None


@given(st.lists(COUNTS, min_size=7 * 24 * 4, max_size=7 * 24 * 4), st.integers(1, 9_000), st.integers(1, 900))
def test_silence_that_lasts_only_becomes_less_likely(counts: list[int], minutes: int, more: int) -> None:
    by_hour = {MONDAY - (n + 1) * HOUR: count for n, count in enumerate(counts)}
    arrivals = Arrivals(by_hour, MONDAY - 4 * WEEK, MONDAY)
    now = MONDAY + min(minutes, 9_000) * MINUTE
    if silence(arrivals, now) is not None:
        assert silence(arrivals, now + more * MINUTE) is not None


@given(st.integers(0, 6 * 24 * 60), st.integers(0, 24 * 60), st.integers(0, 24 * 60))
def test_what_is_usual_of_two_spans_adds_up(start: int, first: int, second: int) -> None:
    by_hour = Arrivals.of(office_hours(5, 7)).by_hour
    a = MONDAY + start * MINUTE
    b, c = a + first * MINUTE, a + (first + second) * MINUTE
    parts = expected_mails(by_hour, a, b, 4) + expected_mails(by_hour, b, c, 4)
    assert parts == pytest.approx(expected_mails(by_hour, a, c, 4))


def test_what_is_usual_is_the_mean_without_the_busiest_week() -> None:
    by_hour = {MONDAY - week * WEEK: count for week, count in enumerate([4, 100, 2, 0], 1)}
    assert expected_mails(by_hour, MONDAY, MONDAY + HOUR, 4) == pytest.approx(2)
    assert expected_mails(by_hour, MONDAY + 15 * MINUTE, MONDAY + 30 * MINUTE, 4) == pytest.approx(0.5)


# ------------------------------------------------------------------ queues


def growing(waiting: list[int], due: list[int]) -> list[QueueSample]:
    """A look a minute; `due`: for how many minutes the oldest was due at each look."""
    return [
        QueueSample(MONDAY + n * MINUTE, count, MONDAY + (n - age) * MINUTE)
        for n, (count, age) in enumerate(zip(waiting, due, strict=True))
    ]


def test_a_queue_whose_head_does_not_move_and_that_grows_is_an_alarm() -> None:
    alarm = queue("mails", growing([1, 3, 5, 8, 10, 12], [0, 1, 2, 3, 4, 5]))
    assert alarm is not None and alarm.code == "queue_growing"
    assert alarm.sentence == "12 mails wait, 11 more than 5 minutes ago"


def test_a_burst_that_is_worked_off_is_no_alarm() -> None:
    assert queue("mails", growing([0, 90, 80, 60, 40, 30], [0, 1, 2, 3, 4, 5])) is None
    assert queue("mails", growing([0, 10, 20, 30, 40, 50], [0, 1, 1, 2, 1, 1])) is None


def test_what_has_been_due_for_too_long_is_an_alarm_at_the_first_look() -> None:
    sample = QueueSample(MONDAY, 3, MONDAY - DUE_TOO_LONG - MINUTE)
    alarm = queue("answers", [sample])
    assert alarm is not None
    assert (alarm.code, alarm.about) == ("queue_stuck", "answers")
    assert alarm.sentence == "3 answers wait, the oldest has been due for 31 minutes"


def test_a_queue_that_nobody_looked_at_is_no_alarm() -> None:
    assert queue("mails", []) is None


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 29)), max_size=12))
def test_a_growing_queue_grew_at_each_of_the_last_looks(looks: list[tuple[int, int]]) -> None:
    samples = growing([count for count, _ in looks], [age for _, age in looks])
    alarm = queue("mails", samples)
    last = samples[-GROWING_SAMPLES:]
    counts, ages = [one.waiting for one in last], [one.oldest_due for one in last]
    grows = len(last) == GROWING_SAMPLES and counts == sorted(counts) and counts[-1] - counts[0] >= GROWING_BY
    assert (alarm is not None) == (grows and all(a < b for a, b in pairwise(ages)))


@given(st.lists(COUNTS, max_size=10))
def test_a_queue_in_which_nothing_is_due_is_never_an_alarm(counts: list[int]) -> None:
    """Mails that wait for their retry, answers in their undo window."""
    samples = [QueueSample(MONDAY + n * MINUTE, 10 * count, None) for n, count in enumerate(sorted(counts))]
    assert queue("answers", samples) is None


def test_the_samples_are_taken_from_the_backlog() -> None:
    backlog = Backlog(mails_waiting=3, oldest_mail_due_at=MONDAY - MINUTE, answers_queued=2)
    assert mail_sample(backlog, MONDAY) == QueueSample(MONDAY, 3, MONDAY - MINUTE)
    assert answer_sample(backlog, MONDAY) == QueueSample(MONDAY, 2, None)


# ------------------------------------------------------------------ credentials


def test_a_login_that_ends_soon_is_an_alarm_that_says_when_and_what_to_do() -> None:
    credential = Credential("the login of [imap]", MONDAY + timedelta(days=3, hours=2), "make a new one")
    alarm = expiry(credential, MONDAY)
    assert alarm is not None
    assert alarm.sentence == "the login of [imap] ends in 3 days, on 2026-03-05"
    assert alarm.to_do == "make a new one"


@given(st.timedeltas(min_value=-HISTORY, max_value=HISTORY))
def test_a_login_is_an_alarm_from_two_weeks_ahead_until_it_is_renewed(left: timedelta) -> None:
    alarm = expiry(Credential("x", MONDAY + left, "renew"), MONDAY)
    assert (alarm is not None) == (left <= AHEAD)
    if alarm is not None:
        assert ("ago" in alarm.sentence) == (left <= timedelta(0))


# ------------------------------------------------------------------ all of them, and what changed

ALARMS = st.lists(
    st.builds(Alarm, st.sampled_from("abc"), st.sampled_from("xy"), st.text(max_size=3), st.just("")),
    unique_by=lambda alarm: (alarm.code, alarm.about),
)


@given(ALARMS, ALARMS)
def test_what_is_raised_and_over_leads_from_the_alarms_before_to_those_after(
    before: list[Alarm], after: list[Alarm]
) -> None:
    def keys(alarms: list[Alarm] | tuple[Alarm, ...]) -> set[tuple[str, str]]:
        return {(alarm.code, alarm.about) for alarm in alarms}

    news = changes(before, after)
    assert (keys(before) - keys(news.over)) | keys(news.raised) == keys(after)
    assert keys(news.raised) & keys(before) == set() and keys(news.over) & keys(after) == set()


def test_an_alarm_whose_numbers_change_is_not_raised_again() -> None:
    before, after = Alarm("a", "x", "3 wait", ""), Alarm("a", "x", "5 wait", "")
    assert changes([before], [after]) == changes([], [])


def test_all_that_holds_is_raised_together() -> None:
    alarms = raised(
        MONDAY + 10 * HOUR,
        Arrivals.of(office_hours(6, 10)),
        {"mails": [QueueSample(MONDAY + 10 * HOUR, 1, MONDAY)], "answers": []},
        [Credential("x", MONDAY, "renew"), Credential("y", MONDAY + HISTORY, "renew")],
    )
    assert [alarm.code for alarm in alarms] == ["mail_stopped", "queue_stuck", "credential_expires"]
    assert raised(MONDAY, None, {}, []) == ()


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=59.9), "59 seconds"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(hours=23, minutes=59), "23 hours"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=40), "40 days"),
    ],
)
def test_a_span_is_said_in_its_largest_unit(span: timedelta, words: str) -> None:
    assert spoken(span) == words
