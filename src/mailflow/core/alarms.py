"""What somebody should be called for before a partner notices: no mail at all, a queue that grows, a login that ends.

    mail_stopped         so long without mail is next to impossible at this hour of the week
    queue_stuck          what is due has been due for too long
    queue_growing        more waits at each look, and the oldest gets older
    credential_expires   a password, secret or certificate ends soon, or has ended

Rule: an alarm says what was seen and what to do. One that nobody can act on is not raised.
Rule: too little history, no alarm. Silence is judged by at least three whole weeks.
Rule: the busiest week of an hour does not count. Why: one loop or one restored mailbox would else make every later
      week look silent.
Rule: changes are told, not states: what was raised, and what is over.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from mailflow.core.telemetry import Backlog

WEEK = timedelta(days=7)
HOUR = timedelta(hours=1)
HISTORY = 6 * WEEK
"""How far back it is asked what is usual. Whoever reads arrivals reads a week more, for the silence itself."""
MIN_WEEKS = 3
IMPROBABLE = 1e-4
"""Why: a desk with 100 mails a day has about 100 gaps a day, and so one false alarm in about 100 days."""
DUE_TOO_LONG = timedelta(minutes=30)
"""Longer than the retries of one mail (about 13 minutes in all) and than any single submission."""
GROWING_SAMPLES = 6
GROWING_BY = 10
"""Why: a handful of mails that come together is no trouble."""
AHEAD = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Alarm:
    code: str
    about: str
    """What it is about: a queue, a credential. Code and this tell whether two alarms are one."""
    sentence: str
    to_do: str


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When mail came, over HISTORY or less."""

    by_hour: Mapping[datetime, int]
    """How many, by the beginning of the hour (UTC)."""
    first_at: datetime | None
    last_at: datetime | None

    @classmethod
    def of(cls, instants: Iterable[datetime]) -> "Arrivals":
        """From when each mail came, in any order; aware, UTC."""
        known = sorted(instants)
        by_hour = Counter(map(hour_of, known))
        return cls(by_hour, known[0] if known else None, known[-1] if known else None)

    def then(self, later: "Arrivals") -> "Arrivals":
        """With all that has come since the beginning of some hour counted anew."""
        by_hour = {**self.by_hour, **later.by_hour}
        return Arrivals(by_hour, self.first_at or later.first_at, later.last_at or self.last_at)


@dataclass(frozen=True, slots=True)
class QueueSample:
    """One look at a queue."""

    at: datetime
    waiting: int
    oldest_due_at: datetime | None
    """None where nothing is due."""

    @property
    def oldest_due(self) -> timedelta:
        return max(self.at - self.oldest_due_at, timedelta(0)) if self.oldest_due_at else timedelta(0)


@dataclass(frozen=True, slots=True)
class Credential:
    """Something that logs us in and ends at a known time."""

    name: str
    expires_at: datetime
    renew: str
    """What to do about it, in one sentence."""


@dataclass(frozen=True, slots=True)
class AlarmChanges:
    raised: tuple[Alarm, ...]
    over: tuple[Alarm, ...]


def changes(before: Iterable[Alarm], after: Iterable[Alarm]) -> AlarmChanges:
    """What is new and what is over; an alarm whose sentence alone differs is neither."""
    old = {(alarm.code, alarm.about): alarm for alarm in before}
    new = {(alarm.code, alarm.about): alarm for alarm in after}
    return AlarmChanges(
        tuple(alarm for key, alarm in new.items() if key not in old),
        tuple(alarm for key, alarm in old.items() if key not in new),
    )


# ---------------------------------------------------------------------- silence


def silence(arrivals: Arrivals, now: datetime) -> Alarm | None:
    """Whether no mail since the last one is less likely than IMPROBABLE, by the same hours of the weeks before."""
    last_at, first_at = arrivals.last_at, arrivals.first_at
    if last_at is None or first_at is None or last_at >= now:
        return None
    weeks = min((last_at - first_at) // WEEK, HISTORY // WEEK)
    if weeks < MIN_WEEKS:
        return None
    expected = expected_mails(arrivals.by_hour, max(last_at, now - WEEK), now, weeks)
    if math.exp(-expected) >= IMPROBABLE:
        return None
    return Alarm(
        "mail_stopped",
        "mailbox",
        f"no mail for {spoken(now - last_at)}; at these hours about {expected:.0f} would be usual",
        "send the desk a mail and see whether it arrives in the mailbox; look at forwarding, the mailbox's quota and "
        "its login; `mailflow doctor --send` does it for you",
    )


def expected_mails(by_hour: Mapping[datetime, int], start: datetime, end: datetime, weeks: int) -> float:
    """How many mails are usual from `start` to `end` (at most a week), by the same hours of the `weeks` before it."""
    return sum(share * _usual(by_hour, hour, weeks) for hour, share in _hours(start, end))


def _hours(start: datetime, end: datetime) -> Iterable[tuple[datetime, float]]:
    """The clock hours from `start` to `end`, each with how much of it lies between them (0 to 1)."""
    hour = hour_of(start)
    while hour < end:
        yield hour, (min(end, hour + HOUR) - max(start, hour)) / HOUR
        hour += HOUR


def hour_of(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def _usual(by_hour: Mapping[datetime, int], hour: datetime, weeks: int) -> float:
    """The mean of this hour of the week, without its busiest week."""
    counts = sorted(by_hour.get(hour - week * WEEK, 0) for week in range(1, weeks + 1))
    return sum(counts[:-1]) / (weeks - 1)


# ---------------------------------------------------------------------- queues


def queue(name: str, samples: Sequence[QueueSample]) -> Alarm | None:
    """`samples`: the last looks at the queue `name`, oldest first, evenly spaced."""
    if not samples:
        return None
    last = samples[-1]
    if last.oldest_due > DUE_TOO_LONG:
        return Alarm(
            "queue_stuck",
            name,
            f"{last.waiting} {name} wait, the oldest has been due for {spoken(last.oldest_due)}",
            "see in the log whether a worker runs and what it fails at; `mailflow doctor` tests what it needs",
        )
    if _is_growing(samples[-GROWING_SAMPLES:]):
        grown = last.waiting - samples[-GROWING_SAMPLES].waiting
        return Alarm(
            "queue_growing",
            name,
            f"{last.waiting} {name} wait, {grown} more than {spoken(last.at - samples[-GROWING_SAMPLES].at)} ago",
            "see in the log what takes so long; more workers help on PostgreSQL (docs/operating.md)",
        )
    return None


def _is_growing(samples: Sequence[QueueSample]) -> bool:
    """Never fewer than at the look before, more in all, and the one at the head always older: nobody gets through."""
    pairs = list(pairwise(samples))
    return (
        len(samples) >= GROWING_SAMPLES
        and samples[-1].waiting - samples[0].waiting >= GROWING_BY
        and all(later.waiting >= earlier.waiting for earlier, later in pairs)
        and all(later.oldest_due > earlier.oldest_due for earlier, later in pairs)
    )


def mail_sample(backlog: Backlog, at: datetime) -> QueueSample:
    return QueueSample(at, backlog.mails_waiting, backlog.oldest_mail_due_at)


def answer_sample(backlog: Backlog, at: datetime) -> QueueSample:
    return QueueSample(at, backlog.answers_queued, backlog.oldest_answer_due_at)


# ---------------------------------------------------------------------- credentials


def expiry(credential: Credential, now: datetime) -> Alarm | None:
    left = credential.expires_at - now
    if left > AHEAD:
        return None
    when = f"ends in {spoken(left)}" if left > timedelta(0) else f"ended {spoken(-left)} ago"
    sentence = f"{credential.name} {when}, on {credential.expires_at:%Y-%m-%d}"
    return Alarm("credential_expires", credential.name, sentence, credential.renew)


# ---------------------------------------------------------------------- all of them


def raised(
    now: datetime,
    arrivals: Arrivals | None,
    queues: Mapping[str, Sequence[QueueSample]],
    credentials: Iterable[Credential],
) -> tuple[Alarm, ...]:
    """Every alarm that holds at `now`. `arrivals` is None where nobody knows them."""
    found = [silence(arrivals, now) if arrivals else None]
    found += [queue(name, samples) for name, samples in queues.items()]
    found += [expiry(one, now) for one in credentials]
    return tuple(alarm for alarm in found if alarm is not None)


def spoken(span: timedelta) -> str:
    """A span as a person says it, in its largest whole unit: `3 days`, `1 hour`, `40 seconds`."""
    seconds = int(span.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}" + ("s" if count != 1 else "")
    return f"{seconds} second" + ("s" if seconds != 1 else "")
