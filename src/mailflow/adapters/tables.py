"""The tables, their constraints and indexes; nothing else. Used by store.py and the migrations.

Rule: uniqueness and states are constraints. The database refuses the second time, whatever the code believes.
Rule: rows are not domain types; SQLModel does not validate `table=True` classes, store.py maps them.
Rule: the audit trail is append-only: triggers refuse UPDATE and DELETE (made in the first migration). The one way
around it blanks a sentence, and nothing else, in a transaction that holds a retention permit (0006_retention.py).
Rule: every lookup has an index, so that the cost of a mail does not grow with the store.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import Column, Field, SQLModel

from mailflow.core.delivery import InboundState, OutboxKind, OutboxState

BigId = BigInteger().with_variant(Integer, "sqlite")


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime. Why: SQLite forgets the zone, and a naive datetime that slips in is refused here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("naive datetime: instants are aware UTC")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _one_of(column: str, states: type[InboundState | OutboxState | OutboxKind], name: str) -> CheckConstraint:
    listed = ", ".join(f"'{state.value}'" for state in states)
    return CheckConstraint(f"{column} IN ({listed})", name=name)


def _index_where(name: str, condition: str, *columns: str, unique: bool = False) -> Index:
    """A partial index: it holds the rows that somebody waits for, however many are done."""
    return Index(name, *columns, unique=unique, sqlite_where=text(condition), postgresql_where=text(condition))


class RawRow(SQLModel, table=True):
    """The bytes as they came, the first MiB of them, zlib-compressed, then sealed where there is a key; once a content.

    The row outlives its bytes, so that mail which was erased is known when it comes again.
    """

    __tablename__ = "raw"
    sha256: str = Field(primary_key=True, max_length=64)
    size: int = Field(sa_type=BigInteger)
    """Of all slices."""
    full_size: int | None = Field(default=None, sa_type=BigInteger)
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    key_id: str = Field(default="", max_length=16)
    """The key that `content` is sealed with, '' for none."""
    emptied_at: datetime | None = Field(default=None, sa_type=Instant)
    """When retention took the bytes away."""


class RawSliceRow(SQLModel, table=True):
    """What of the bytes comes after the slice in `raw`; only large mails have rows here."""

    __tablename__ = "raw_slice"
    sha256: str = Field(foreign_key="raw.sha256", primary_key=True, max_length=64)
    number: int = Field(primary_key=True)
    """From 1."""
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    key_id: str = Field(default="", max_length=16)


class CursorRow(SQLModel, table=True):
    __tablename__ = "mailbox_cursor"
    account: str = Field(primary_key=True)
    mailbox: str = Field(primary_key=True)
    uid_validity: int = Field(sa_type=BigInteger)
    last_uid: int = Field(sa_type=BigInteger)


class InboundRow(SQLModel, table=True):
    """The ledger of the mailbox: every UID has one row and comes to one final state."""

    __tablename__ = "inbound"
    __table_args__ = (
        UniqueConstraint("account", "mailbox", "uid_validity", "uid", name="uq_inbound_uid"),
        _one_of("state", InboundState, "ck_inbound_state"),
        Index("ix_inbound_due", "state", "due_at", "id"),
        _index_where("ix_inbound_unacknowledged", "acknowledged_at IS NULL", "account", "mailbox", "id"),
        Index("ix_inbound_received", "received_at"),
    )
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    account: str
    mailbox: str
    uid_validity: int = Field(sa_type=BigInteger)
    uid: int = Field(sa_type=BigInteger)
    sha256: str = Field(foreign_key="raw.sha256", index=True)
    internal_date: datetime | None = Field(default=None, sa_type=Instant)
    received_at: datetime = Field(sa_type=Instant)
    state: str
    attempts: int = 0
    due_at: datetime = Field(sa_type=Instant)
    claimed_at: datetime | None = Field(default=None, sa_type=Instant)
    claimed_by: str = ""
    """The worker that has it while it is `processing`."""
    acknowledged_at: datetime | None = Field(default=None, sa_type=Instant)
    message_id: int | None = Field(default=None, sa_column=Column(BigId, nullable=True, index=True))
    """The message row that this mail became, or the one that it is a copy of."""
    error: str = Field(default="", sa_type=Text)


class ThreadRow(SQLModel, table=True):
    __tablename__ = "thread"
    __table_args__ = (
        CheckConstraint("status IN ('open', 'answered', 'held', 'ignored', 'closed')", name="ck_thread_status"),
        Index("ix_thread_updated", "updated_at", "id"),
        Index("ix_thread_status", "status", "updated_at", "id"),
        Index("ix_thread_due", "status", "due_at", "id", "snoozed_until", "has_draft"),  # counted without the rows
        _index_where("ix_thread_snoozed", "snoozed_until IS NOT NULL", "status", "snoozed_until", "id"),
        _index_where("ix_thread_trouble", "trouble <> ''", "due_at", "id"),
        _index_where("ix_thread_merged", "merged_into IS NOT NULL", "merged_into"),
        _index_where("ix_thread_assignee", "assignee <> ''", "assignee", "status", "due_at", "id"),
        Index("ix_thread_intent", "intent", "updated_at", "id"),
        Index("ix_thread_requester", "requester", "subject_key"),
    )
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    subject: str = Field(sa_type=Text)
    subject_key: str = Field(default="", sa_type=Text)
    """The subject without prefixes and tags, to find what may be the same matter."""
    requester: str
    language: str = ""
    """ISO 639-1 of its last mail that was long enough to tell; what a short mail of the thread is taken for."""
    status: str
    queue: str
    priority: str
    version: int = 0
    """Counts every change; who changes it says which one he saw."""
    intent: str = ""
    reason: str = ""
    role: str = ""
    trust: str = ""
    partner: str = ""
    has_draft: bool = False
    trouble: str = ""
    """'uncertain', 'failed' or 'bounced' where an answer did not arrive for sure."""
    assignee: str = ""
    due_at: datetime | None = Field(default=None, sa_type=Instant)
    snoozed_until: datetime | None = Field(default=None, sa_type=Instant)
    merged_into: int | None = Field(default=None, sa_column=Column(BigId, nullable=True))
    """The thread that took over its mails; mail for this one goes there."""
    created_at: datetime = Field(sa_type=Instant)
    updated_at: datetime = Field(sa_type=Instant)


class MessageRow(SQLModel, table=True):
    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("dedup_key", name="uq_message_dedup"),
        CheckConstraint("direction IN ('in', 'out')", name="ck_message_direction"),
        Index("ix_message_message_id", "message_id"),
        Index("ix_message_thread", "thread_id", "id"),
    )
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    thread_id: int = Field(sa_column=Column(BigId, nullable=False))
    suggested_thread_id: int | None = Field(default=None, sa_column=Column(BigId, nullable=True))
    """A thread that this mail may be a reply to, though its writer may not join it by himself."""
    direction: str
    author: str = ""
    """Of outgoing mail: the account that wrote it, '' for an automatic answer."""
    dedup_key: str = Field(max_length=64)
    """Hash of what makes a mail itself: Message-ID, From, Subject, text. Equal: the same mail, never answered twice."""
    message_id: str = Field(sa_type=Text)
    from_addr: str
    subject: str = Field(sa_type=Text)
    date: datetime | None = Field(default=None, sa_type=Instant)
    stored_at: datetime = Field(sa_type=Instant)
    sha256: str | None = Field(default=None, max_length=64)
    text: str = Field(sa_type=Text)
    parsed: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """Offsets, attachments, language, defects, origin, sender: what the pages show beside the text."""


class ClassificationRow(SQLModel, table=True):
    __tablename__ = "classification"
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    message_id: int = Field(sa_column=Column(BigId, nullable=False, unique=True))
    model_version: str
    primary_intent: str = Field(index=True)
    abstained: str = Field(default="", sa_type=Text)
    intents: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    actions: dict[str, float] = Field(default_factory=dict, sa_type=JSON)
    runner_up: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    role: str
    explanation: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    """Neighbours, what would flip it, slots found; for people."""


class DecisionRow(SQLModel, table=True):
    __tablename__ = "decision"
    __table_args__ = (CheckConstraint("action IN ('reply', 'review', 'none')", name="ck_decision_action"),)
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    message_id: int = Field(sa_column=Column(BigId, nullable=False, unique=True))
    """One decision a message, so one automatic answer at most, by constraint."""
    action: str = Field(index=True)
    queue: str
    priority: str
    reasons: list[dict[str, str]] = Field(default_factory=list, sa_type=JSON)
    answers: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    draft: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    policy_version: str
    model_version: str
    decided_at: datetime = Field(sa_type=Instant)


class OutboxRow(SQLModel, table=True):
    __tablename__ = "outbox"
    __table_args__ = (
        _one_of("state", OutboxState, "ck_outbox_state"),
        _one_of("kind", OutboxKind, "ck_outbox_kind"),
        CheckConstraint("kind <> 'automatic' OR decision_id IS NOT NULL", name="ck_outbox_decision"),
        Index("ix_outbox_due", "state", "due_at", "id"),
        _index_where("uq_outbox_sending", "state = 'sending'", "recipient", unique=True),
        Index("ix_outbox_claimed", "claimed_at"),
        Index("ix_outbox_recipient", "recipient", "queued_at"),
        Index("ix_outbox_domain", "recipient_domain", "queued_at"),
        Index("ix_outbox_queued", "queued_at"),
    )
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    kind: str = OutboxKind.AUTOMATIC
    decision_id: int | None = Field(default=None, sa_column=Column(BigId, nullable=True, unique=True))
    thread_id: int | None = Field(default=None, sa_column=Column(BigId, nullable=True, index=True))
    message_id: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    reverse_path: str
    recipient: str
    recipient_domain: str
    subject: str = Field(sa_type=Text)
    intents: list[str] = Field(default_factory=list, sa_type=JSON)
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str
    attempts: int = 0
    queued_at: datetime = Field(sa_type=Instant)
    due_at: datetime = Field(sa_type=Instant)
    claimed_at: datetime | None = Field(default=None, sa_type=Instant)
    claimed_by: str = ""
    """The worker that has it while it is `sending`."""
    finished_at: datetime | None = Field(default=None, sa_type=Instant)
    reply_code: int | None = None
    error: str = Field(default="", sa_type=Text)


class WorkerRow(SQLModel, table=True):
    """Who is at work: one row a process, gone when it ends or is buried."""

    __tablename__ = "worker"
    id: str = Field(primary_key=True)
    machine: str
    pid: int
    roles: str
    started_at: datetime = Field(sa_type=Instant)
    seen_at: datetime = Field(sa_type=Instant)


class LeaseRow(SQLModel, table=True):
    """What one worker alone may hold, a mailbox's connection; it ends with its holder."""

    __tablename__ = "lease"
    name: str = Field(primary_key=True)
    holder: str = Field(index=True)


class ChoreRow(SQLModel, table=True):
    """When what is done from time to time was done last, by whichever worker."""

    __tablename__ = "chore"
    name: str = Field(primary_key=True)
    done_at: datetime = Field(sa_type=Instant)


class NoteRow(SQLModel, table=True):
    __tablename__ = "note"
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    thread_id: int = Field(sa_column=Column(BigId, nullable=False, index=True))
    author: str
    at: datetime = Field(sa_type=Instant)
    text: str = Field(sa_type=Text)


class DraftRow(SQLModel, table=True):
    """What somebody has begun to write, one a thread."""

    __tablename__ = "draft"
    thread_id: int = Field(sa_column=Column(BigId, primary_key=True, autoincrement=False))
    author: str
    at: datetime = Field(sa_type=Instant)
    markdown: str = Field(sa_type=Text)
    canned: str = ""


class CorrectionRow(SQLModel, table=True):
    """What a person said that a mail is; the newest of a mail counts."""

    __tablename__ = "correction"
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    message_id: int = Field(sa_column=Column(BigId, nullable=False, index=True))
    thread_id: int = Field(sa_column=Column(BigId, nullable=False, index=True))
    author: str
    at: datetime = Field(sa_type=Instant)
    intents: list[str] = Field(default_factory=list, sa_type=JSON)
    action: str
    role: str
    why: str = Field(sa_type=Text)
    predicted: list[str] = Field(default_factory=list, sa_type=JSON)
    predicted_action: str


class SavedViewRow(SQLModel, table=True):
    __tablename__ = "saved_view"
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    account: str = Field(index=True)
    name: str
    query: str = Field(sa_type=Text)
    """As in the address of the page."""


class PresenceRow(SQLModel, table=True):
    """Who looks at which thread."""

    __tablename__ = "presence"
    thread_id: int = Field(sa_column=Column(BigId, primary_key=True, autoincrement=False))
    account: str = Field(primary_key=True)
    seen_at: datetime = Field(sa_type=Instant)


class AccountRow(SQLModel, table=True):
    """Who may use the review desk."""

    __tablename__ = "account"
    name: str = Field(primary_key=True)
    display_name: str
    role: str
    password_hash: str = ""
    """argon2id; '' for accounts that sign in elsewhere."""
    is_active: bool = True
    time_zone: str = "UTC"
    created_at: datetime = Field(sa_type=Instant)


class SignInRow(SQLModel, table=True):
    """A session of the pages or a token of the REST interface; the secret itself is nowhere, only its hash."""

    __tablename__ = "sign_in"
    token_sha256: str = Field(primary_key=True, max_length=64)
    kind: str
    """session or token."""
    account: str = Field(index=True)
    name: str = ""
    created_at: datetime = Field(sa_type=Instant)
    seen_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)


class AttemptRow(SQLModel, table=True):
    """Sign-ins that were refused, to slow down who guesses."""

    __tablename__ = "sign_in_attempt"
    __table_args__ = (Index("ix_attempt_key", "key", "at"),)
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    key: str
    at: datetime = Field(sa_type=Instant)


class HookRow(SQLModel, table=True):
    """A call to another system on its way out: one row an event and receiver, tried as answers are."""

    __tablename__ = "hook"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'sending', 'sent', 'failed')", name="ck_hook_state"),
        _index_where("ix_hook_due", "state = 'queued'", "due_at", "id"),
    )
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    receiver: str
    event: str
    thread_id: int = Field(sa_column=Column(BigId, nullable=False))
    body: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    state: str
    attempts: int = 0
    at: datetime = Field(sa_type=Instant)
    due_at: datetime = Field(sa_type=Instant)
    claimed_by: str = ""
    error: str = Field(default="", sa_type=Text)


class MuteRow(SQLModel, table=True):
    """Addresses that get nothing automatic for a time, because mail to them came back."""

    __tablename__ = "mute"
    address: str = Field(primary_key=True)
    since: datetime = Field(sa_type=Instant)
    until: datetime = Field(sa_type=Instant)
    reason: str = Field(sa_type=Text)


class PartnerRow(SQLModel, table=True):
    """The partner directory, one row a domain; replaced as a whole by an import."""

    __tablename__ = "partner"
    domain: str = Field(primary_key=True)
    company: str
    tier: str
    kind: str
    region: str
    route: str
    distributor: str


class PartnerImportRow(SQLModel, table=True):
    """Who replaced the directory when. The newest row tells the version of the directory."""

    __tablename__ = "partner_import"
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    at: datetime = Field(sa_type=Instant)
    actor: str
    version: str
    domains: int


class AuditRow(SQLModel, table=True):
    """What happened, when, to what, by whom. Never changed, never deleted."""

    __tablename__ = "audit_event"
    __table_args__ = (Index("ix_audit_thread", "thread_id", "id"),)
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    at: datetime = Field(sa_type=Instant)
    actor: str
    kind: str
    thread_id: int | None = Field(default=None, sa_column=Column(BigId, nullable=True))
    inbound_id: int | None = Field(default=None, sa_column=Column(BigId, nullable=True))
    sentence: str = Field(sa_type=Text)


class TombstoneRow(SQLModel, table=True):
    """What is left of a mail that was erased or purged: hashes, so that it is known when it comes again."""

    __tablename__ = "tombstone"
    __table_args__ = (Index("ix_tombstone_message_id", "message_id_sha256"),)
    dedup_key: str = Field(primary_key=True, max_length=64)
    message_id_sha256: str = Field(max_length=64)
    at: datetime = Field(sa_type=Instant)


class ReceiptRow(SQLModel, table=True):
    """What was erased for one requester, when and by whom; of his address only a keyed hash."""

    __tablename__ = "receipt"
    __table_args__ = (Index("ix_receipt_address", "address_hmac"),)
    id: int | None = Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))
    at: datetime = Field(sa_type=Instant)
    actor: str
    address_hmac: str = Field(max_length=64)
    counts: dict[str, int] = Field(default_factory=dict, sa_type=JSON)
    version: str
    """Of mailflow."""


class PermitRow(SQLModel, table=True):
    """Lets sentences of the audit trail be blanked; there is none but inside a transaction of retention.

    None can be committed: `ends_with` refers, at the commit, to a row that `id = 1` forbids.
    """

    __tablename__ = "retention_permit"
    __table_args__ = (
        CheckConstraint("id = 1", name="ck_permit_id"),
        CheckConstraint("ends_with = 0", name="ck_permit_end"),
        ForeignKeyConstraint(
            ["ends_with"], ["retention_permit.id"], name="fk_permit_end", deferrable=True, initially="DEFERRED"
        ),
    )
    id: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    ends_with: int = 0


class SecretRow(SQLModel, table=True):
    """Keys that the desk makes for itself at its first start: the one that signs our Message-IDs."""

    __tablename__ = "secret"
    name: str = Field(primary_key=True)
    value: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
