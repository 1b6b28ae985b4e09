"""What the review desk asks of the store, beside what the workers ask (core/storage.py)."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mailflow.core.message import OutboundMessage
from mailflow.core.numbers import PastMail, PersonsAnswer
from mailflow.core.octets import Octets
from mailflow.core.partner import Partner
from mailflow.core.ports import AnswerPart
from mailflow.core.review import (
    Box,
    Correction,
    CorrectionView,
    Filter,
    MailView,
    Place,
    QueuePage,
    SavedDraft,
    ThreadView,
)
from mailflow.core.storage import OutboxView, Unit


@dataclass(frozen=True, slots=True)
class StoredMail:
    """A mail whose octets are kept, to be decided again."""

    inbound_id: int
    message_id: int
    thread_id: int
    subject: str
    from_addr: str
    received_at: datetime
    corrected: Correction | None


class ReviewUnit(Unit, Protocol):
    """One transaction. Where a `version` is given and is not the thread's any more, ThreadChanged is raised."""

    # the queue
    def queue(self, filter_: Filter, account: str, now: datetime, after: Place | None, limit: int) -> QueuePage: ...
    def box_counts(self, account: str, now: datetime) -> dict[Box, int]:
        """How many threads each box has, at most adapters.sql.desk.MOST_COUNTED."""
        ...

    def waiting_counts(self) -> tuple[int, int]:
        """How many answers have not left for sure, and how many mails are in quarantine; bounded as `box_counts`."""
        ...

    def values_in_queue(self) -> dict[str, list[str]]:
        """What the held threads can be filtered by: each field with the values of those that are due first."""
        ...

    def beside(self, filter_: Filter, account: str, now: datetime, place: Place) -> tuple[int | None, int | None]:
        """The threads before and after `place` in what `filter_` shows."""
        ...

    def excerpts(self, thread_ids: Sequence[int]) -> dict[int, str]:
        """How the newest mail that came in begins, of each thread that has one."""
        ...

    def search(self, query: str) -> list[int]:
        """Message rows with all words of `query`, newest first."""
        ...

    # a thread
    def thread_view(self, thread_id: int, now: datetime) -> ThreadView | None: ...
    def mail(self, message_id: int) -> MailView | None: ...
    def thread_of_mail(self, message_id: int) -> int | None: ...
    def draft_parts(self, message_id: int) -> tuple[AnswerPart, ...]:
        """The answer that was prepared, or sent, for a mail; () where none was."""
        ...

    def outbox_of_thread(self, thread_id: int) -> list[OutboxView]:
        """Its answers that are not known to have arrived, newest first."""
        ...

    def outbox_entry(self, entry_id: int) -> OutboxView | None: ...
    def corrections_of(self, thread_id: int) -> list[CorrectionView]:
        """Newest first."""
        ...

    def partner(self, company: str) -> Partner | None:
        """What the directory says of a company."""
        ...

    # what people write
    def draft(self, thread_id: int, *, to_change: bool = False) -> SavedDraft | None:
        """`to_change`: nobody else keeps one there until this unit ends."""
        ...

    def save_draft(self, thread_id: int, draft: SavedDraft, *, replaces: bool = False) -> None:
        """What was begun by somebody else, or what is to be replaced, stays in the trail."""
        ...

    def drop_draft(self, thread_id: int, account: str, now: datetime, sent: str = "") -> None:
        """Its words stay in the trail, unless they are those that were `sent`."""
        ...

    def add_note(self, thread_id: int, author: str, text: str, now: datetime) -> None: ...
    def send(
        self, thread_id: int, version: int, message: OutboundMessage, account: str, now: datetime, send_at: datetime
    ) -> int:
        """Queue a person's answer; the thread counts as answered. Returns the outbox entry."""
        ...

    # what people decide
    def set_status(
        self, thread_id: int, version: int | None, status: str, account: str, now: datetime, why: str = ""
    ) -> None: ...
    def take_back(
        self, thread_id: int, version: int, asleep_until: datetime | None, account: str, now: datetime
    ) -> None:
        """It waits for a person as it did before he closed it, marked it as spam, or put it to sleep."""
        ...

    def thread_version(self, thread_id: int) -> int: ...
    def assign(self, thread_id: int, version: int | None, assignee: str, account: str, now: datetime) -> None: ...
    def snooze(self, thread_id: int, version: int | None, until: datetime, account: str, now: datetime) -> None: ...
    def escalate(self, thread_id: int, version: int | None, why: str, account: str, now: datetime) -> None: ...
    def split(self, message_id: int, account: str, now: datetime) -> int | None:
        """Make a thread of its own of a mail; None where it is the first of its own. Returns the new thread."""
        ...

    def move_mail(self, message_id: int, to: int, account: str, now: datetime) -> bool:
        """One mail goes into another thread. False if there is no such mail or thread."""
        ...

    # corrections
    def correct(self, correction: Correction, account: str, now: datetime) -> None: ...
    def corrections(self, limit: int, since: datetime | None = None) -> list[CorrectionView]:
        """Newest first."""
        ...

    def stored_mails(self, since: datetime | None, limit: int) -> list[StoredMail]:
        """The newest decided mails, oldest first, with what a person said of each."""
        ...

    def tell(self, actor: str, kind: str, sentence: str, now: datetime) -> None:
        """An audit event that belongs to no thread."""
        ...

    # numbers
    def past_mails(self, since: datetime) -> list[PastMail]:
        """Decided mails that came since, oldest first."""
        ...

    def persons_answers(self, since: datetime) -> list[PersonsAnswer]: ...
    def held_since(self) -> list[datetime]:
        """When each thread that waits for a person last changed."""
        ...

    def first_confidences(self, message_ids: Sequence[int]) -> dict[int, float]:
        """Of the first intent of each of these mails that has one."""
        ...

    # people
    def look(self, thread_id: int, account: str, now: datetime) -> tuple[str, ...]:
        """Note that `account` looks at the thread. Returns who does now; () where there is no such thread."""
        ...

    def saved_views(self, account: str) -> list[tuple[int, str, str]]:
        """(id, name, query string)."""
        ...

    def save_view(self, account: str, name: str, query: str) -> None: ...
    def drop_view(self, account: str, view_id: int) -> None: ...
    def news(self, after: int, limit: int) -> tuple[int, list[int]]:
        """The newest audit event, and the threads that events after `after` are about."""
        ...

    def newest_event(self) -> int: ...


class ReviewStore(Protocol):
    def unit(self) -> AbstractContextManager[ReviewUnit]: ...
    def view(self) -> AbstractContextManager[ReviewUnit]: ...
    def opened(self, inbound_id: int) -> AbstractContextManager[Octets]: ...
    def key(self, name: str) -> bytes: ...
