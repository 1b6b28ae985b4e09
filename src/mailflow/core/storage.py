"""What the services ask of the store, and the values that come back. The database is the truth; this is its language.

A Unit is one transaction: leaving it without an exception commits, otherwise nothing happened.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from mailflow.core.alarms import Arrivals
from mailflow.core.classification import Classification
from mailflow.core.conversation import Candidate, Clues, Placement
from mailflow.core.delivery import InboundState, OutboxKind, OutboxState
from mailflow.core.fleet import Buried, Role, WorkerRecord
from mailflow.core.hooks import HookState, HookView
from mailflow.core.message import Address, InboundMessage, MailRef, Origin, OutboundMessage, Sender
from mailflow.core.octets import Octets
from mailflow.core.partner import PartnerDirectory
from mailflow.core.policy import Decision, History
from mailflow.core.ports import Batch, Cursor, Disposition
from mailflow.core.telemetry import Backlog


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of the mails of a batch."""

    new: int = 0
    known: int = 0
    """Rows that were there already: the same UID read twice."""
    copies: int = 0
    """The same bytes under another UID."""


@dataclass(frozen=True, slots=True)
class ClaimedMail:
    inbound_id: int
    attempts: int
    """This try included."""
    sha256: str
    content: bytes | None
    """None for a mail too large to come along with fifty others: `Store.opened` gives it."""
    size: int | None
    """Size on the server in octets, where it was larger than what was fetched."""


@dataclass(frozen=True, slots=True)
class KnownMail:
    """Whether a mail was here before."""

    copy_of: int | None = None
    """The message row that this one is a copy of; 0 for one that retention took away."""
    is_message_id_reused: bool = False


@dataclass(frozen=True, slots=True)
class Understood:
    """A mail and everything that can be said of it without a model or a store."""

    message: InboundMessage
    origin: Origin
    sender: Sender
    facts: frozenset[str]


Read = Callable[[Octets, int | None, PartnerDirectory], Understood]
"""Reads one mail: its octets, its size on the server where they were cut short, and the partners that are known."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that is stored of a decided mail, in one transaction."""

    inbound_id: int
    sha256: str
    dedup_key: str
    thread_id: int
    placement: Placement
    understood: Understood
    classification: Classification
    decision: Decision
    answer: OutboundMessage | None
    send_at: datetime | None = None
    """When the answer may leave; until then a person may cancel it. None: at once."""


@dataclass(frozen=True, slots=True)
class Unacknowledged:
    inbound_id: int
    ref: MailRef
    disposition: Disposition


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """A claimed answer: its row says `sending`, this is the one try that may happen."""

    id: int
    attempts: int
    message: OutboundMessage


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What the ledger says of one UID."""

    inbound_id: int
    state: InboundState
    is_moved: bool
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Mute:
    """An address that gets nothing automatic for a time."""

    address: str
    since: datetime
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class OutboxView:
    id: int
    kind: OutboxKind
    thread_id: int | None
    """None for what belongs to no thread: the digest."""
    recipient: str
    subject: str
    state: OutboxState
    attempts: int
    queued_at: datetime
    due_at: datetime
    finished_at: datetime | None
    message_id: str
    error: str


@dataclass(frozen=True, slots=True)
class QuarantineView:
    inbound_id: int
    ref: MailRef
    received_at: datetime
    attempts: int
    size: int
    error: str


@dataclass(frozen=True, slots=True)
class ThreadSummary:
    id: int
    subject: str
    requester: str
    status: str
    queue: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StoryLine:
    """One thing that happened in a thread."""

    at: datetime
    actor: str
    kind: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ThreadStory:
    """A thread as a person reads it: the mails with their decisions, and what happened when."""

    summary: ThreadSummary
    messages: tuple["MessageView", ...]
    lines: tuple[StoryLine, ...]


@dataclass(frozen=True, slots=True)
class MessageView:
    direction: str
    message_id: str
    from_addr: str
    subject: str
    stored_at: datetime
    text: str
    intents: tuple[tuple[str, float], ...]
    action: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DecidedMail:
    """One row of the desk's day: a mail, what was decided, and what became of the answer."""

    message_pk: int
    thread_id: int
    message_id: str
    from_addr: str
    subject: str
    intents: tuple[tuple[str, float], ...]
    action: str
    reason: str
    received_at: datetime
    decided_at: datetime
    answer_state: str
    """State of its outbox entry, '' where there is none."""
    answered_at: datetime | None
    answer_message_id: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many mails stand where; they add up to every row of the ledger."""

    received: int
    answered: int
    held: int
    ignored: int
    duplicates: int
    quarantined: int
    pending: int


class Unit(Protocol):
    """One transaction."""

    # the mailbox
    def cursor(self, account: str, mailbox: str) -> Cursor | None: ...
    def record(self, account: str, mailbox: str, batch: Batch, now: datetime) -> Recorded:
        """Store the bytes and the cursor. A UID or content that is there already makes no second mail."""
        ...

    def unacknowledged(self, account: str, mailbox: str, limit: int) -> list[Unacknowledged]: ...
    def mark_acknowledged(self, inbound_ids: Sequence[int], now: datetime) -> None: ...

    # the work on a mail
    def claim_inbound(self, now: datetime, limit: int) -> list[ClaimedMail]:
        """Take due mails: `received` becomes `processing` and the attempt is counted.

        New ones come many at a time, one that was tried before comes alone.
        """
        ...

    def give_back(self, now: datetime) -> int:
        """Mails that this worker claimed and did not settle become `received` again, after MAX_ATTEMPTS `quarantined`.

        Returns how many there were. Call it where no turn is going on.
        """
        ...

    def serialize(self) -> None:
        """From here to the commit no other worker decides.

        Why: the budgets of recipient, thread, domain, template and desk are read from what is committed.
        """
        ...

    def candidates(self, clues: Clues) -> list[Candidate]:
        """The threads that `clues` name, strongest proof first, each once; a merged thread as the one it went into."""
        ...

    def known(self, message_id: str, dedup_key: str) -> KnownMail: ...
    def restored(self, inbound_id: int, date: datetime | None) -> str:
        """Why this mail may have been answered by the store that this one was restored in place of; '' if it cannot.

        `date`: what the mail says itself, for where its server did not say when it came.
        """
        ...

    def history(self, recipient: Address | None, thread_id: int | None, now: datetime) -> History: ...
    def open_thread(self, subject: str, clues: Clues, now: datetime) -> int: ...
    def save(self, outcome: Outcome, now: datetime) -> None:
        """Message, classification, decision, audit events, outbox entry, and the mail's final state."""
        ...

    def mark_copy(self, inbound_id: int, copy_of: int, now: datetime) -> None: ...
    def postpone(self, inbound_id: int, due_at: datetime, error: str, now: datetime) -> None: ...
    def quarantine(self, inbound_id: int, error: str, now: datetime) -> None: ...
    def savepoint(self) -> AbstractContextManager[object]:
        """What fails inside is undone alone; the rest of the unit stands."""
        ...

    # the outbox
    def claim_outbox(self, now: datetime, per_minute: int | None = None) -> OutboxEntry | None:
        """The next due answer, its row `sending`; never a second one to a recipient who is being written to.

        None where nothing is due, or `per_minute` answers were tried within the last minute.
        """
        ...

    def give_up(self, now: datetime) -> int:
        """Answers that this worker claimed and knows nothing of become `uncertain`. Call it where it sends nothing."""
        ...

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
        """From `sending` to `to`. False: somebody else was faster, nothing changed."""
        ...

    def retry_outbox(self, entry_id: int, now: datetime, actor: str) -> bool:
        """A person sends it again: `failed` or `uncertain` becomes `queued`."""
        ...

    def cancel_outbox(self, entry_id: int, now: datetime, actor: str) -> bool:
        """What is queued, failed or uncertain becomes `cancelled`, and its thread waits for a person."""
        ...

    def confirm_outbox(self, entry_id: int, now: datetime, actor: str) -> bool:
        """A person knows that it arrived: `uncertain` becomes `sent`."""
        ...

    def prove_sent(self, message_ids: Sequence[str], evidence: str, now: datetime) -> int:
        """Uncertain answers whose Message-ID was seen where only sending can have brought it. Returns how many."""
        ...

    def uncertain(self, since: datetime) -> list[str]:
        """Message-IDs of the answers that became uncertain after `since`, oldest first."""
        ...

    def enqueue_digest(self, message: OutboundMessage, now: datetime) -> bool:
        """False where a digest of that Message-ID is there already."""
        ...

    def record_bounce(self, origin: Origin, now: datetime) -> int:
        """Mark the answers that came back, mute their addresses, hold their threads. Returns how many answers.

        An answer is found by its Message-ID among the returned headers; where the report names none of ours, the
        newest answer of the last days to a failed recipient is taken.
        """
        ...

    def next_due(self, role: Role | None = None) -> datetime | None:
        """When the earliest waiting mail (PROCESS) or answer (SEND), or either of them, is due."""
        ...

    # the workers
    def beat(self, worker: WorkerRecord) -> bool:
        """Say that `worker` lives. False: it was not known, because it is new or was buried."""
        ...

    def workers(self) -> list[WorkerRecord]: ...
    def bury(self, worker_ids: Sequence[str], now: datetime) -> Buried:
        """Strike these from the roll, end their leases, and take up what nobody on the roll has claimed."""
        ...

    def take_lease(self, name: str) -> bool:
        """Take it if nobody has it. Returns whether this worker holds it now."""
        ...

    def holds_lease(self, name: str) -> bool: ...

    def take_turn(self, chore: str, every: timedelta, now: datetime) -> bool:
        """Whether `chore` is due, and this worker the one to do it."""
        ...

    def wake(self, now: datetime) -> None:
        """Call the workers once more for whatever is due; a call may have been lost."""
        ...

    # the mailbox and its ledger, compared
    def states(self, account: str, mailbox: str, uid_validity: int, uids: Sequence[int]) -> dict[int, LedgerEntry]:
        """What the ledger has of these UIDs."""
        ...

    def unmoved(self, account: str, mailbox: str, uid_validity: int) -> dict[int, int]:
        """UID -> inbound id of the settled mails that were not moved yet."""
        ...

    def record_reappeared(self, account: str, mailbox: str, batch: Batch, now: datetime) -> frozenset[int]:
        """Mail under UIDs whose mail was settled and moved: the same one is moved again, another one is new.

        Returns the UIDs of the new ones; their old rows give them up.
        """
        ...

    # people and their threads
    def merge_threads(self, thread_id: int, into: int, now: datetime, actor: str) -> bool:
        """The mails of `thread_id` move; later mail for it goes to `into`. False if one is missing, or both are one."""
        ...

    # the directory
    def partners_version(self) -> str:
        """Version of the directory that is in force, '' for none."""
        ...

    def partners(self) -> PartnerDirectory: ...
    def replace_partners(self, directory: PartnerDirectory, now: datetime, actor: str) -> None: ...
    def mutes(self, now: datetime, limit: int) -> list[Mute]: ...
    def unmute(self, address: str, now: datetime, actor: str) -> bool: ...

    # measuring
    def backlog(self, now: datetime) -> Backlog:
        """How much waits."""
        ...

    def arrivals(self, since: datetime) -> Arrivals:
        """When mail came."""
        ...

    def revision(self) -> str | None:
        """Of the schema."""
        ...

    # looking
    def counts(self) -> Counts: ...
    def decided(self, after: int, limit: int) -> list[DecidedMail]:
        """Decided mails with a message row above `after`, oldest first."""
        ...

    def threads(self, limit: int, status: str | None = None) -> list[ThreadSummary]: ...
    def story(self, thread_id: int) -> ThreadStory | None: ...
    def outbox(self, limit: int, state: OutboxState | None = None) -> list[OutboxView]: ...
    def hooks(self, limit: int, state: HookState | None = None) -> list[HookView]:
        """Calls to other systems, newest first."""
        ...

    def retry_hook(self, hook_id: int, now: datetime) -> bool:
        """A failed call becomes due again, with all its tries."""
        ...

    def quarantined(self, limit: int) -> list[QuarantineView]: ...
    def retry_quarantined(self, inbound_id: int, now: datetime, actor: str) -> bool: ...


class Store(Protocol):
    holder: str
    """The worker in whose name units claim."""

    def unit(self) -> AbstractContextManager[Unit]: ...
    def view(self) -> AbstractContextManager[Unit]:
        """A unit that only reads: it sees one state of the store and keeps nobody from writing."""
        ...

    def opened(self, inbound_id: int) -> AbstractContextManager[Octets]:
        """The mail as it came. Outside of any unit: a slow reader keeps nobody from the store.

        Raises StoreError where there is no such mail.
        """
        ...

    def key(self, name: str) -> bytes:
        """A secret of 32 bytes that stays the same for the life of the store; made at the first call."""
        ...
