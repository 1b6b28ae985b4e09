"""The Store port on SQL: SQLite by default, PostgreSQL the same.

Rules obeyed here:
- A state changes only by compare-and-set along core.delivery's transition tables (`_move`).
- SQLite runs in WAL with synchronous=FULL and BEGIN IMMEDIATE: a commit that said yes survives a power cut, and a
  writer waits for its turn instead of failing at once with SQLITE_BUSY_SNAPSHOT.
- What happens to a mail is written beside it as an audit event, in the same transaction.

Why Core statements and not ORM objects: they cost half, and no attribute can be read from an expired row.
"""

import hashlib
import json
import secrets
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine, create_engine, event, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlmodel import SQLModel

from mailflow.adapters.rows import (
    answer_part,
    decided_mail,
    mail_ref,
    message_view,
    parsed_document,
    thread_summary,
)
from mailflow.adapters.tables import (
    AuditRow,
    ClassificationRow,
    CursorRow,
    DecisionRow,
    InboundRow,
    MessageRow,
    OutboxRow,
    RawRow,
    SecretRow,
    ThreadRow,
)
from mailflow.core.classification import Action, Classification
from mailflow.core.delivery import INBOUND_TRANSITIONS, OUTBOX_TRANSITIONS, InboundState, OutboxState
from mailflow.core.message import Address, Envelope, OutboundMessage, RawMessage
from mailflow.core.policy import History, SentRecord
from mailflow.core.ports import Batch, Cursor, Disposition
from mailflow.core.storage import (
    ClaimedMail,
    Counts,
    DecidedMail,
    KnownMail,
    OutboxEntry,
    OutboxView,
    Outcome,
    QuarantineView,
    Recorded,
    StoryLine,
    ThreadMatch,
    ThreadStory,
    ThreadSummary,
    Unacknowledged,
)
from mailflow.errors import IllegalTransition, StoreError

_raw, _cursor, _inbound, _thread, _message, _classification, _decision, _outbox, _audit, _secret = (
    SQLModel.metadata.tables[row.__tablename__]
    for row in (
        RawRow,
        CursorRow,
        InboundRow,
        ThreadRow,
        MessageRow,
        ClassificationRow,
        DecisionRow,
        OutboxRow,
        AuditRow,
        SecretRow,
    )
)
_STATUS = {Action.REPLY: "answered", Action.REVIEW: "held", Action.NONE: "ignored"}
_DISPOSITION = {
    InboundState.DONE: Disposition.PROCESSED,
    InboundState.DUPLICATE: Disposition.PROCESSED,
    InboundState.QUARANTINED: Disposition.FAILED,
}


def open_engine(url: str) -> Engine:
    """An engine with the pragmas that mailflow needs. Raises StoreError with what to change."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError("[store] url is not a database URL, try sqlite:///mailflow.sqlite3") from error
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(f"[store] url: {parsed.get_backend_name()} is not supported, use sqlite or postgresql+psycopg")
    engine = create_engine(parsed, json_serializer=_dump_json)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin_immediate)
    return engine


def _dump_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _set_pragmas(connection: Any, _: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


class SqlStore:
    """Implements core.storage.Store."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def unit(self) -> Iterator["SqlUnit"]:
        try:
            with self.engine.begin() as connection:
                yield SqlUnit(connection)
        except OperationalError as error:
            raise StoreError(f"the database refused: {error.orig}") from error

    def key(self, name: str) -> bytes:
        with self.unit() as unit:
            return unit.key(name)

    def close(self) -> None:
        self.engine.dispose()


class SqlUnit:
    """Implements core.storage.Unit on one connection inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection
        self._insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert

    # ------------------------------------------------------------------ the mailbox

    def cursor(self, account: str, mailbox: str) -> Cursor | None:
        row = self._db.execute(
            select(_cursor.c.uid_validity, _cursor.c.last_uid).where(
                _cursor.c.account == account, _cursor.c.mailbox == mailbox
            )
        ).first()
        return Cursor(row.uid_validity, row.last_uid) if row else None

    def record(self, account: str, mailbox: str, batch: Batch, now: datetime) -> Recorded:
        outcomes = [self._record_one(raw, now) for raw in batch.messages]
        if batch.cursor is not None:
            values = {"uid_validity": batch.cursor.uid_validity, "last_uid": batch.cursor.last_uid}
            insert = self._insert(_cursor).values(account=account, mailbox=mailbox, **values)
            self._db.execute(insert.on_conflict_do_update(index_elements=["account", "mailbox"], set_=values))
        return Recorded(outcomes.count("new"), outcomes.count("known"), outcomes.count("copy"))

    def _record_one(self, raw: RawMessage, now: datetime) -> str:
        sha256 = hashlib.sha256(raw.content).hexdigest()
        is_new = self._run(
            self._insert(_raw)
            .values(sha256=sha256, size=len(raw.content), full_size=raw.size, content=zlib.compress(raw.content, 6))
            .on_conflict_do_nothing()
        )
        state = InboundState.RECEIVED if is_new else InboundState.DUPLICATE
        stored = self._run(
            self._insert(_inbound)
            .values(
                account=raw.ref.account,
                mailbox=raw.ref.mailbox,
                uid_validity=raw.ref.uid_validity,
                uid=raw.ref.uid,
                sha256=sha256,
                internal_date=raw.internal_date,
                received_at=now,
                due_at=now,
                state=state,
                attempts=0,
                error="" if is_new else "the same bytes were stored before",
            )
            .on_conflict_do_nothing()
        )
        return "known" if not stored else "new" if is_new else "copy"

    def unacknowledged(self, account: str, mailbox: str, limit: int) -> list[Unacknowledged]:
        rows = self._db.execute(
            select(_inbound)
            .where(
                _inbound.c.account == account,
                _inbound.c.mailbox == mailbox,
                _inbound.c.acknowledged_at.is_(None),
                _inbound.c.state.in_([state.value for state in _DISPOSITION]),
            )
            .order_by(_inbound.c.id)
            .limit(limit)
        )
        return [Unacknowledged(row.id, mail_ref(row), _DISPOSITION[InboundState(row.state)]) for row in rows]

    def mark_acknowledged(self, inbound_ids: Sequence[int], now: datetime) -> None:
        self._db.execute(update(_inbound).where(_inbound.c.id.in_(inbound_ids)).values(acknowledged_at=now))

    # ------------------------------------------------------------------ the work on a mail

    def claim_inbound(self, now: datetime, limit: int) -> list[ClaimedMail]:
        rows = self._db.execute(
            select(_inbound, _raw.c.content, _raw.c.full_size)
            .join(_raw, _raw.c.sha256 == _inbound.c.sha256)
            .where(_inbound.c.state == InboundState.RECEIVED, _inbound.c.due_at <= now)
            .order_by(_inbound.c.due_at, _inbound.c.id)
            .limit(limit)
            .with_for_update(of=_inbound, skip_locked=True)
        ).all()
        self._db.execute(
            update(_inbound)
            .where(_inbound.c.id.in_([row.id for row in rows]), _inbound.c.state == InboundState.RECEIVED)
            .values(state=InboundState.PROCESSING, attempts=_inbound.c.attempts + 1, claimed_at=now)
        )
        return [
            ClaimedMail(
                row.id,
                row.attempts + 1,
                RawMessage(mail_ref(row), zlib.decompress(row.content), row.internal_date, row.full_size),
                row.sha256,
            )
            for row in rows
        ]

    def reclaim_abandoned(self, claimed_before: datetime) -> int:
        return self._run(
            update(_inbound)
            .where(_inbound.c.state == InboundState.PROCESSING, _inbound.c.claimed_at < claimed_before)
            .values(state=InboundState.RECEIVED)
        )

    def find_thread(self, message_ids: Sequence[str]) -> ThreadMatch | None:
        if not message_ids:
            return None
        rows = self._db.execute(
            select(_message.c.message_id, _thread.c.id, _thread.c.requester)
            .join(_thread, _thread.c.id == _message.c.thread_id)
            .where(_message.c.message_id.in_(message_ids))
            .order_by(_message.c.id)
        )
        found = {row.message_id: ThreadMatch(row.id, row.requester) for row in rows}
        return next((found[one] for one in message_ids if one in found), None)

    def thread_match(self, thread_id: int) -> ThreadMatch | None:
        row = self._db.execute(select(_thread.c.id, _thread.c.requester).where(_thread.c.id == thread_id)).first()
        return ThreadMatch(row.id, row.requester) if row else None

    def known(self, message_id: str, dedup_key: str) -> KnownMail:
        rows = self._db.execute(
            select(_message.c.id, _message.c.dedup_key).where(_message.c.message_id == message_id)
        ).all()
        copy_of = next((row.id for row in rows if row.dedup_key == dedup_key), None)
        return KnownMail(copy_of, bool(rows) and copy_of is None)

    def history(self, recipient: Address | None, thread_id: int | None, now: datetime) -> History:
        counted = _outbox.c.state.not_in([OutboxState.CANCELLED, OutboxState.FAILED])
        hour, day = now - timedelta(hours=1), now - timedelta(days=1)
        in_thread = self._count(counted & (_outbox.c.thread_id == thread_id)) if thread_id else 0
        desk = self._count(counted & (_outbox.c.queued_at > hour))
        if recipient is None:
            return History(thread_id is not None, in_thread, sent_by_desk_hour=desk)
        sent = self._db.execute(
            select(_outbox.c.queued_at, _outbox.c.intents)
            .where(counted, _outbox.c.recipient == recipient.addr_spec.lower(), _outbox.c.queued_at > day)
            .order_by(_outbox.c.queued_at.desc())
        )
        return History(
            is_known_thread=thread_id is not None,
            answers_in_thread=in_thread,
            sent_to_sender=tuple(SentRecord(row.queued_at, frozenset(row.intents)) for row in sent),
            sent_to_domain_hour=self._count(
                counted & (_outbox.c.recipient_domain == recipient.domain) & (_outbox.c.queued_at > hour)
            ),
            sent_by_desk_hour=desk,
        )

    def open_thread(self, subject: str, requester: str, now: datetime) -> int:
        return self._insert_row(
            _thread,
            subject=subject,
            requester=requester.lower(),
            status="open",
            queue="review",
            priority="normal",
            created_at=now,
            updated_at=now,
        )

    def save(self, outcome: Outcome, now: datetime) -> None:
        message_id = self._save_message(outcome, now)
        self._save_classification(message_id, outcome.classification)
        decision_id = self._save_decision(message_id, outcome, now)
        if outcome.answer is not None:
            self._enqueue(decision_id, outcome, outcome.answer, now)
        self._db.execute(
            update(_thread)
            .where(_thread.c.id == outcome.thread_id)
            .values(
                status=_STATUS[outcome.decision.action],
                queue=outcome.decision.queue,
                priority=outcome.decision.priority,
                updated_at=now,
            )
        )
        self._move(InboundState.DONE, outcome.inbound_id, message_id=message_id)

    def _save_message(self, outcome: Outcome, now: datetime) -> int:
        message = outcome.understood.message
        from_addr = message.from_.addr_spec if message.from_ else ""
        self._tell(
            now, "worker", "received", f"mail from {from_addr or 'nobody'}", outcome.thread_id, outcome.inbound_id
        )
        return self._insert_row(
            _message,
            thread_id=outcome.thread_id,
            direction="in",
            dedup_key=outcome.dedup_key,
            message_id=message.message_id,
            from_addr=from_addr,
            subject=message.subject,
            date=message.date,
            stored_at=now,
            sha256=outcome.sha256,
            text=message.text,
            parsed=parsed_document(outcome),
        )

    def _save_classification(self, message_id: int, classification: Classification) -> None:
        primary, runner_up = classification.primary, classification.runner_up
        self._insert_row(
            _classification,
            message_id=message_id,
            model_version=classification.model_version,
            primary_intent=primary.intent if primary else "",
            abstained=classification.abstained,
            intents=[
                {
                    "intent": score.intent,
                    "confidence": round(score.confidence, 4),
                    "evidence": [{"text": one.text, "weight": round(one.weight, 4)} for one in score.evidence],
                }
                for score in classification.intents
            ],
            actions={action.value: round(getattr(classification.actions, action.value), 4) for action in Action},
            runner_up={"intent": runner_up.intent, "confidence": round(runner_up.confidence, 4)} if runner_up else None,
            role=classification.role.value,
        )

    def _save_decision(self, message_id: int, outcome: Outcome, now: datetime) -> int:
        decision = outcome.decision
        first = decision.reasons[0].sentence if decision.reasons else ""
        self._tell(now, "policy", f"decided {decision.action}", first, outcome.thread_id, outcome.inbound_id)
        return self._insert_row(
            _decision,
            message_id=message_id,
            action=decision.action.value,
            queue=decision.queue,
            priority=decision.priority,
            reasons=[{"code": reason.code, "sentence": reason.sentence} for reason in decision.reasons],
            answers=[answer_part(part) for part in decision.answers],
            draft=[answer_part(part) for part in decision.draft],
            policy_version=decision.policy_version,
            model_version=decision.model_version,
            decided_at=now,
        )

    def _enqueue(self, decision_id: int, outcome: Outcome, answer: OutboundMessage, now: datetime) -> None:
        recipient = answer.envelope.forward_path.lower()
        self._insert_row(
            _outbox,
            decision_id=decision_id,
            thread_id=outcome.thread_id,
            message_id=answer.message_id,
            reverse_path=answer.envelope.reverse_path,
            recipient=recipient,
            recipient_domain=recipient.rpartition("@")[2],
            subject=answer.subject,
            intents=[part.intent for part in outcome.decision.answers],
            content=answer.content,
            state=OutboxState.QUEUED.value,
            attempts=0,
            queued_at=now,
            due_at=now,
        )
        self._insert_row(
            _message,
            thread_id=outcome.thread_id,
            direction="out",
            dedup_key=hashlib.sha256(answer.message_id.encode()).hexdigest(),
            message_id=answer.message_id,
            from_addr=answer.envelope.reverse_path,
            subject=answer.subject,
            date=now,
            stored_at=now,
            text=answer.text,
            parsed={},
        )
        self._tell(now, "worker", "queued", f"answer to {recipient}", outcome.thread_id, outcome.inbound_id)

    def mark_copy(self, inbound_id: int, copy_of: int, now: datetime) -> None:
        self._move(InboundState.DUPLICATE, inbound_id, message_id=copy_of, error="the same mail was stored before")
        self._tell(now, "worker", "copy", f"a second copy of message {copy_of}", None, inbound_id)

    def postpone(self, inbound_id: int, due_at: datetime, error: str, now: datetime) -> None:
        self._move(InboundState.RECEIVED, inbound_id, due_at=due_at, error=error)
        self._tell(now, "worker", "postponed", error, None, inbound_id)

    def quarantine(self, inbound_id: int, error: str, now: datetime) -> None:
        self._move(InboundState.QUARANTINED, inbound_id, error=error)
        self._tell(now, "worker", "quarantined", error, None, inbound_id)

    def savepoint(self) -> AbstractContextManager[object]:
        return self._db.begin_nested()

    # ------------------------------------------------------------------ the outbox

    def claim_outbox(self, now: datetime) -> OutboxEntry | None:
        row = self._db.execute(
            select(_outbox)
            .where(_outbox.c.state == OutboxState.QUEUED, _outbox.c.due_at <= now)
            .order_by(_outbox.c.due_at, _outbox.c.id)
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
            select(_outbox.c.id).where(_outbox.c.state == OutboxState.SENDING, _outbox.c.claimed_at < claimed_before)
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

    def next_due(self) -> datetime | None:
        waiting = (
            select(func.min(_inbound.c.due_at)).where(_inbound.c.state == InboundState.RECEIVED),
            select(func.min(_outbox.c.due_at)).where(_outbox.c.state == OutboxState.QUEUED),
        )
        times = [due for query in waiting if (due := self._db.scalar(query)) is not None]
        return min(times, default=None)

    # ------------------------------------------------------------------ looking

    def counts(self) -> Counts:
        states = self._tally(_inbound.c.state)
        actions = self._tally(_decision.c.action)
        return Counts(
            received=sum(states.values()),
            answered=actions.get(Action.REPLY, 0),
            held=actions.get(Action.REVIEW, 0),
            ignored=actions.get(Action.NONE, 0),
            duplicates=states.get(InboundState.DUPLICATE, 0),
            quarantined=states.get(InboundState.QUARANTINED, 0),
            pending=states.get(InboundState.RECEIVED, 0) + states.get(InboundState.PROCESSING, 0),
        )

    def decided(self, after: int, limit: int) -> list[DecidedMail]:
        rows = self._db.execute(
            select(
                _message,
                _classification.c.intents,
                _decision.c.action,
                _decision.c.reasons,
                _decision.c.decided_at,
                _inbound.c.received_at,
                _outbox.c.state.label("answer_state"),
                _outbox.c.finished_at,
                _outbox.c.message_id.label("answer_message_id"),
            )
            .join(_decision, _decision.c.message_id == _message.c.id)
            .join(_classification, _classification.c.message_id == _message.c.id)
            .join(_inbound, (_inbound.c.message_id == _message.c.id) & (_inbound.c.state == InboundState.DONE))
            .outerjoin(_outbox, _outbox.c.decision_id == _decision.c.id)
            .where(_message.c.id > after)
            .order_by(_message.c.id)
            .limit(limit)
        )
        return [decided_mail(row) for row in rows]

    def threads(self, limit: int, status: str | None = None) -> list[ThreadSummary]:
        query = select(_thread).order_by(_thread.c.updated_at.desc(), _thread.c.id.desc()).limit(limit)
        if status is not None:
            query = query.where(_thread.c.status == status)
        return [thread_summary(row) for row in self._db.execute(query)]

    def story(self, thread_id: int) -> ThreadStory | None:
        thread = self._db.execute(select(_thread).where(_thread.c.id == thread_id)).first()
        if thread is None:
            return None
        messages = self._db.execute(
            select(_message, _classification.c.intents, _decision.c.action, _decision.c.reasons)
            .outerjoin(_classification, _classification.c.message_id == _message.c.id)
            .outerjoin(_decision, _decision.c.message_id == _message.c.id)
            .where(_message.c.thread_id == thread_id)
            .order_by(_message.c.id)
        )
        lines = self._db.execute(select(_audit).where(_audit.c.thread_id == thread_id).order_by(_audit.c.id))
        return ThreadStory(
            thread_summary(thread),
            tuple(message_view(row) for row in messages),
            tuple(StoryLine(row.at, row.actor, row.kind, row.sentence) for row in lines),
        )

    def outbox(self, limit: int, state: OutboxState | None = None) -> list[OutboxView]:
        query = select(_outbox).order_by(_outbox.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(_outbox.c.state == state)
        return [
            OutboxView(
                row.id,
                row.thread_id,
                row.recipient,
                row.subject,
                OutboxState(row.state),
                row.attempts,
                row.queued_at,
                row.finished_at,
                row.message_id,
                row.error,
            )
            for row in self._db.execute(query)
        ]

    def quarantined(self, limit: int) -> list[QuarantineView]:
        rows = self._db.execute(
            select(_inbound, _raw.c.size)
            .join(_raw, _raw.c.sha256 == _inbound.c.sha256)
            .where(_inbound.c.state == InboundState.QUARANTINED)
            .order_by(_inbound.c.id.desc())
            .limit(limit)
        )
        return [
            QuarantineView(row.id, mail_ref(row), row.received_at, row.attempts, row.size, row.error) for row in rows
        ]

    def raw(self, inbound_id: int) -> bytes | None:
        content = self._db.scalar(
            select(_raw.c.content).join(_inbound, _inbound.c.sha256 == _raw.c.sha256).where(_inbound.c.id == inbound_id)
        )
        return None if content is None else zlib.decompress(content)

    def retry_quarantined(self, inbound_id: int, now: datetime, actor: str) -> bool:
        done = self._run(
            update(_inbound)
            .where(_inbound.c.id == inbound_id, _inbound.c.state == InboundState.QUARANTINED)
            .values(state=InboundState.RECEIVED, attempts=0, due_at=now, acknowledged_at=None, error="")
        )
        if done:
            self._tell(now, actor, "released", "taken out of quarantine to be tried again", None, inbound_id)
        return bool(done)

    # ------------------------------------------------------------------ one place for each kind of write

    def key(self, name: str) -> bytes:
        fresh = self._insert(_secret).values(name=name, value=secrets.token_bytes(32)).on_conflict_do_nothing()
        self._db.execute(fresh)
        value: bytes = self._db.execute(select(_secret.c.value).where(_secret.c.name == name)).scalar_one()
        return value

    def _move(self, to: InboundState, inbound_id: int, **values: Any) -> None:
        """Compare-and-set from `processing`, the only state in which a mail is worked on."""
        if to not in INBOUND_TRANSITIONS[InboundState.PROCESSING]:
            raise IllegalTransition(f"inbound: processing -> {to}")
        moved = self._run(
            update(_inbound)
            .where(_inbound.c.id == inbound_id, _inbound.c.state == InboundState.PROCESSING)
            .values(state=to, **values)
        )
        if not moved:
            raise IllegalTransition(f"inbound {inbound_id} is not being processed any more: another worker has it")

    def _move_outbox(self, entry_id: int, from_: OutboxState, to: OutboxState, **values: Any) -> bool:
        if to not in OUTBOX_TRANSITIONS[from_]:
            raise IllegalTransition(f"outbox: {from_} -> {to}")
        return bool(
            self._run(
                update(_outbox).where(_outbox.c.id == entry_id, _outbox.c.state == from_).values(state=to, **values)
            )
        )

    def _tell(
        self, at: datetime, actor: str, kind: str, sentence: str, thread: int | None, inbound: int | None
    ) -> None:
        self._insert_row(_audit, at=at, actor=actor, kind=kind, thread_id=thread, inbound_id=inbound, sentence=sentence)

    def _tell_of_outbox(self, entry_id: int, to: OutboxState, error: str, now: datetime, actor: str) -> None:
        row = self._db.execute(select(_outbox.c.thread_id, _outbox.c.recipient).where(_outbox.c.id == entry_id)).one()
        sentence = f"answer to {row.recipient}" + (f": {error}" if error else "")
        self._tell(now, actor, to.value, sentence, row.thread_id, None)

    def _insert_row(self, table: Any, **values: Any) -> int:
        key = self._db.execute(table.insert().values(**values)).inserted_primary_key
        return int(key[0]) if key is not None else 0

    def _run(self, statement: Any) -> int:
        """How many rows it changed."""
        result = self._db.execute(statement, execution_options={"preserve_rowcount": True})
        return result.rowcount if isinstance(result, CursorResult) else 0

    def _tally(self, column: Any) -> dict[str, int]:
        """How many rows have each value of `column`."""
        rows = self._db.execute(select(column, func.count()).group_by(column))
        return {row[0]: row[1] for row in rows}

    def _count(self, condition: Any) -> int:
        return self._db.scalar(select(func.count()).select_from(_outbox).where(condition)) or 0
