"""Answers on their way out, and those that came back."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, update

from mailflow.adapters.sql.session import INBOUND, MUTE, OUTBOX, THREAD, Session
from mailflow.core.delivery import BOUNCE_WINDOW, InboundState, OutboxState, mute_until
from mailflow.core.message import Envelope, FailedRecipient, Origin, OutboundMessage
from mailflow.core.storage import OutboxEntry


class Outbox(Session):
    def claim_outbox(self, now: datetime) -> OutboxEntry | None:
        row = self._db.execute(
            select(OUTBOX)
            .where(OUTBOX.c.state == OutboxState.QUEUED, OUTBOX.c.due_at <= now)
            .order_by(OUTBOX.c.due_at, OUTBOX.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).first()
        if row is None or not self._move_outbox(
            row.id, OutboxState.QUEUED, OutboxState.SENDING, attempts=row.attempts + 1, claimed_at=now
        ):
            return None
        message = OutboundMessage(Envelope(row.reverse_path, row.recipient), row.message_id, row.subject, row.content)
        return OutboxEntry(row.id, row.attempts + 1, message)

    def finish_outbox(
        self,
        entry_id: int,
        to: OutboxState,
        now: datetime,
        *,
        due_at: datetime | None,
        reply_code: int | None,
        error: str,
    ) -> bool:
        values: dict[str, Any] = {"error": error, "reply_code": reply_code, "finished_at": now}
        if due_at is not None:
            values |= {"due_at": due_at, "finished_at": None}
        if not self._move_outbox(entry_id, OutboxState.SENDING, to, **values):
            return False
        self._tell_of_outbox(entry_id, to, error, now, "worker")
        return True

    def doubt_abandoned(self, claimed_before: datetime, now: datetime) -> int:
        ids = self._db.scalars(
            select(OUTBOX.c.id).where(OUTBOX.c.state == OutboxState.SENDING, OUTBOX.c.claimed_at < claimed_before)
        ).all()
        error = "the worker stopped while sending: it may or may not have gone out"
        for entry_id in ids:
            self.finish_outbox(entry_id, OutboxState.UNCERTAIN, now, due_at=None, reply_code=None, error=error)
        return len(ids)

    def retry_outbox(self, entry_id: int, now: datetime, actor: str) -> bool:
        for state in (OutboxState.FAILED, OutboxState.UNCERTAIN):
            if self._move_outbox(
                entry_id, state, OutboxState.QUEUED, attempts=0, due_at=now, finished_at=None, error=""
            ):
                self._tell_of_outbox(entry_id, OutboxState.QUEUED, f"was {state}", now, actor)
                return True
        return False

    def record_bounce(self, origin: Origin, now: datetime) -> int:
        returned = self._returned(origin, now)
        for row, failed in returned:
            self._give_back(row, failed, now)
        return len(returned)

    def _returned(self, origin: Origin, now: datetime) -> list[tuple[Row[Any], FailedRecipient]]:
        """Our answers that a bounce is about, each with what it says of its recipient."""
        ids = origin.returned_message_ids
        rows = self._db.execute(select(OUTBOX).where(OUTBOX.c.message_id.in_(ids))).all() if ids else []
        said = {one.addr_spec.lower(): one for one in origin.bounced}
        if rows:
            unsaid = next(iter(origin.bounced), FailedRecipient("", is_permanent=True))
            return [(row, said.get(row.recipient, unsaid)) for row in rows]
        newest = ((self._newest_to(address, now), failed) for address, failed in said.items())
        return [(row, failed) for row, failed in newest if row is not None]

    def _newest_to(self, address: str, now: datetime) -> Row[Any] | None:
        return self._db.execute(
            select(OUTBOX)
            .where(OUTBOX.c.recipient == address, OUTBOX.c.queued_at > now - BOUNCE_WINDOW)
            .order_by(OUTBOX.c.queued_at.desc())
            .limit(1)
        ).first()

    def _give_back(self, row: Row[Any], failed: FailedRecipient, now: datetime) -> None:
        sentence = f"mail to {row.recipient} {'came back' if failed.is_permanent else 'is delayed'}"
        reason = f"{sentence}: {failed.diagnostic}" if failed.diagnostic else sentence
        self._mute(row.recipient, now, mute_until(failed.is_permanent, now), reason)
        is_marked = failed.is_permanent and any(
            self._move_outbox(row.id, state, OutboxState.BOUNCED, error=reason)
            for state in (OutboxState.SENT, OutboxState.UNCERTAIN)
        )
        if is_marked:
            self._db.execute(update(THREAD).where(THREAD.c.id == row.thread_id).values(status="held", updated_at=now))
        self._tell(now, "worker", "bounced" if failed.is_permanent else "delayed", reason, row.thread_id, None)

    def _mute(self, address: str, now: datetime, until: datetime, reason: str) -> None:
        """Mute `address`; a longer mute that is there already stays."""
        values = {"since": now, "until": until, "reason": reason}
        self._db.execute(
            self._insert(MUTE)
            .values(address=address, **values)
            .on_conflict_do_update(index_elements=["address"], set_=values, where=MUTE.c.until < until)
        )

    def next_due(self) -> datetime | None:
        waiting = (
            select(func.min(INBOUND.c.due_at)).where(INBOUND.c.state == InboundState.RECEIVED),
            select(func.min(OUTBOX.c.due_at)).where(OUTBOX.c.state == OutboxState.QUEUED),
        )
        times = [due for query in waiting if (due := self._db.scalar(query)) is not None]
        return min(times, default=None)
