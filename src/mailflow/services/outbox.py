"""Answers leave here, one at a time, and every end of a try has its own state.

    claim: queued -> sending, committed   (the attempt is counted, and from here on nobody else may send it)
    250 after DATA                -> sent
    4yz, or lost before DATA      -> queued again, later and later; after five tries failed
    5yz                           -> failed, a person looks
    lost after DATA began         -> uncertain, a person looks; it is never sent again blindly
    its worker is gone            -> uncertain (services/fleet.py)

Rule: an end that the store could not record is kept and recorded before the next claim.
Rule: who was taken for dead while he sent, and hears that it was accepted, says so.
Why one at a time: of a batch marked `sending`, a crash makes the unsent ones uncertain too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from mailflow.core.delivery import HEARD_LATE, OutboxState, next_attempt
from mailflow.core.ports import Clock, Submission
from mailflow.core.storage import OutboxEntry, Store
from mailflow.errors import ConnectionFailed, OutcomeUnknown, SubmissionError


@dataclass(frozen=True, slots=True)
class _End:
    """How a try ended."""

    entry_id: int
    message_id: str
    to: OutboxState
    at: datetime
    due_at: datetime | None = None
    reply_code: int | None = None
    error: str = ""


class Outbox:
    def __init__(
        self,
        *,
        store: Store,
        submission: Submission,
        clock: Clock,
        jitter: Callable[[], float],
        per_minute: int | None = None,
    ) -> None:
        """`per_minute`: at most so many tries, whichever worker makes them; None: as many as there are."""
        self._store, self._submission, self._clock, self._jitter = store, submission, clock, jitter
        self._per_minute = per_minute
        self._unrecorded: _End | None = None
        self._has_claimed = False

    def deliver_one(self) -> OutboxState | None:
        """Send the next due answer. None where nothing may be sent now. Raises StoreError."""
        self._record()
        now, was_broken_off, self._has_claimed = self._clock.now(), self._has_claimed, True
        with self._store.unit() as unit:
            if was_broken_off:  # nobody knows whether that claim was committed
                unit.give_up(now)
            entry = unit.claim_outbox(now, self._per_minute)
        self._has_claimed = False
        if entry is None:
            return None
        self._unrecorded = end = self._try(entry)
        self._record()
        return end.to

    def close(self) -> None:
        """Say goodbye to the mail server. Call it in the thread that delivers."""
        self._submission.close()

    def _try(self, entry: OutboxEntry) -> _End:
        try:
            accepted = self._submission.submit(entry.message)
        except Exception as error:  # noqa: BLE001 - the edge of one answer: recorded in its row
            return self._failed(entry, error)
        return _End(entry.id, entry.message.message_id, OutboxState.SENT, self._clock.now(), None, accepted.reply_code)

    def _failed(self, entry: OutboxEntry, error: Exception) -> _End:
        now, message_id = self._clock.now(), entry.message.message_id
        code = error.reply_code if isinstance(error, SubmissionError) else None
        if not _is_surely_unsent(error):
            return _End(
                entry.id, message_id, OutboxState.UNCERTAIN, now, None, code, f"{type(error).__name__}: {error}"
            )
        retry = next_attempt(error, entry.attempts, now, self._jitter())
        to = OutboxState.FAILED if retry.due_at is None else OutboxState.QUEUED
        return _End(entry.id, message_id, to, now, retry.due_at, code, retry.reason)

    def _record(self) -> None:
        if (end := self._unrecorded) is None:
            return
        with self._store.unit() as unit:
            is_recorded = unit.finish_outbox(
                end.entry_id, end.to, end.at, due_at=end.due_at, reply_code=end.reply_code, error=end.error
            )
            if not is_recorded and end.to is OutboxState.SENT:
                unit.prove_sent([end.message_id], HEARD_LATE, end.at)
        self._unrecorded = None


def _is_surely_unsent(error: Exception) -> bool:
    """Of what comes neither from the mail server nor from connecting to it, nobody can say how far it came."""
    return isinstance(error, (SubmissionError, ConnectionFailed)) and not isinstance(error, OutcomeUnknown)
