"""What specialists work with: the queue, its boxes and filters, and who may do what.

Rule: every state of a thread is in one row, with what people filter by, so that a page of the queue reads one index.
Rule: whoever changes a thread says which version he saw; a thread that changed since refuses, and is shown anew.
Rule: what a person may do is this one table; pages, commands and the REST interface ask it and nothing else.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from mailflow.errors import MailflowError


class AccountRole(StrEnum):
    """In order: each may do what those before it may."""

    VIEWER = "viewer"
    SPECIALIST = "specialist"
    LEAD = "lead"
    ADMIN = "admin"


class Permission(StrEnum):
    READ = "read"
    """See the queue, the mails and the numbers."""
    WORK = "work"
    """Answer, correct, and whatever else changes one thread."""
    LEAD = "lead"
    """Many threads at once; replay, promote and roll back a model; mutes and quarantine."""
    ADMIN = "admin"
    """Accounts, tokens, webhooks, erasure."""


LEAST_ROLE: dict[Permission, AccountRole] = {
    Permission.READ: AccountRole.VIEWER,
    Permission.WORK: AccountRole.SPECIALIST,
    Permission.LEAD: AccountRole.LEAD,
    Permission.ADMIN: AccountRole.ADMIN,
}


def may(role: AccountRole, permission: Permission) -> bool:
    ranks = list(AccountRole)
    return ranks.index(role) >= ranks.index(LEAST_ROLE[permission])


class ThreadStatus(StrEnum):
    OPEN = "open"
    ANSWERED = "answered"
    HELD = "held"
    IGNORED = "ignored"
    CLOSED = "closed"


DUE_WITHIN: dict[str, timedelta] = {
    "urgent": timedelta(hours=2),
    "high": timedelta(hours=4),
    "normal": timedelta(hours=24),
    "low": timedelta(hours=72),
}
"""How long a thread of each priority may wait for a person."""


def more_urgent(one: str, other: str) -> str:
    """The priority of the two that may wait for less long."""
    return min(one, other, key=DUE_WITHIN.__getitem__)


class Box(StrEnum):
    """The lists of threads. Undo window and quarantine are lists of answers and of mails, not of threads."""

    HELD = "held"
    DRAFTS = "drafts"
    TROUBLE = "trouble"
    MINE = "mine"
    SNOOZED = "snoozed"
    ANSWERED = "answered"
    ALL = "all"


BOX_TITLES: dict[Box, str] = {
    Box.HELD: "Held",
    Box.DRAFTS: "Drafts",
    Box.TROUBLE: "Uncertain",
    Box.MINE: "Mine",
    Box.SNOOZED: "Snoozed",
    Box.ANSWERED: "Answered",
    Box.ALL: "All",
}


class Sort(StrEnum):
    DUE = "due"
    NEWEST = "newest"
    OLDEST = "oldest"


@dataclass(frozen=True, slots=True)
class Filter:
    """What of a box is shown; '' and None: whatever it is."""

    box: Box = Box.HELD
    query: str = ""
    """Words that are all in one mail of the thread, accents and case aside."""
    intent: str = ""
    reason: str = ""
    role: str = ""
    trust: str = ""
    language: str = ""
    assignee: str = ""
    """An account's name; '-' for nobody."""
    priority: str = ""
    partner: str = ""
    older_than: timedelta | None = None
    sort: Sort = Sort.DUE


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ends: the sort key and id of its last row."""

    at: datetime
    thread_id: int


@dataclass(frozen=True, slots=True)
class QueueRow:
    id: int
    version: int
    subject: str
    requester: str
    partner: str
    status: str
    queue: str
    priority: str
    intent: str
    """The first, '' if none was claimed."""
    reason: str
    """Code of the first reason of the last decision."""
    role: str
    trust: str
    language: str
    assignee: str
    has_draft: bool
    trouble: str
    """'uncertain', 'failed' or 'bounced' where an answer did not arrive for sure, else ''."""
    updated_at: datetime
    due_at: datetime | None
    snoozed_until: datetime | None


@dataclass(frozen=True, slots=True)
class QueuePage:
    rows: tuple[QueueRow, ...]
    next: Place | None


@dataclass(frozen=True, slots=True)
class AttachmentView:
    filename: str
    content_type: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class MailView:
    """One mail of a thread with everything that is known of it."""

    id: int
    inbound_id: int | None
    direction: str
    author: str
    """Of outgoing mail: the account that wrote it, '' for an automatic answer."""
    message_id: str
    from_addr: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    subject: str
    stored_at: datetime
    text: str
    new_spans: tuple[tuple[int, int], ...]
    attachments: tuple[AttachmentView, ...]
    language: str
    defects: tuple[str, ...]
    origin: tuple[str, str]
    """(kind, evidence)."""
    sender: tuple[str, str, str]
    """(role, trust, why)."""
    sender_flags: tuple[str, ...]
    partner: str
    placement: str
    facts: tuple[str, ...]
    suggested_thread_id: int | None
    intents: tuple["IntentView", ...]
    runner_up: tuple[str, float] | None
    actions: tuple[tuple[str, float], ...]
    abstained: str
    neighbours: tuple["NeighbourView", ...]
    flip: str
    slots: tuple[tuple[str, str], ...]
    action: str
    reasons: tuple[tuple[str, str], ...]
    """(code, sentence)."""
    draft_parts: tuple[str, ...]
    """Templates of the answer that was prepared or sent."""
    policy_version: str
    model_version: str
    answer_state: str
    """Of outgoing mail: how far it is."""


@dataclass(frozen=True, slots=True)
class IntentView:
    intent: str
    confidence: float
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NeighbourView:
    example: str
    intents: tuple[str, ...]
    action: str
    similarity: float
    excerpt: str


@dataclass(frozen=True, slots=True)
class NoteView:
    author: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class SavedDraft:
    """What somebody has begun to write."""

    author: str
    at: datetime
    markdown: str
    canned: str = ""


@dataclass(frozen=True, slots=True)
class ThreadView:
    row: QueueRow
    mails: tuple[MailView, ...]
    notes: tuple[NoteView, ...]
    draft: SavedDraft | None
    trail: tuple["TrailLine", ...]
    present: tuple[str, ...]
    """Accounts that look at it now, the reader among them."""


@dataclass(frozen=True, slots=True)
class TrailLine:
    at: datetime
    actor: str
    kind: str
    sentence: str


MARKED_AS_SPAM = "marked as spam"
"""Why, of the correction that one key makes."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person says that a mail is, in place of what the model said."""

    message_id: int
    intents: tuple[str, ...]
    """The first one is the primary; empty for none of ours."""
    action: str
    """reply, review or none: what would have been right."""
    role: str
    why: str


@dataclass(frozen=True, slots=True)
class CorrectionView:
    id: int
    thread_id: int
    correction: Correction
    predicted: tuple[str, ...]
    predicted_action: str
    author: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    display_name: str
    role: AccountRole
    is_active: bool = True
    time_zone: str = "UTC"


class ThreadChanged(MailflowError):
    """Somebody or something changed the thread since it was looked at."""

    temporary = False
