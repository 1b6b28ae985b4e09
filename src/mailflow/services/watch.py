"""Looks at the desk about once a minute and says what somebody should be called for: core.alarms, raised and over.

Rule: told when it changes, to the log and the meter; one alarm is one line when it begins and one when it ends.
Rule: what it needs to remember is a few looks. Why not stored: a worker that takes over raises what still holds at
      once, and a line too many is better than an alarm that a dead worker took with it.
"""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import structlog

from mailflow.core.alarms import (
    GROWING_SAMPLES,
    HISTORY,
    WEEK,
    Alarm,
    Arrivals,
    Credential,
    QueueSample,
    answer_sample,
    changes,
    hour_of,
    mail_sample,
    raised,
)
from mailflow.core.telemetry import Backlog, Event, Meter

log = structlog.get_logger(__name__)


class Looks(Protocol):
    """What of a store's unit is needed here."""

    def backlog(self, now: datetime) -> Backlog: ...

    def arrivals(self, since: datetime) -> Arrivals: ...


class Watch:
    """A chore: call it with the time, evenly. `look` reads from the store, whole and in one transaction."""

    def __init__(
        self,
        *,
        look: Callable[[datetime], tuple[Backlog, Arrivals]],
        credentials: Sequence[Credential],
        meter: Meter,
    ) -> None:
        self._look, self._credentials, self._meter = look, credentials, meter
        self._queues: dict[str, deque[QueueSample]] = {
            name: deque(maxlen=GROWING_SAMPLES) for name in ("mails", "answers")
        }
        self.alarms: tuple[Alarm, ...] = ()
        """Those that hold."""

    def __call__(self, now: datetime) -> None:
        """Raises StoreError."""
        backlog, arrivals = self._look(now)
        self._queues["mails"].append(mail_sample(backlog, now))
        self._queues["answers"].append(answer_sample(backlog, now))
        queues = {name: tuple(samples) for name, samples in self._queues.items()}
        self._tell(raised(now, arrivals, queues, self._credentials))

    def _tell(self, alarms: tuple[Alarm, ...]) -> None:
        news = changes(self.alarms, alarms)
        for alarm in news.raised:
            self._meter.count(Event.ALARMS, code=alarm.code)
            log.error("alarm", code=alarm.code, about=alarm.about, what=alarm.sentence, to_do=alarm.to_do)
        for alarm in news.over:
            log.info("alarm over", code=alarm.code, about=alarm.about)
        self.alarms = alarms


class Looking:
    """All that a Watch wants of one unit.

    The weeks before are counted once an hour. Why: of 300,000 mails it takes 100 ms of CPU, each minute.
    """

    def __init__(self) -> None:
        self._counted_in: datetime | None = None
        """The hour."""
        self._counted = Arrivals({}, None, None)

    def __call__(self, unit: Looks, now: datetime) -> tuple[Backlog, Arrivals]:
        hour = hour_of(now)
        if hour == self._counted_in:
            return unit.backlog(now), self._counted.then(unit.arrivals(hour))
        self._counted = unit.arrivals(now - HISTORY - WEEK)
        self._counted_in = hour
        return unit.backlog(now), self._counted
