"""Calls to other systems when something happens to a thread: what is told, to whom, and the proof that it was we.

    held        a thread begins to wait for a person
    answered    an answer of ours was taken by the mail server, whoever wrote it
    escalated   a person has made a thread urgent

Rule: a call is queued in the transaction that it tells of: both happen, or none.
Rule: a call holds nothing of a mail, no address and nothing that a person wrote: codes, times and the thread's number.
Why: it goes where nobody erases it (docs/operating.md). What is in the mail stands behind the link, and a sign-in.
Rule: a call may come twice, when its end could not be recorded; it has the same `Mailflow-Delivery` then.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class HookEvent(StrEnum):
    HELD = "held"
    ANSWERED = "answered"
    ESCALATED = "escalated"


class HookState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


TOLERANCE = timedelta(minutes=5)
"""How old a call's time may be for a receiver, who would else take one that somebody recorded."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who wants to hear of what."""

    name: str
    events: frozenset[HookEvent]


NOBODY: tuple[Listener, ...] = ()


@dataclass(frozen=True, slots=True)
class HookCall:
    """One event for one receiver. `body` is what a receiver of JSON gets."""

    id: int
    receiver: str
    event: HookEvent
    thread_id: int
    attempts: int
    """This try included."""
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class HookView:
    """A call as it is listed."""

    id: int
    receiver: str
    event: HookEvent
    thread_id: int
    state: HookState
    attempts: int
    at: datetime
    due_at: datetime
    error: str


@dataclass(frozen=True, slots=True)
class ThreadFacts:
    """What a call says of its thread."""

    id: int
    status: str
    queue: str
    priority: str
    intent: str
    reason: str
    """Code of the first reason of the last decision."""
    language: str


def wanting(listeners: Iterable[Listener], event: HookEvent) -> list[str]:
    return [one.name for one in listeners if event in one.events]


def body_of(event: HookEvent, thread: ThreadFacts, now: datetime) -> dict[str, Any]:
    return {
        "event": event.value,
        "at": now.isoformat(),
        "thread": {
            "id": thread.id,
            "status": thread.status,
            "queue": thread.queue,
            "priority": thread.priority,
            "intent": thread.intent,
            "reason": thread.reason,
            "language": thread.language,
        },
    }


def signature(secret: bytes, at: int, content: bytes) -> str:
    """Of `Mailflow-Signature`. `at`: seconds since 1970, signed with the content, so that an old call is no new one."""
    signed = hmac.new(secret, f"{at}.".encode() + content, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"


def is_signed(secret: bytes, header: str, content: bytes, now: datetime) -> bool:
    """What a receiver does to be sure of a call."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    at = parts.get("t", "")
    if not at.isdecimal() or len(at) > 12 or abs(int(at) - now.timestamp()) > TOLERANCE.total_seconds():
        return False
    return hmac.compare_digest(signature(secret, int(at), content).encode(), header.encode())
