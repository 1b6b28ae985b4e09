"""Answers leave here, one at a time, and every end of a try has its own state.

    claim: queued -> sending, committed   (the attempt is counted, and from here on nobody else may send it)
    250 after DATA                -> sent
    4yz, or lost before DATA      -> queued again, later and later; after five tries failed
    5yz                           -> failed, a person looks
    lost after DATA began         -> uncertain, a person looks; it is never sent again blindly
    its worker is gone            -> uncertain (services/fleet.py)

Why one at a time: of a batch marked `sending`, a crash makes the unsent ones uncertain too.
"""

from collections.abc import Callable

from mailflow.core.delivery import OutboxState, next_attempt
from mailflow.core.ports import Clock, Submission
from mailflow.core.storage import OutboxEntry, Store
from mailflow.errors import ConnectionFailed, OutcomeUnknown, SubmissionError


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

    def deliver_one(self) -> OutboxState | None:
        """Send the next due answer. None where nothing may be sent now."""
        with self._store.unit() as unit:
            entry = unit.claim_outbox(self._clock.now(), self._per_minute)
        if entry is None:
            return None
        try:
            accepted = self._submission.submit(entry.message)
        except OutcomeUnknown as error:
            return self._finish(entry, OutboxState.UNCERTAIN, error)
        except Exception as error:  # noqa: BLE001 - the edge of one answer: recorded in its row
            return self._finish_failed(entry, error)
        return self._finish(entry, OutboxState.SENT, reply_code=accepted.reply_code)

    def close(self) -> None:
        """Say goodbye to the mail server. Call it in the thread that delivers."""
        self._submission.close()

    def _finish_failed(self, entry: OutboxEntry, error: Exception) -> OutboxState:
        if not isinstance(error, SubmissionError) and not _is_before_data(error):
            # Not from the mail server and not from connecting to it: nobody can say how far it came.
            return self._finish(entry, OutboxState.UNCERTAIN, error)
        now = self._clock.now()
        retry = next_attempt(error, entry.attempts, now, self._jitter())
        with self._store.unit() as unit:
            to = OutboxState.FAILED if retry.due_at is None else OutboxState.QUEUED
            code = error.reply_code if isinstance(error, SubmissionError) else None
            unit.finish_outbox(entry.id, to, now, due_at=retry.due_at, reply_code=code, error=retry.reason)
        return to

    def _finish(
        self, entry: OutboxEntry, to: OutboxState, error: Exception | None = None, reply_code: int | None = None
    ) -> OutboxState:
        code = error.reply_code if isinstance(error, SubmissionError) else reply_code
        text = f"{type(error).__name__}: {error}" if error else ""
        with self._store.unit() as unit:
            unit.finish_outbox(entry.id, to, self._clock.now(), due_at=None, reply_code=code, error=text)
        return to


def _is_before_data(error: Exception) -> bool:
    return isinstance(error, ConnectionFailed)
