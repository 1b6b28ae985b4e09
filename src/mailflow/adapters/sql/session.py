"""One connection inside one transaction, and one place for each kind of write. Base of the parts of a unit.

Rule: a state changes only by compare-and-set along core.delivery's transition tables, and what a worker has claimed
only by that worker.
Rule: what happens to a mail is written beside it as an audit event, in the same transaction.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, CursorResult, Table, func, literal_column, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel
from sqlmodel.main import SQLModelMetaclass

from mailflow.adapters import tables
from mailflow.adapters.keyring import NO_KEYS, Keyring
from mailflow.core.delivery import (
    FINAL_INBOUND,
    INBOUND_TRANSITIONS,
    LONGEST_AHEAD,
    OUTBOX_TRANSITIONS,
    InboundState,
    OutboxKind,
    OutboxState,
)
from mailflow.core.fleet import Role
from mailflow.core.hooks import NOBODY, HookEvent, HookState, Listener, ThreadFacts, body_of, wanting
from mailflow.errors import IllegalTransition


def _table(row: SQLModelMetaclass) -> Table:
    return SQLModel.metadata.tables[str(row.__dict__["__tablename__"])]


RAW, RAW_SLICE = map(_table, (tables.RawRow, tables.RawSliceRow))
CURSOR, INBOUND = map(_table, (tables.CursorRow, tables.InboundRow))
THREAD, MESSAGE, CLASSIFICATION = map(_table, (tables.ThreadRow, tables.MessageRow, tables.ClassificationRow))
DECISION, OUTBOX, AUDIT = map(_table, (tables.DecisionRow, tables.OutboxRow, tables.AuditRow))
MUTE, PARTNER, PARTNER_IMPORT = map(_table, (tables.MuteRow, tables.PartnerRow, tables.PartnerImportRow))
SECRET, TOMBSTONE = _table(tables.SecretRow), _table(tables.TombstoneRow)
RECEIPT, PERMIT = _table(tables.ReceiptRow), _table(tables.PermitRow)
NOTE, DRAFT, CORRECTION = map(_table, (tables.NoteRow, tables.DraftRow, tables.CorrectionRow))
SAVED_VIEW, PRESENCE, ACCOUNT = map(_table, (tables.SavedViewRow, tables.PresenceRow, tables.AccountRow))
SIGN_IN, ATTEMPT, HOOK = map(_table, (tables.SignInRow, tables.AttemptRow, tables.HookRow))
WORKER, LEASE, CHORE = map(_table, (tables.WorkerRow, tables.LeaseRow, tables.ChoreRow))


def says(column: ColumnElement[Any], *values: str) -> ColumnElement[bool]:
    """`column` has one of `values`, written out and not bound.

    Why: a partial index is taken only by a query that says the very words of its condition; whoever plans a statement
    with a parameter cannot know that it will.
    """
    if not all(value.isidentifier() for value in values):
        raise AssertionError(f"not states: {values}")
    written: list[ColumnElement[str]] = [literal_column(f"'{value}'") for value in values]
    return column == written[0] if len(written) == 1 else column.in_(written)


def is_due(column: ColumnElement[datetime], now: datetime) -> ColumnElement[bool]:
    """Also what is due further ahead than anything waits: the clock has been set back since.

    Why so: of `<= now OR > ahead` a planner makes two searches and a sort of all that is due.
    """
    return ~((column > now) & (column <= now + LONGEST_AHEAD))


@dataclass(frozen=True, slots=True)
class Call:
    """To the workers of a role: there is something due."""

    role: Role
    due_at: datetime | None = None
    """None: now."""


class Session:
    def __init__(
        self,
        connection: Connection,
        holder: str = "",
        keys: Keyring = NO_KEYS,
        listeners: tuple[Listener, ...] = NOBODY,
    ) -> None:
        """`holder`: the id of the worker that claims; '' for whoever only looks or asks. `keys` seal raw mail.

        `listeners` hear of what happens to threads.
        """
        self._db, self._holder, self._keys, self._listeners = connection, holder, keys, listeners
        self.calls: set[Call] = set()
        """What this unit has made due, told to the workers when it commits."""
        self._insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert

    def _lock(self, key: int) -> None:
        """To the end of the transaction nobody else has `key`. SQLite has one writer at a time as it is."""
        if self._db.dialect.name == "postgresql":
            self._db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})

    def _move(self, to: InboundState, inbound_id: int, **values: Any) -> None:
        """Compare-and-set from `processing`, the only state in which a mail is worked on."""
        if to not in INBOUND_TRANSITIONS[InboundState.PROCESSING]:
            raise IllegalTransition(f"inbound: processing -> {to}")
        moved = self._run(
            update(INBOUND)
            .where(
                INBOUND.c.id == inbound_id,
                INBOUND.c.state == InboundState.PROCESSING,
                INBOUND.c.claimed_by == self._holder,
            )
            .values(state=to, **values)
        )
        if not moved:
            raise IllegalTransition(f"inbound {inbound_id} is not being processed any more: another worker has it")
        if to in FINAL_INBOUND:
            self.calls.add(Call(Role.FETCH))

    def _move_outbox(self, entry_id: int, from_: OutboxState, to: OutboxState, **values: Any) -> bool:
        if to not in OUTBOX_TRANSITIONS[from_]:
            raise IllegalTransition(f"outbox: {from_} -> {to}")
        where = (OUTBOX.c.id == entry_id) & (OUTBOX.c.state == from_)
        if from_ is OutboxState.SENDING:
            where &= OUTBOX.c.claimed_by == self._holder
        if to is OutboxState.QUEUED:
            self.calls.add(Call(Role.SEND, values.get("due_at")))
        return bool(self._run(update(OUTBOX).where(where).values(state=to, **values)))

    def _tell(
        self, at: datetime, actor: str, kind: str, sentence: str, thread: int | None, inbound: int | None
    ) -> None:
        self._insert_row(AUDIT, at=at, actor=actor, kind=kind, thread_id=thread, inbound_id=inbound, sentence=sentence)

    def _tell_of_outbox(self, entry_id: int, to: OutboxState, error: str, now: datetime, actor: str) -> None:
        row = self._db.execute(
            select(OUTBOX.c.thread_id, OUTBOX.c.recipient, OUTBOX.c.kind).where(OUTBOX.c.id == entry_id)
        ).one()
        what = "digest" if row.kind == OutboxKind.DIGEST else "answer"
        sentence = f"{what} to {row.recipient}" + (f": {error}" if error else "")
        self._tell(now, actor, to.value, sentence, row.thread_id, None)
        if to is OutboxState.SENT and row.thread_id is not None:
            self._call_out(HookEvent.ANSWERED, row.thread_id, now)

    def _call_out(self, event: HookEvent, thread_id: int, now: datetime) -> None:
        """Queue a call to each that wants to hear of it."""
        names = wanting(self._listeners, event)
        row = self._db.execute(select(THREAD).where(THREAD.c.id == thread_id)).first() if names else None
        if row is None:
            return
        facts = ThreadFacts(row.id, row.status, row.queue, row.priority, row.intent, row.reason, row.language)
        for name in names:
            self._insert_row(
                HOOK,
                receiver=name,
                event=event.value,
                thread_id=thread_id,
                body=body_of(event, facts, now),
                state=HookState.QUEUED.value,
                at=now,
                due_at=now,
            )

    def _insert_row(self, table: Any, **values: Any) -> int:
        # values as parameters: a statement that names its values is built anew each time, four times as dear
        key = self._db.execute(table.insert(), values).inserted_primary_key
        return int(key[0]) if key is not None else 0

    def _overwrite_what_is_deleted(self) -> None:
        """On SQLite, with zeros, from here on."""
        if self._db.dialect.name == "sqlite":
            self._db.exec_driver_sql("PRAGMA secure_delete = ON").close()

    def _run(self, statement: Any) -> int:
        """How many rows it changed."""
        result = self._db.execute(statement, execution_options={"preserve_rowcount": True})
        return result.rowcount if isinstance(result, CursorResult) else 0

    def _tally(self, column: Any) -> dict[str, int]:
        """How many rows have each value of `column`."""
        rows = self._db.execute(select(column, func.count()).group_by(column))
        return {row[0]: row[1] for row in rows}

    def _count(self, condition: Any) -> int:
        return self._db.scalar(select(func.count()).select_from(OUTBOX).where(condition)) or 0
