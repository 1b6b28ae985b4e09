"""The watch: an alarm is told when it begins and when it ends, once each, to the log and the meter."""

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from mailflow.core.alarms import HISTORY, WEEK, Arrivals, Credential
from mailflow.core.telemetry import Backlog, Event, Stage
from mailflow.errors import StoreError
from mailflow.services.watch import Looking, Watch
from mailflow.testing import NOON

MINUTE = timedelta(minutes=1)
NEVER = Arrivals({}, None, None)


@dataclass
class Tally:
    """A meter that remembers."""

    counted: list[tuple[Event, int, dict[str, str]]] = field(default_factory=list)

    def count(self, event: Event, amount: int = 1, **labels: str) -> None:
        self.counted.append((event, amount, labels))

    def observe(self, stage: Stage, seconds: float) -> None: ...


def looks(*backlogs: Backlog, watch_with: Tally, credentials: tuple[Credential, ...] = ()) -> list[list[str]]:
    """What is logged at each look, a minute apart."""
    script = iter(backlogs)
    watch = Watch(look=lambda now: (next(script), NEVER), credentials=credentials, meter=watch_with)
    told = []
    for minute in range(len(backlogs)):
        with capture_logs() as lines:
            watch(NOON + minute * MINUTE)
        told.append([words(line) for line in lines])
    return told


def words(line: MutableMapping[str, Any]) -> str:
    return f"{line['log_level']} {line['event']} {line['code']} {line['about']}"


def test_an_alarm_is_told_once_when_it_begins_and_once_when_it_ends() -> None:
    stuck = Backlog(mails_waiting=1, oldest_mail_due_at=NOON - timedelta(hours=1))
    tally = Tally()
    told = looks(Backlog(), stuck, stuck, Backlog(), Backlog(), watch_with=tally)
    assert told == [[], ["error alarm queue_stuck mails"], [], ["info alarm over queue_stuck mails"], []]
    assert tally.counted == [(Event.ALARMS, 1, {"code": "queue_stuck"})]


def test_both_queues_are_watched_look_by_look() -> None:
    growing = [Backlog(answers_queued=10 * n, oldest_answer_due_at=NOON - MINUTE if n else None) for n in range(6)]
    told = looks(*growing, watch_with=Tally())
    assert told == [[], [], [], [], [], ["error alarm queue_growing answers"]]


def test_a_login_that_ends_soon_is_told_at_the_first_look() -> None:
    credentials = (Credential("the login of [imap]", NOON + timedelta(days=1), "renew"),)
    assert looks(Backlog(), watch_with=Tally(), credentials=credentials) == [
        ["error alarm credential_expires the login of [imap]"]
    ]


def test_a_store_that_does_not_answer_is_the_callers_to_see_and_changes_no_alarm() -> None:
    def fails(now: datetime) -> tuple[Backlog, Arrivals]:
        raise StoreError("gone")

    watch = Watch(look=fails, credentials=(), meter=Tally())
    with pytest.raises(StoreError):
        watch(NOON)
    assert watch.alarms == ()


def test_a_look_asks_once_an_hour_for_the_whole_history_and_the_week_of_the_silence() -> None:
    """At the others for what came since the hour began."""
    asked: list[datetime] = []
    come = [NOON - WEEK, NOON + MINUTE]

    class Unit:
        def backlog(self, now: datetime) -> Backlog:
            return Backlog()

        def arrivals(self, since: datetime) -> Arrivals:
            asked.append(since)
            return Arrivals.of(at for at in come if at >= since)

    looking, hour = Looking(), timedelta(hours=1)
    for now in (NOON + MINUTE, NOON + 2 * MINUTE, NOON + hour, NOON):
        assert looking(Unit(), now) == (Backlog(), Arrivals.of(come))
        come.append(come[-1] + MINUTE)
    whole = HISTORY + WEEK
    assert asked == [NOON + MINUTE - whole, NOON, NOON + hour - whole, NOON - whole]
