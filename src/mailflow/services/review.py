"""What a specialist does with a thread that needs words: prepare an answer, see it, send it.

    draft    what mailflow prepared, or somebody has begun, as Markdown
    preview  any Markdown as it will arrive
    send     composed, and queued with its undo window, if the thread is still the one that was looked at

Rule: an answer of a person goes to the sender of the mail that it answers, and nowhere else (D1); it says that a person
wrote it (no `Auto-Submitted`, RFC 3834, 5).
Rule: pressing the button twice sends once: the Message-ID is made of thread and version, and is unique.
Rule: nobody sends a text that he was not shown: who approves says which one he saw (`Prepared.shown`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from mailflow.core.canned import Canned
from mailflow.core.classification import Action, ActionScores, Classification, IntentScore
from mailflow.core.delivery import OutboxState
from mailflow.core.message import Address, InboundMessage, Role
from mailflow.core.partner import NO_PARTNERS
from mailflow.core.playbook import Playbook
from mailflow.core.policy import Case, History, reply_address
from mailflow.core.ports import Clock, Closing, Letter, RenderedAnswer, Renderer
from mailflow.core.receipt import Receipt, receipt
from mailflow.core.reply import ReplyHeaders, compose, is_sendable
from mailflow.core.review import MailView, ThreadChanged, ThreadView
from mailflow.core.review_store import ReviewStore
from mailflow.core.storage import Read
from mailflow.errors import MailflowError
from mailflow.reading import thread
from mailflow.services.processing import DeskIdentity

EMPTY = "the answer is empty: write something, or take what is prepared"


class NothingToAnswer(MailflowError):
    """The thread has no mail that could be answered, or nothing is prepared for it."""

    temporary = False


class AnswerChanged(ThreadChanged):
    """The answer is not the one that was shown to whoever approves it."""

    def __init__(self, prepared: "Prepared") -> None:
        who = prepared.by or "mailflow"
        super().__init__(f"the answer is another one than you were shown, by {who}: read it, then approve it")
        self.prepared = prepared


class BegunByAPerson(NothingToAnswer):
    """Somebody has begun an answer, which is no list's to send."""


class CannedReplies(Protocol):
    replies: Mapping[str, Canned]

    def reply(self, name: str, fields: Mapping[str, str], greeting_name: str = "") -> RenderedAnswer: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the editor begins with."""

    markdown: str
    recipient: str
    subject: str
    language: str
    canned: str = ""
    by: str = ""
    """Who has begun it; '' where mailflow prepared it, or nobody did."""

    @property
    def shown(self) -> str:
        """Says which text it is, to be given back by whoever approves it."""
        return hashlib.sha256(self.markdown.encode()).hexdigest()[:32]


class ReviewDesk:
    def __init__(
        self,
        *,
        store: ReviewStore,
        read: Read,
        renderer: Renderer,
        canned: CannedReplies,
        playbook: Playbook,
        desk: DeskIdentity,
        clock: Clock,
        undo: timedelta,
    ) -> None:
        self._store, self._read, self._renderer, self.canned = store, read, renderer, canned
        self.playbook, self._desk, self._clock, self._undo = playbook, desk, clock, undo

    def prepare(self, view: ThreadView) -> Prepared:
        """The draft of a person, else of mailflow, else an empty one. Raises NothingToAnswer."""
        mail = answered_mail(view)
        message = self._message(mail)
        recipient = _recipient(message)
        kept = view.draft if view.draft is not None and view.draft.markdown.strip() else None
        prepared = "" if is_answered(view) else self._prepared_markdown(mail, message)
        markdown = kept.markdown if kept else prepared
        return Prepared(
            markdown,
            recipient.addr_spec,
            message.subject,
            message.language,
            kept.canned if kept else "",
            kept.author if kept else "",
        )

    def preview(self, markdown: str, subject: str, language: str) -> RenderedAnswer:
        """Raises AssetError with what Markdown may hold."""
        return self._renderer.written(markdown, subject, language)

    def canned_markdown(self, name: str, fields: Mapping[str, str], view: ThreadView) -> str:
        """A canned reply filled in, to go on writing. Raises AssetError that names the field."""
        message = self._message(answered_mail(view))
        name_of = message.from_.display_name if message.from_ else ""
        return self.canned.reply(name, fields, name_of).markdown

    def canned_for(self, view: ThreadView) -> list[tuple[str, Canned]]:
        """The canned replies, those for the thread's intents first."""
        intents = {one.intent for mail in view.mails for one in mail.intents}
        return sorted(self.canned.replies.items(), key=lambda item: not intents & set(item[1].intents))

    def approve(self, view: ThreadView, version: int, account: str, shown: str) -> int:
        """Send what was prepared as it is. Returns the outbox entry. Raises NothingToAnswer, ThreadChanged.

        `shown`: of the text that he saw. Raises AnswerChanged where it is another one by now.
        """
        prepared = self._to_approve(view)
        if prepared.shown != shown:
            raise AnswerChanged(prepared)
        return self.send(view, version, prepared.markdown, account)

    def approve_unseen(self, view: ThreadView, version: int, account: str) -> int:
        """Send what mailflow prepared. Raises BegunByAPerson, NothingToAnswer, ThreadChanged."""
        prepared = self._to_approve(view)
        if prepared.by:
            raise BegunByAPerson(f"{prepared.by} has begun an answer: read it, then approve it there")
        return self.send(view, version, prepared.markdown, account)

    def _to_approve(self, view: ThreadView) -> Prepared:
        """Raises NothingToAnswer."""
        if is_answered(view):
            raise NothingToAnswer("the newest mail of this thread has its answer already: write another one")
        prepared = self.prepare(view)
        if not prepared.markdown.strip():
            raise NothingToAnswer("nothing is prepared for this thread: write an answer")
        return prepared

    def send(self, view: ThreadView, version: int, markdown: str, account: str) -> int:
        """Queue an answer. Returns the outbox entry. Raises NothingToAnswer, ThreadChanged, AssetError."""
        if not markdown.strip():
            raise NothingToAnswer(EMPTY)
        if view.row.version != version:
            raise ThreadChanged(f"thread {view.row.id} has changed since you looked at it: look again, then decide")
        message = self._message(answered_mail(view))
        recipient = _recipient(message)
        now, thread_id = self._clock.now(), view.row.id
        token = thread.reply_token(self._desk.reply_key, thread_id)
        once = hashlib.sha256(f"{thread_id} {version}".encode()).hexdigest()[:16]
        composed = compose(
            ReplyHeaders(
                message_id=f"mf.{thread_id}.{token}.p{once}@{self._desk.message_id_domain}",
                desk_name=self._desk.name,
                desk_address=self._desk.address,
                reverse_path=self._desk.reverse_path,
                recipient=recipient.addr_spec,
                subject=message.subject,
                in_reply_to=message.message_id,
                references=thread.references_for_reply(message),
                date=now,
                reply_to=thread.reply_address(self._desk.reply_key, thread_id, self._desk.address)
                if self._desk.has_subaddress
                else "",
                is_automatic=False,
            ),
            self._renderer.written(markdown, message.subject, message.language),
        )
        with self._store.unit() as unit:
            return unit.send(thread_id, version, composed, account, now, now + self._undo)

    def raw(self, mail: MailView) -> InboundMessage:
        """The mail read again from its octets. Raises NothingToAnswer where they are gone."""
        return self._message(mail)

    def receipt(self, mail: MailView) -> Receipt:
        """The decision asked again: the mail read anew, the model as it was, the playbook of today.

        It is as if the mail were the first of its thread and nothing had been sent to its sender; `mail.reasons` says
        what decided when it came. Raises NothingToAnswer, PoisonMail.
        """
        if mail.inbound_id is None:
            raise NothingToAnswer("the mail itself is not kept any more")
        with self._store.view() as unit:
            partners = unit.partners()
        with self._store.opened(mail.inbound_id) as content:
            read = self._read(content, None, partners)
        case = Case(
            message=read.message,
            origin=read.origin,
            sender=read.sender,
            classification=_classification(mail),
            facts=read.facts | frozenset(mail.facts),
            history=History(),
            now=mail.stored_at,
            desk_addresses=self._desk.addresses,
        )
        return receipt(case, self.playbook)

    def _message(self, mail: MailView) -> InboundMessage:
        if mail.inbound_id is None:
            raise NothingToAnswer("the mail itself is not kept any more")
        with self._store.opened(mail.inbound_id) as content:
            return self._read(content, None, NO_PARTNERS).message

    def _prepared_markdown(self, mail: MailView, message: InboundMessage) -> str:
        with self._store.view() as unit:
            parts = unit.draft_parts(mail.id)
        if not parts:
            return ""
        name = message.from_.display_name if message.from_ else ""
        letter = Letter(parts, name, message.subject, message.language, Closing.PERSON)
        return self._renderer.render(letter).markdown


def _recipient(message: InboundMessage) -> Address:
    address = reply_address(message)
    if address is None or not is_sendable(address.addr_spec):
        raise NothingToAnswer("the sender of this mail has no address that can be answered")
    return address


def answered_mail(view: ThreadView) -> MailView:
    """The mail that an answer to the thread answers: the newest that came in. Raises NothingToAnswer."""
    incoming = [mail for mail in view.mails if mail.direction == "in"]
    if not incoming:
        raise NothingToAnswer("no mail of this thread came in")
    return incoming[-1]


def is_answered(view: ThreadView) -> bool:
    """Whether the newest mail is an answer of ours that was not cancelled."""
    newest = view.mails[-1] if view.mails else None
    return newest is not None and newest.direction == "out" and newest.answer_state != OutboxState.CANCELLED


def _classification(mail: MailView) -> Classification:
    """What the model said, as far as a decision looks at it."""
    said = dict(mail.actions)
    return Classification(
        intents=tuple(IntentScore(one.intent, one.confidence) for one in mail.intents),
        runner_up=IntentScore(*mail.runner_up) if mail.runner_up else None,
        actions=ActionScores(*(said.get(action.value, 0.0) for action in Action)),
        role=Role(mail.sender[0] or Role.UNKNOWN),
        model_version=mail.model_version,
        abstained=mail.abstained,
    )


def undo_left(due_at: datetime, now: datetime) -> timedelta:
    return max(due_at - now, timedelta(0))
