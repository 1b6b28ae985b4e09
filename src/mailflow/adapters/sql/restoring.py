"""What a restored store must not believe. The rule: adapters/backup.py."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update

from mailflow.adapters.sql.outbox import Outbox
from mailflow.adapters.sql.session import CHORE, HOOK, INBOUND, OUTBOX, SIGN_IN, THREAD
from mailflow.core.delivery import InboundState, OutboxKind, OutboxState

_RESTORED = "restored"
NUMBERS_LEFT_OUT = 10_000


@dataclass(frozen=True, slots=True)
class Doubted:
    """What is not taken up where the backup left it."""

    answers: int
    """That waited or were being sent, and are uncertain now."""
    digests: int
    mails: int
    """That wait to be decided, and go to a person."""
    calls: int
    """To other systems."""
    sign_ins: int


class Restoring(Outbox):
    _restored_at: datetime | None = None
    _is_known = False

    def restored(self, inbound_id: int, date: datetime | None) -> str:
        if not self._is_known:
            self._restored_at = self._db.scalar(select(CHORE.c.done_at).where(CHORE.c.name == _RESTORED))
            self._is_known = True
        if self._restored_at is None:
            return ""
        came = self._db.scalar(select(INBOUND.c.internal_date).where(INBOUND.c.id == inbound_id)) or date
        if came is not None and came > self._restored_at:
            return ""
        return f"it came before the store was restored ({self._restored_at:%Y-%m-%d %H:%M} UTC)"

    def begin_anew(self, made_at: datetime, now: datetime, actor: str) -> Doubted:
        """Take nothing up where the backup of `made_at` left it."""
        why = f"restored from the backup of {made_at:%Y-%m-%d %H:%M} UTC"
        doubted = Doubted(
            answers=self._doubt_answers(f"{why}: it may have gone out since", now, actor),
            digests=self._run(
                update(OUTBOX)
                .where(
                    OUTBOX.c.kind == OutboxKind.DIGEST, OUTBOX.c.state.in_([OutboxState.QUEUED, OutboxState.SENDING])
                )
                .values(state=OutboxState.CANCELLED, finished_at=now, error=why)
            ),
            mails=self._db.scalar(
                select(func.count())
                .select_from(INBOUND)
                .where(INBOUND.c.state.in_([InboundState.RECEIVED, InboundState.PROCESSING]))
            )
            or 0,
            calls=self._run(
                update(HOOK)
                .where(HOOK.c.state.in_(["queued", "sending"]))
                .values(state="failed", error=f"{why}: it may have been made since")
            ),
            sign_ins=self._run(delete(SIGN_IN)),
        )
        self._db.execute(
            update(OUTBOX)
            .where(OUTBOX.c.state == OutboxState.FAILED)
            .values(error=OUTBOX.c.error + f" ({why}: a person may have sent it since)")
        )
        self._leave_out_numbers(why, now)
        mark = self._insert(CHORE).values(name=_RESTORED, done_at=now)
        self._db.execute(mark.on_conflict_do_update(index_elements=["name"], set_={"done_at": now}))
        self._tell(now, actor, _RESTORED, why, None, None)
        return doubted

    def _doubt_answers(self, error: str, now: datetime, actor: str) -> int:
        waiting = OUTBOX.c.state.in_([OutboxState.QUEUED, OutboxState.SENDING]) & (OUTBOX.c.kind != OutboxKind.DIGEST)
        ids = self._db.scalars(select(OUTBOX.c.id).where(waiting)).all()
        for entry_id in ids:
            self._db.execute(
                update(OUTBOX)
                .where(OUTBOX.c.id == entry_id)
                .values(state=OutboxState.UNCERTAIN, finished_at=now, claimed_by="", error=error)
            )
            self._mark_trouble(entry_id, OutboxState.UNCERTAIN.value, now)
            self._tell_of_outbox(entry_id, OutboxState.UNCERTAIN, error, now, actor)
        return len(ids)

    def _leave_out_numbers(self, why: str, now: datetime) -> None:
        """An empty thread far above the highest: the numbers between were given to threads that are lost."""
        highest = self._db.scalar(select(func.max(THREAD.c.id))) or 0
        self._insert_row(
            THREAD,
            id=highest + NUMBERS_LEFT_OUT,
            subject=f"(numbers left out: {why})",
            subject_key="",
            requester="",
            language="",
            status="closed",
            queue="",
            priority="low",
            created_at=now,
            updated_at=now,
        )
        if self._db.dialect.name == "postgresql":
            self._db.execute(
                select(func.setval(func.pg_get_serial_sequence("thread", "id"), highest + NUMBERS_LEFT_OUT))
            )
