"""The states of a mail on its way in and of an answer on its way out, and when a failure is tried again.

    inbound   received -> processing -> done | duplicate | received (again later) | quarantined
    outbox    queued -> sending -> sent | queued (4yz) | failed (5yz) | uncertain;  queued -> cancelled
              sent -> bounced, when another server gives it back
              uncertain -> sent, when our Message-ID is found where only a mail that went out can have brought it

Rule: a state changes only along TRANSITIONS, by compare-and-set; the database repeats the state names in a CHECK.
Rule: attempts are counted when the work is claimed, so a crash counts too.
Rule: `sending` is committed before the first byte goes out. Of a worker that is gone, it means: nobody knows.
It is never sent again blindly.
Rule: an answer waits in `queued` for its undo window; cancelling and claiming are the same compare-and-set.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mailflow.errors import is_temporary

MAX_ATTEMPTS = 5
_FIRST_WAIT = timedelta(seconds=20)
_LONGEST_WAIT = timedelta(hours=1)
LONGEST_AHEAD = _LONGEST_WAIT * 1.2
"""Nothing waits longer than that, an undo window neither: what is due later was put there by a clock that was wrong."""
MUTE_PERMANENT = timedelta(days=60)
MUTE_TEMPORARY = timedelta(days=1)
BOUNCE_WINDOW = timedelta(days=7)
"""A bounce that names no mail of ours is taken for the newest answer to its recipient of this time.

Why seven: servers try for four to five days (RFC 5321, 4.5.4.1).
"""


OWN_COPY = "our own copy of it came in"
HEARD_LATE = "its worker was taken for dead, and heard then that it was accepted"
PROOF_WINDOW = timedelta(days=2)
"""How long our own copy of an uncertain answer is looked for. Why two: whoever must decide should not wait longer."""


def mute_until(is_permanent: bool, now: datetime) -> datetime:
    """How long an address whose mail came back gets nothing automatic."""
    return now + (MUTE_PERMANENT if is_permanent else MUTE_TEMPORARY)


class InboundState(StrEnum):
    RECEIVED = "received"
    PROCESSING = "processing"
    DONE = "done"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"


class OutboxState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    CANCELLED = "cancelled"
    BOUNCED = "bounced"


class OutboxKind(StrEnum):
    """Why a mail goes out."""

    AUTOMATIC = "automatic"
    PERSON = "person"
    DIGEST = "digest"


INBOUND_TRANSITIONS: dict[InboundState, frozenset[InboundState]] = {
    InboundState.RECEIVED: frozenset({InboundState.PROCESSING, InboundState.DUPLICATE}),
    InboundState.PROCESSING: frozenset(
        {InboundState.DONE, InboundState.DUPLICATE, InboundState.RECEIVED, InboundState.QUARANTINED}
    ),
    InboundState.QUARANTINED: frozenset({InboundState.RECEIVED}),
    InboundState.DONE: frozenset(),
    InboundState.DUPLICATE: frozenset(),
}

OUTBOX_TRANSITIONS: dict[OutboxState, frozenset[OutboxState]] = {
    OutboxState.QUEUED: frozenset({OutboxState.SENDING, OutboxState.CANCELLED}),
    OutboxState.SENDING: frozenset({OutboxState.SENT, OutboxState.QUEUED, OutboxState.FAILED, OutboxState.UNCERTAIN}),
    OutboxState.FAILED: frozenset({OutboxState.QUEUED, OutboxState.CANCELLED}),
    OutboxState.UNCERTAIN: frozenset(
        {OutboxState.SENT, OutboxState.QUEUED, OutboxState.CANCELLED, OutboxState.BOUNCED}
    ),
    OutboxState.SENT: frozenset({OutboxState.BOUNCED}),
    OutboxState.CANCELLED: frozenset(),
    OutboxState.BOUNCED: frozenset(),
}

FINAL_INBOUND = frozenset({InboundState.DONE, InboundState.DUPLICATE, InboundState.QUARANTINED})


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """When to try again, or never; and why."""

    due_at: datetime | None
    reason: str


def next_attempt(error: BaseException, attempts: int, now: datetime, jitter: float) -> RetryDecision:
    """When the work that failed with `error` on its `attempts`-th try is due again.

    The wait triples with each try from 20 s up to an hour, times 0.8 to 1.2 by `jitter` in [0, 1).
    """
    reason = f"{type(error).__name__}: {error}"
    if not is_temporary(error):
        return RetryDecision(None, reason)
    if attempts >= MAX_ATTEMPTS:
        return RetryDecision(None, f"gave up after {attempts} attempts, last: {reason}")
    wait = min(_FIRST_WAIT * 3 ** (attempts - 1), _LONGEST_WAIT)
    return RetryDecision(now + wait * (0.8 + 0.4 * jitter), reason)
