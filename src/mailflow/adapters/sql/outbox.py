"""Answers on their way out, and those that came back."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, exists, func, select, update
from sqlalchemy.exc import IntegrityError

from mailflow.adapters.sql.session import INBOUND, MESSAGE, MUTE, OUTBOX, THREAD, Call, Session, is_due, says
from mailflow.core.delivery import BOUNCE_WINDOW, OWN_COPY, InboundState, OutboxKind, OutboxState, mute_until
from mailflow.core.fleet import Role
from mailflow.core.hooks import HookEvent
from mailflow.core.message import Envelope, FailedRecipient, Origin, OutboundMessage
from mailflow.core.storage import OutboxEntry

_TROUBLES = (OutboxState.FAILED, OutboxState.UNCERTAIN)
TROUBLED = (*_TROUBLES, OutboxState.BOUNCED)
"""What the thread of an answer shows."""
_CLAIMING = 4_937_283_002
"""The advisory lock of whoever counts the tries of the last minute and adds one."""


class Outbox(Session):
    def claim_outbox(self, now: datetime, per_minute: int | None = None) -> OutboxEntry | None:
        if per_minute is not None:
            self._lock(_CLAIMING)
            minute = timedelta(minutes=1)
            # up to a minute ahead: clocks differ; what lies further ahead is of a clock that has been set right
            if self._count(OUTBOX.c.claimed_at.between(now - minute, now + minute)) >= per_minute:
                return None
        busy = OUTBOX.alias()
        is_free = ~exists().where(busy.c.recipient == OUTBOX.c.recipient, says(busy.c.state, OutboxState.SENDING))
        row = self._db.execute(
            select(OUTBOX)
            .where(says(OUTBOX.c.state, OutboxState.QUEUED), is_due(OUTBOX.c.due_at, now), is_free)
            .order_by(OUTBOX.c.due_at, OUTBOX.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).first()
        if row is None:
            return None
        claim = {"attempts": row.attempts + 1, "claimed_at": now, "claimed_by": self._holder}
        try:
            with self._db.begin_nested():
                self._move_outbox(row.id, OutboxState.QUEUED, OutboxState.SENDING, **claim)
        except IntegrityError:
            return None  # uq_outbox_sending: another worker writes to this recipient since a moment ago
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
        if to in _TROUBLES:
            self._mark_trouble(entry_id, to.value, now)
        elif to is OutboxState.SENT:
            self._outdate_who_saw_it_wait(entry_id)
        self._tell_of_outbox(entry_id, to, error, now, "worker")
        if to is OutboxState.UNCERTAIN:
            self._look_for_own_copy(entry_id, now)
        return True

    def _outdate_who_saw_it_wait(self, entry_id: int) -> None:
        """Why: whoever answers a thread whose automatic answer waits replaces it, and this one has left."""
        of = select(OUTBOX.c.thread_id).where(OUTBOX.c.id == entry_id, OUTBOX.c.kind == OutboxKind.AUTOMATIC)
        left = THREAD.c.id == of.scalar_subquery()
        self._db.execute(update(THREAD).where(left).values(version=THREAD.c.version + 1))

    def _look_for_own_copy(self, entry_id: int, now: datetime) -> None:
        """Of what has just become uncertain.

        Why now: a copy comes back within a second; that a reply is lost or a worker gone is noticed later.
        """
        message_id = self._db.scalar(select(OUTBOX.c.message_id).where(OUTBOX.c.id == entry_id))
        came_in = exists().where(MESSAGE.c.message_id == message_id, MESSAGE.c.direction == "in")
        if message_id is not None and self._db.scalar(select(came_in)):
            self.prove_sent([message_id], OWN_COPY, now)

    def give_up(self, now: datetime) -> int:
        return self._doubt(OUTBOX.c.claimed_by == self._holder, now)

    def _doubt(self, whose: ColumnElement[bool], now: datetime) -> int:
        """Answers in `sending` whose worker is gone. Returns how many."""
        left = (says(OUTBOX.c.state, OutboxState.SENDING)) & whose
        error = "the worker stopped while sending: it may or may not have gone out"
        doubted = 0
        for entry_id in self._db.scalars(select(OUTBOX.c.id).where(left).with_for_update()).all():
            values = {"state": OutboxState.UNCERTAIN, "finished_at": now, "error": error}
            if self._run(update(OUTBOX).where(OUTBOX.c.id == entry_id, left).values(values)):
                self._mark_trouble(entry_id, OutboxState.UNCERTAIN.value, now)
                self._tell_of_outbox(entry_id, OutboxState.UNCERTAIN, error, now, "worker")
                self._look_for_own_copy(entry_id, now)
                doubted += 1
        return doubted

    def _mark_trouble(self, entry_id: int, trouble: str, now: datetime) -> None:
        """Let the thread of an answer show that it did not arrive for sure; '' that this is over."""
        of = select(OUTBOX.c.thread_id).where(OUTBOX.c.id == entry_id).scalar_subquery()
        values = {"trouble": trouble, "version": THREAD.c.version + 1} | ({"due_at": now} if trouble else {})
        self._db.execute(update(THREAD).where(THREAD.c.id == of).values(values))

    def retry_outbox(self, entry_id: int, now: datetime, actor: str) -> bool:
        for state in (OutboxState.FAILED, OutboxState.UNCERTAIN):
            if self._move_outbox(
                entry_id, state, OutboxState.QUEUED, attempts=0, due_at=now, finished_at=None, error=""
            ):
                self._mark_trouble(entry_id, "", now)
                self._tell_of_outbox(entry_id, OutboxState.QUEUED, f"was {state}", now, actor)
                return True
        return False

    def cancel_outbox(self, entry_id: int, now: datetime, actor: str) -> bool:
        for state in (OutboxState.QUEUED, OutboxState.FAILED, OutboxState.UNCERTAIN):
            if self._move_outbox(entry_id, state, OutboxState.CANCELLED, finished_at=now):
                thread_id = self._db.scalar(select(OUTBOX.c.thread_id).where(OUTBOX.c.id == entry_id))
                self._hold(thread_id, now)
                self._mark_trouble(entry_id, "", now)
                self._tell_of_outbox(entry_id, OutboxState.CANCELLED, f"was {state}", now, actor)
                return True
        return False

    def confirm_outbox(self, entry_id: int, now: datetime, actor: str) -> bool:
        done = self._move_outbox(entry_id, OutboxState.UNCERTAIN, OutboxState.SENT, finished_at=now, error="")
        if done:
            self._mark_trouble(entry_id, "", now)
            self._tell_of_outbox(entry_id, OutboxState.SENT, "a person says that it arrived", now, actor)
        return done

    def prove_sent(self, message_ids: Sequence[str], evidence: str, now: datetime) -> int:
        if not message_ids:
            return 0
        found = OUTBOX.c.message_id.in_(message_ids) & (says(OUTBOX.c.state, OutboxState.UNCERTAIN))
        proved = 0
        for entry_id in self._db.scalars(select(OUTBOX.c.id).where(found)).all():
            if self._move_outbox(entry_id, OutboxState.UNCERTAIN, OutboxState.SENT, error=""):
                self._mark_trouble(entry_id, "", now)
                self._tell_of_outbox(entry_id, OutboxState.SENT, evidence, now, "worker")
                proved += 1
        return proved

    def uncertain(self, since: datetime) -> list[str]:
        return list(
            self._db.scalars(
                select(OUTBOX.c.message_id)
                .where(says(OUTBOX.c.state, OutboxState.UNCERTAIN), OUTBOX.c.finished_at > since)
                .order_by(OUTBOX.c.id)
            )
        )

    def enqueue_digest(self, message: OutboundMessage, now: datetime) -> bool:
        recipient = message.envelope.forward_path.lower()
        done = self._run(
            self._insert(OUTBOX)
            .values(
                kind=OutboxKind.DIGEST,
                message_id=message.message_id,
                reverse_path=message.envelope.reverse_path,
                recipient=recipient,
                recipient_domain=recipient.rpartition("@")[2],
                subject=message.subject,
                intents=[],
                content=message.content,
                state=OutboxState.QUEUED,
                attempts=0,
                queued_at=now,
                due_at=now,
                error="",
                claimed_by="",
            )
            .on_conflict_do_nothing(index_elements=["message_id"])
        )
        if done:
            self.calls.add(Call(Role.SEND))
        return bool(done)

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
            self._hold(row.thread_id, now)
            self._mark_trouble(row.id, OutboxState.BOUNCED.value, now)
        self._tell(now, "worker", "bounced" if failed.is_permanent else "delayed", reason, row.thread_id, None)

    def _hold(self, thread_id: int | None, now: datetime) -> None:
        was = self._db.scalar(select(THREAD.c.status).where(THREAD.c.id == thread_id)) if self._listeners else None
        self._db.execute(
            update(THREAD).where(THREAD.c.id == thread_id).values(status="held", updated_at=now, due_at=now)
        )
        if thread_id is not None and was not in (None, "held"):
            self._call_out(HookEvent.HELD, thread_id, now)

    def _mute(self, address: str, now: datetime, until: datetime, reason: str) -> None:
        """Mute `address`; a longer mute that is there already stays."""
        values = {"since": now, "until": until, "reason": reason}
        self._db.execute(
            self._insert(MUTE)
            .values(address=address, **values)
            .on_conflict_do_update(index_elements=["address"], set_=values, where=MUTE.c.until < until)
        )

    def next_due(self, role: Role | None = None) -> datetime | None:
        waiting = {
            Role.PROCESS: select(func.min(INBOUND.c.due_at)).where(says(INBOUND.c.state, InboundState.RECEIVED)),
            Role.SEND: select(func.min(OUTBOX.c.due_at)).where(says(OUTBOX.c.state, OutboxState.QUEUED)),
        }
        wanted = waiting.values() if role is None else [waiting[role]]
        times = [due for query in wanted if (due := self._db.scalar(query)) is not None]
        return min(times, default=None)
