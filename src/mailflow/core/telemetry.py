"""What a running desk says in numbers: what is counted, what is timed, and how full the store is.

Rule: every number has its row here, with its labels and its meaning; docs/operating.md shows the same rows.
Rule: a label has few values, all of them words of the program. No address, subject or identifier is ever a label.
      Why: each value is a time series for ever, and numbers are read by more people than mails are.
Rule: a Meter never fails. What is measured must not be lost because the measuring was wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Event(StrEnum):
    """What is counted."""

    MAILS_RECEIVED = "mails_received"
    MAILS_COPIES = "mails_copies"
    MAILS_DECIDED = "mails_decided"
    MAILS_FAILED = "mails_failed"
    ANSWERS = "answers"
    ANSWERS_RESOLVED = "answers_resolved"
    BOUNCES = "bounces"
    CONNECTIONS_LOST = "connections_lost"
    WORKERS_BURIED = "workers_buried"
    ALARMS = "alarms"


@dataclass(frozen=True, slots=True)
class Counted:
    """The labels of an event, all of them needed, and what it means."""

    labels: tuple[str, ...]
    meaning: str


EVENTS: Mapping[Event, Counted] = {
    Event.MAILS_RECEIVED: Counted((), "mails stored for the first time"),
    Event.MAILS_COPIES: Counted((), "mails whose bytes were there already, under another UID"),
    Event.MAILS_DECIDED: Counted(("action", "reason"), "mails decided, by what is done and why (the first reason)"),
    Event.MAILS_FAILED: Counted(("outcome",), "tries that failed; the mail is tried again (later) or in quarantine"),
    Event.ANSWERS: Counted(("state",), "tries to send, by the state in which they left the answer"),
    Event.ANSWERS_RESOLVED: Counted((), "uncertain answers that were found to have gone out"),
    Event.BOUNCES: Counted((), "answers that another server gave back"),
    Event.CONNECTIONS_LOST: Counted(("loop", "error"), "times a loop lost what it works with and waited"),
    Event.WORKERS_BURIED: Counted((), "workers found dead, whose work was taken up"),
    Event.ALARMS: Counted(("code",), "alarms raised"),
}


class Stage(StrEnum):
    """What is timed, in seconds."""

    FETCH = "fetch"
    READ = "read"
    CLASSIFY = "classify"
    COMMIT = "commit"
    SUBMIT = "submit"
    ACKNOWLEDGE = "acknowledge"
    WAIT = "wait"


STAGES: Mapping[Stage, str] = {
    Stage.FETCH: "one look at the mailbox, with the storing of what is new",
    Stage.READ: "reading one mail, in the child process",
    Stage.CLASSIFY: "classifying one batch of up to 50 mails",
    Stage.COMMIT: "deciding one batch, composing its answers and committing it",
    Stage.SUBMIT: "handing one answer to the mail server",
    Stage.ACKNOWLEDGE: "moving what is dealt with on the server",
    Stage.WAIT: "from the storing of a mail to its decision",
}


class Meter(Protocol):
    def count(self, event: Event, amount: int = 1, **labels: str) -> None:
        """`amount` more of `event`, with the labels of its row."""
        ...

    def observe(self, stage: Stage, seconds: float) -> None: ...


class _NoMeter:
    def count(self, event: Event, amount: int = 1, **labels: str) -> None: ...

    def observe(self, stage: Stage, seconds: float) -> None: ...


NO_METER: Meter = _NoMeter()


@dataclass(frozen=True, slots=True)
class Backlog:
    """How full the store is at one moment. Of the whole desk, whichever worker is asked."""

    mails_waiting: int = 0
    """Stored and not yet decided, claimed or not."""
    oldest_mail_due_at: datetime | None = None
    """When the mail that has waited longest became due; None where none is due or being worked on."""
    answers_queued: int = 0
    """On their way: queued or being sent."""
    oldest_answer_due_at: datetime | None = None
    answers_failed: int = 0
    answers_uncertain: int = 0
    mails_quarantined: int = 0
    workers_alive: int = 0
