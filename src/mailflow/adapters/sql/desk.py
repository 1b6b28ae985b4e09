"""The review desk's reads and writes: the queue, a thread with all that is known of it, and what people do.

Rule: pages go by key, never by OFFSET, so that the thousandth costs what the first one does.
Rule: a change names the version it was made on (`_change`); it and its audit event are one transaction.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    delete,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    union,
    update,
)

from mailflow.adapters.rows import correction_view, intent_views, mail_view, outbox_view, queue_row, stored_part
from mailflow.adapters.sql.directory import partner_of
from mailflow.adapters.sql.outbox import TROUBLED, Outbox
from mailflow.adapters.sql.session import (
    AUDIT,
    CLASSIFICATION,
    CORRECTION,
    DECISION,
    DRAFT,
    INBOUND,
    MESSAGE,
    NOTE,
    OUTBOX,
    PARTNER,
    PRESENCE,
    SAVED_VIEW,
    THREAD,
    Call,
    says,
)
from mailflow.adapters.sql.threads import Threads
from mailflow.core.delivery import InboundState, OutboxKind, OutboxState
from mailflow.core.fleet import Role
from mailflow.core.hooks import HookEvent
from mailflow.core.message import OutboundMessage
from mailflow.core.partner import Partner
from mailflow.core.ports import AnswerPart
from mailflow.core.review import (
    MARKED_AS_SPAM,
    Box,
    Correction,
    CorrectionView,
    Filter,
    MailView,
    NoteView,
    Place,
    QueuePage,
    SavedDraft,
    Sort,
    ThreadChanged,
    ThreadView,
    TrailLine,
)
from mailflow.core.review_store import StoredMail
from mailflow.core.storage import OutboxView

MOST_COUNTED = 1_000
"""A box with more threads says `1000+`. Why: counting all of a large box would read all of it."""
_AT_ONCE = 500
_LAST_VERSION = 2**31 - 1
_LOOKED_AT = 10_000
"""Held threads whose values the filter offers, those due first. Why no more: they are read for each page."""
EXCERPT = 400
"""Characters of a mail's text that the queue shows of it, blanks included."""
_ON_THEIR_WAY = (OutboxState.QUEUED, OutboxState.SENDING, OutboxState.FAILED, OutboxState.UNCERTAIN)
PRESENT_FOR = timedelta(seconds=45)
_EQUAL = ("intent", "reason", "role", "trust", "language", "priority", "partner")
"""Fields of a filter that are columns of a thread."""


class DeskWork(Threads, Outbox):
    # ------------------------------------------------------------------ the queue

    def queue(self, filter_: Filter, account: str, now: datetime, after: Place | None, limit: int) -> QueuePage:
        key, descending = _sort_key(filter_)
        query = self._filtered(select(THREAD), filter_, account, now)
        rows = self._db.execute(_from(query, key, descending, after).limit(limit + 1)).all()
        shown = rows[:limit]
        more = len(rows) > limit
        return QueuePage(
            tuple(map(queue_row, shown)), Place(getattr(shown[-1], key.name), shown[-1].id) if more else None
        )

    def beside(self, filter_: Filter, account: str, now: datetime, place: Place) -> tuple[int | None, int | None]:
        key, descending = _sort_key(filter_)
        query = self._filtered(select(THREAD.c.id), filter_, account, now)
        return (
            self._db.scalar(_from(query, key, not descending, place).limit(1)),
            self._db.scalar(_from(query, key, descending, place).limit(1)),
        )

    def excerpts(self, thread_ids: Sequence[int]) -> dict[int, str]:
        newest = select(func.max(MESSAGE.c.id)).where(MESSAGE.c.thread_id.in_(thread_ids), MESSAGE.c.direction == "in")
        rows = self._db.execute(
            select(MESSAGE.c.thread_id, func.substr(MESSAGE.c.text, 1, EXCERPT).label("text")).where(
                MESSAGE.c.id.in_(newest.group_by(MESSAGE.c.thread_id))
            )
        )
        return {row.thread_id: " ".join(row.text.split()) for row in rows}

    def box_counts(self, account: str, now: datetime) -> dict[Box, int]:
        """How many threads each box has, at most MOST_COUNTED."""
        return {
            box: self._bounded(self._filtered(select(THREAD.c.id), Filter(box), account, now))
            for box in Box
            if box not in (Box.ALL, Box.ANSWERED)
        }

    def values_in_queue(self) -> dict[str, list[str]]:
        """What the held threads can be filtered by: each field with the values that occur."""
        names = (*_EQUAL, "assignee")
        waiting = select(*(THREAD.c[name] for name in names)).where(says(THREAD.c.status, "held"))
        held = waiting.order_by(THREAD.c.due_at, THREAD.c.id).limit(_LOOKED_AT).cte("held")
        each = (select(literal(name).label("name"), held.c[name].label("value")) for name in names)
        found: dict[str, list[str]] = {name: [] for name in names}
        for row in self._db.execute(union(*each)):  # a union has each value once
            if row.value:
                found[row.name].append(row.value)
        return {name: sorted(values) for name, values in found.items()}

    def waiting_counts(self) -> tuple[int, int]:
        on_their_way = or_(*(says(OUTBOX.c.state, state) for state in _ON_THEIR_WAY))
        kept = says(INBOUND.c.state, InboundState.QUARANTINED)
        return self._bounded(select(OUTBOX.c.id).where(on_their_way)), self._bounded(select(INBOUND.c.id).where(kept))

    def _bounded(self, query: Select[Any]) -> int:
        """How many rows it has, at most MOST_COUNTED."""
        return self._db.scalar(select(func.count()).select_from(query.limit(MOST_COUNTED).subquery())) or 0

    def _filtered(self, query: Select[Any], filter_: Filter, account: str, now: datetime) -> Select[Any]:
        query = query.where(*_in_box(filter_.box, account, now))
        query = query.where(*(THREAD.c[name] == getattr(filter_, name) for name in _EQUAL if getattr(filter_, name)))
        if filter_.assignee:
            query = query.where(THREAD.c.assignee == ("" if filter_.assignee == "-" else filter_.assignee))
        if filter_.older_than is not None:
            query = query.where(THREAD.c.updated_at < now - filter_.older_than)
        if filter_.query:
            query = query.where(self.threads_with(filter_.query, filter_.box in (Box.ALL, Box.ANSWERED)))
        return query

    # ------------------------------------------------------------------ a thread

    def thread_view(self, thread_id: int, now: datetime) -> ThreadView | None:
        """With all its mails; of a merged one, the thread that took it over."""
        row = self._db.execute(select(THREAD).where(THREAD.c.id == thread_id)).first()
        if row is None:
            return None
        if row.merged_into is not None:
            return self.thread_view(row.merged_into, now)
        notes = self._db.execute(select(NOTE).where(NOTE.c.thread_id == row.id).order_by(NOTE.c.id))
        of_all = AUDIT.c.thread_id.in_(self._merged_into(row.id))
        trail = self._db.execute(select(AUDIT).where(of_all).order_by(AUDIT.c.id))
        return ThreadView(
            queue_row(row),
            self._mails(row.id),
            tuple(NoteView(one.author, one.at, one.text) for one in notes),
            self.draft(row.id),
            tuple(TrailLine(one.at, one.actor, one.kind, one.sentence) for one in trail),
            self._present(row.id, now),
        )

    def mail(self, message_id: int) -> MailView | None:
        found = self._mails_where(MESSAGE.c.id == message_id)
        return found[0] if found else None

    def thread_of_mail(self, message_id: int) -> int | None:
        return self._db.scalar(select(MESSAGE.c.thread_id).where(MESSAGE.c.id == message_id))

    def _mails(self, thread_id: int) -> tuple[MailView, ...]:
        return self._mails_where(MESSAGE.c.thread_id == thread_id)

    def _mails_where(self, condition: ColumnElement[bool]) -> tuple[MailView, ...]:
        rows = self._db.execute(
            select(
                MESSAGE,
                CLASSIFICATION.c.intents,
                CLASSIFICATION.c.runner_up,
                CLASSIFICATION.c.actions,
                CLASSIFICATION.c.abstained,
                CLASSIFICATION.c.explanation,
                DECISION.c.action,
                DECISION.c.reasons,
                DECISION.c.answers,
                DECISION.c.draft,
                DECISION.c.policy_version,
                DECISION.c.model_version,
                INBOUND.c.id.label("inbound_id"),
                OUTBOX.c.state.label("answer_state"),
            )
            .outerjoin(CLASSIFICATION, CLASSIFICATION.c.message_id == MESSAGE.c.id)
            .outerjoin(DECISION, DECISION.c.message_id == MESSAGE.c.id)
            .outerjoin(INBOUND, (INBOUND.c.message_id == MESSAGE.c.id) & (says(INBOUND.c.state, InboundState.DONE)))
            .outerjoin(OUTBOX, OUTBOX.c.message_id == MESSAGE.c.message_id)
            .where(condition)
            .order_by(MESSAGE.c.id)
        )
        return tuple(mail_view(row) for row in rows)

    def draft_parts(self, message_id: int) -> tuple[AnswerPart, ...]:
        row = self._db.execute(
            select(DECISION.c.draft, DECISION.c.answers).where(DECISION.c.message_id == message_id)
        ).first()
        return tuple(map(stored_part, row.draft or row.answers)) if row else ()

    # ------------------------------------------------------------------ what people write

    def draft(self, thread_id: int, *, to_change: bool = False) -> SavedDraft | None:
        """`to_change`: nobody else keeps one there until this unit ends."""
        if to_change:  # the thread's row: where no draft is yet there is no row of it to lock
            self._db.execute(select(THREAD.c.id).where(THREAD.c.id == thread_id).with_for_update())
        row = self._db.execute(select(DRAFT).where(DRAFT.c.thread_id == thread_id)).first()
        return SavedDraft(row.author, row.at, row.markdown, row.canned) if row else None

    def save_draft(self, thread_id: int, draft: SavedDraft, *, replaces: bool = False) -> None:
        """What was begun by somebody else, or what is to be replaced, stays in the trail."""
        other = self.draft(thread_id)
        if other is not None and (replaces or other.author != draft.author):
            self._keep_in_trail(other, draft.markdown, "replaced", draft.author, thread_id, draft.at)
        values = {"author": draft.author, "at": draft.at, "markdown": draft.markdown, "canned": draft.canned}
        insert = self._insert(DRAFT).values(thread_id=thread_id, **values)
        self._db.execute(insert.on_conflict_do_update(index_elements=["thread_id"], set_=values))

    def drop_draft(self, thread_id: int, account: str, now: datetime, sent: str = "") -> None:
        """Its words stay in the trail, unless they are those that were `sent`."""
        draft = self.draft(thread_id)
        if draft is not None:
            self._keep_in_trail(draft, sent, "discarded", account, thread_id, now)
            self._db.execute(delete(DRAFT).where(DRAFT.c.thread_id == thread_id))

    def _keep_in_trail(
        self, draft: SavedDraft, new: str, kind: str, account: str, thread_id: int, now: datetime
    ) -> None:
        """Why whole: somebody wrote it, and may want it back. It is blanked and erased as any other sentence."""
        if draft.markdown.strip() and draft.markdown.split() != new.split():
            sentence = f"the draft of {draft.author}: {draft.markdown.strip()}"
            self._tell(now, account, kind, sentence, thread_id, None)

    def add_note(self, thread_id: int, author: str, text: str, now: datetime) -> None:
        self._insert_row(NOTE, thread_id=thread_id, author=author, at=now, text=text)
        self._tell(now, author, "note", "wrote a note", thread_id, None)

    def send(
        self, thread_id: int, version: int, message: OutboundMessage, account: str, now: datetime, send_at: datetime
    ) -> int:
        """Queue a person's answer; the thread counts as answered. Returns the outbox entry. Raises ThreadChanged.

        An automatic one that still waits there is cancelled: nobody gets two.
        """
        self._cancel_automatic(thread_id, account, now)
        self._change(thread_id, version, now, status="answered", snoozed_until=None, has_draft=False)
        recipient = message.envelope.forward_path.lower()
        entry_id = self._insert_row(
            OUTBOX,
            kind=OutboxKind.PERSON,
            thread_id=thread_id,
            message_id=message.message_id,
            reverse_path=message.envelope.reverse_path,
            recipient=recipient,
            recipient_domain=recipient.rpartition("@")[2],
            subject=message.subject,
            intents=[],
            content=message.content,
            state=OutboxState.QUEUED.value,
            attempts=0,
            queued_at=now,
            due_at=send_at,
        )
        self._save_outgoing(thread_id, message, account, now)
        self.drop_draft(thread_id, account, now, sent=message.markdown)
        self.calls.add(Call(Role.SEND, send_at))
        self._tell(now, account, "queued", f"answer to {recipient}", thread_id, None)
        return entry_id

    def _cancel_automatic(self, thread_id: int, account: str, now: datetime) -> None:
        """Raises ThreadChanged where one is leaving this moment; of one that has left, the thread's version tells."""
        waiting = OUTBOX.c.state.in_([OutboxState.QUEUED, OutboxState.SENDING])
        rows = self._db.execute(
            select(OUTBOX.c.id, OUTBOX.c.state)
            .where(OUTBOX.c.thread_id == thread_id, OUTBOX.c.kind == OutboxKind.AUTOMATIC, waiting)
            .order_by(OUTBOX.c.id)
            .with_for_update()
        ).all()
        for row in rows:
            if not self._move_outbox(row.id, OutboxState.QUEUED, OutboxState.CANCELLED, finished_at=now):
                raise ThreadChanged(f"thread {thread_id} is being answered this moment: look again, then decide")
            self._tell_of_outbox(row.id, OutboxState.CANCELLED, "a person answers in its place", now, account)

    def cancel_outbox(self, entry_id: int, now: datetime, actor: str) -> bool:
        """What was written is a draft again, unless somebody has begun another one meanwhile.

        The thread is due when it was before. Why: that somebody thought better of it makes nobody late.
        """
        of = select(OUTBOX.c.thread_id).where(OUTBOX.c.id == entry_id).scalar_subquery()
        due_at = self._db.scalar(select(THREAD.c.due_at).where(THREAD.c.id == of))
        if not super().cancel_outbox(entry_id, now, actor):
            return False
        if due_at is not None:
            self._db.execute(update(THREAD).where(THREAD.c.id == of).values(due_at=due_at))
        row = self._db.execute(
            select(MESSAGE.c.thread_id, MESSAGE.c.author, MESSAGE.c.parsed)
            .join(OUTBOX, OUTBOX.c.message_id == MESSAGE.c.message_id)
            .where(OUTBOX.c.id == entry_id)
        ).first()
        if row is None:
            return True
        self._db.execute(update(THREAD).where(THREAD.c.id == row.thread_id).values(has_draft=True))
        markdown = row.parsed.get("markdown", "")
        if markdown and self.draft(row.thread_id) is None:
            self.save_draft(row.thread_id, SavedDraft(row.author, now, markdown))
        return True

    def outbox_of_thread(self, thread_id: int) -> list[OutboxView]:
        is_open = OUTBOX.c.state.not_in([OutboxState.SENT, OutboxState.CANCELLED])
        return self._outbox_where((OUTBOX.c.thread_id == thread_id) & is_open)

    def outbox_entry(self, entry_id: int) -> OutboxView | None:
        return next(iter(self._outbox_where(OUTBOX.c.id == entry_id)), None)

    def _outbox_where(self, condition: ColumnElement[bool]) -> list[OutboxView]:
        rows = self._db.execute(select(OUTBOX).where(condition).order_by(OUTBOX.c.id.desc()))
        return [outbox_view(row) for row in rows]

    def partner(self, company: str) -> Partner | None:
        rows = self._db.execute(select(PARTNER).where(PARTNER.c.company == company).order_by(PARTNER.c.domain)).all()
        return partner_of(list(rows)) if rows else None

    # ------------------------------------------------------------------ what people decide

    def _change(self, thread_id: int, version: int | None, now: datetime, **values: Any) -> None:
        """Compare-and-set on the version that was seen; None where it does not matter. Raises ThreadChanged."""
        where = (THREAD.c.id == thread_id) & THREAD.c.merged_into.is_(None)
        if version is not None:
            # beyond what the column holds, PostgreSQL would not even compare
            where &= THREAD.c.version == version if 0 <= version <= _LAST_VERSION else false()
        changed = self._run(update(THREAD).where(where).values(version=THREAD.c.version + 1, updated_at=now, **values))
        if not changed:
            raise ThreadChanged(f"thread {thread_id} has changed since you looked at it: look again, then decide")

    def set_status(
        self, thread_id: int, version: int | None, status: str, account: str, now: datetime, why: str = ""
    ) -> None:
        """Raises ThreadChanged."""
        values: dict[str, Any] = {"status": status, "snoozed_until": None}
        if status == "held":
            values["due_at"] = now
        self._change(thread_id, version, now, **values)
        self._tell(now, account, status, why or f"set to {status}", thread_id, None)

    def take_back(
        self, thread_id: int, version: int, asleep_until: datetime | None, account: str, now: datetime
    ) -> None:
        """It waits for a person as it did before he closed it, or put it to sleep, due when it was.

        What marked it as spam is taken back too: no model learns from a slip. Raises ThreadChanged.
        """
        values: dict[str, Any] = {"status": "held", "snoozed_until": asleep_until}
        last = self._db.execute(select(AUDIT).where(AUDIT.c.thread_id == thread_id).order_by(AUDIT.c.id.desc())).first()
        said = select(CORRECTION).where(CORRECTION.c.thread_id == thread_id).order_by(CORRECTION.c.id.desc())
        slip = self._db.execute(said).first() if last is not None and last.kind == "corrected" else None
        is_spam = slip is not None and (slip.author, slip.why) == (account, MARKED_AS_SPAM)
        if slip is not None and is_spam:
            values["intent"] = self._intent_before(slip)
        self._change(thread_id, version, now, **values)
        if slip is not None and is_spam:
            self._db.execute(delete(CORRECTION).where(CORRECTION.c.id == slip.id))
            self._tell(now, account, "withdrew", "that it is spam", thread_id, None)
        self._tell(now, account, "held", "taken back", thread_id, None)

    def _intent_before(self, slip: Row[Any]) -> str:
        """Of the thread, without the correction `slip`: as somebody had said before, or as the model does."""
        of_mail = (CORRECTION.c.message_id == slip.message_id) & (CORRECTION.c.id < slip.id)
        before = self._db.execute(select(CORRECTION).where(of_mail).order_by(CORRECTION.c.id.desc())).first()
        said = before.intents if before is not None else slip.predicted
        return said[0] if said else ""

    def thread_version(self, thread_id: int) -> int:
        return self._db.scalar(select(THREAD.c.version).where(THREAD.c.id == thread_id)) or 0

    def assign(self, thread_id: int, version: int | None, assignee: str, account: str, now: datetime) -> None:
        """'' for nobody. Raises ThreadChanged."""
        self._change(thread_id, version, now, assignee=assignee)
        self._tell(now, account, "assigned", f"to {assignee}" if assignee else "to nobody", thread_id, None)

    def snooze(self, thread_id: int, version: int | None, until: datetime, account: str, now: datetime) -> None:
        """Raises ThreadChanged."""
        self._change(thread_id, version, now, snoozed_until=until)
        self._tell(now, account, "snoozed", f"until {until:%Y-%m-%d %H:%M} UTC", thread_id, None)

    def escalate(self, thread_id: int, version: int | None, why: str, account: str, now: datetime) -> None:
        """It becomes urgent, due at once, and held if it was not. Raises ThreadChanged."""
        self._change(thread_id, version, now, priority="urgent", due_at=now, status="held", snoozed_until=None)
        self._tell(now, account, "escalated", why or "made urgent", thread_id, None)
        self._call_out(HookEvent.ESCALATED, thread_id, now)

    def split(self, message_id: int, account: str, now: datetime) -> int | None:
        """Make a thread of its own of a mail and those after it by the same sender. None: it is the first of its own.

        Returns the new thread.
        """
        mail = self._db.execute(select(MESSAGE).where(MESSAGE.c.id == message_id)).first()
        if mail is None:
            return None
        old = self._db.execute(select(THREAD).where(THREAD.c.id == mail.thread_id)).one()
        first = self._db.scalar(select(func.min(MESSAGE.c.id)).where(MESSAGE.c.thread_id == mail.thread_id))
        if first == message_id:
            return None
        values = {name: value for name, value in old._mapping.items() if name not in ("id", "version")}
        values |= {"subject": mail.subject, "requester": mail.from_addr, "status": "held", "due_at": now}
        values |= {"assignee": "", "snoozed_until": None, "has_draft": False} | self._understood_of(mail)
        new = self._insert_row(THREAD, **values | {"updated_at": now, "created_at": now, "trouble": ""})
        self._move_mails(MESSAGE.c.id >= message_id, mail.thread_id, new, mail.from_addr)
        self._change(mail.thread_id, None, now)
        self._tell(now, account, "split", f"a mail went into thread {new} of its own", mail.thread_id, None)
        self._tell(now, account, "split", f"came out of thread {mail.thread_id}", new, None)
        return new

    def _understood_of(self, mail: Row[Any]) -> dict[str, Any]:
        """What a queue shows of a mail that was decided; of another one nothing is known."""
        said = self._db.execute(
            select(
                CLASSIFICATION.c.primary_intent,
                CLASSIFICATION.c.role,
                DECISION.c.reasons,
                DECISION.c.priority,
                DECISION.c.queue,
                DECISION.c.draft,
            )
            .join(DECISION, DECISION.c.message_id == CLASSIFICATION.c.message_id)
            .where(CLASSIFICATION.c.message_id == mail.id)
        ).first()
        if said is None:
            return {}
        sender = mail.parsed.get("sender", {})
        role = sender.get("role", "unknown")
        return {
            "intent": said.primary_intent,
            "reason": said.reasons[0]["code"] if said.reasons else "",
            "role": said.role if role == "unknown" else role,
            "trust": sender.get("trust", ""),
            "partner": sender.get("partner", ""),
            "priority": said.priority,
            "queue": said.queue,
            "has_draft": bool(said.draft),
        }

    def _move_mails(self, which: ColumnElement[bool], from_: int, to: int, sender: str) -> None:
        mine = which & (MESSAGE.c.thread_id == from_)
        mine &= (MESSAGE.c.from_addr == sender) | (MESSAGE.c.direction == "out")
        self._move_answers(mine, from_, to)
        self._db.execute(update(MESSAGE).where(mine).values(thread_id=to))

    def _move_answers(self, mails: ColumnElement[bool], from_: int, to: int) -> None:
        """How far they are goes with those of `mails` that are answers of ours, and so does the trouble with them."""
        answers = select(MESSAGE.c.message_id).where(mails, MESSAGE.c.direction == "out")
        if self._run(update(OUTBOX).where(OUTBOX.c.message_id.in_(answers)).values(thread_id=to)):
            for thread_id in (from_, to):
                of = select(OUTBOX.c.state).where(OUTBOX.c.thread_id == thread_id, OUTBOX.c.state.in_(TROUBLED))
                trouble = self._db.scalar(of.order_by(OUTBOX.c.id.desc()).limit(1)) or ""
                self._db.execute(update(THREAD).where(THREAD.c.id == thread_id).values(trouble=trouble))

    def move_mail(self, message_id: int, to: int, account: str, now: datetime) -> bool:
        """One mail goes into another thread ("possible reply to #123"). False if there is no such mail or thread."""
        mail = self._db.execute(select(MESSAGE).where(MESSAGE.c.id == message_id)).first()
        target = self._db.scalar(select(THREAD.c.id).where(THREAD.c.id == to, THREAD.c.merged_into.is_(None)))
        if mail is None or target is None or mail.thread_id == to:
            return False
        self._move_answers(MESSAGE.c.id == message_id, mail.thread_id, to)
        self._db.execute(
            update(MESSAGE).where(MESSAGE.c.id == message_id).values(thread_id=to, suggested_thread_id=None)
        )
        self._change(to, None, now, status="held", due_at=now)
        self._tell(now, account, "moved", f"a mail came from thread {mail.thread_id}", to, None)
        self._tell(now, account, "moved", f"a mail went into thread {to}", mail.thread_id, None)
        if not self._db.scalar(select(func.count()).where(MESSAGE.c.thread_id == mail.thread_id)):
            self._change(mail.thread_id, None, now, status="closed")
        else:
            self._change(mail.thread_id, None, now)
        return True

    # ------------------------------------------------------------------ corrections

    def correct(self, correction: Correction, account: str, now: datetime) -> None:
        """Keep what a person says beside what the model said. The thread shows the person's word from now on."""
        mail = self._db.execute(
            select(MESSAGE.c.thread_id, CLASSIFICATION.c.intents, DECISION.c.action)
            .join(CLASSIFICATION, CLASSIFICATION.c.message_id == MESSAGE.c.id)
            .join(DECISION, DECISION.c.message_id == MESSAGE.c.id)
            .where(MESSAGE.c.id == correction.message_id)
        ).first()
        if mail is None:
            raise ThreadChanged(f"mail {correction.message_id} was never classified: there is nothing to correct")
        predicted = [one.intent for one in intent_views(mail.intents)]
        self._insert_row(
            CORRECTION,
            message_id=correction.message_id,
            thread_id=mail.thread_id,
            author=account,
            at=now,
            intents=list(correction.intents),
            action=correction.action,
            role=correction.role,
            why=correction.why,
            predicted=predicted,
            predicted_action=mail.action,
        )
        self._change(mail.thread_id, None, now, intent=correction.intents[0] if correction.intents else "")
        said = ", ".join(correction.intents) or "none of ours"
        sentence = f"{', '.join(predicted) or 'nothing'} is {said} ({correction.action})"
        self._tell(now, account, "corrected", sentence, mail.thread_id, None)

    def corrections(self, limit: int, since: datetime | None = None) -> list[CorrectionView]:
        """Newest first."""
        query = select(CORRECTION).order_by(CORRECTION.c.id.desc()).limit(limit)
        if since is not None:
            query = query.where(CORRECTION.c.at >= since)
        return [correction_view(row) for row in self._db.execute(query)]

    def corrections_of(self, thread_id: int) -> list[CorrectionView]:
        query = select(CORRECTION).where(CORRECTION.c.thread_id == thread_id).order_by(CORRECTION.c.id.desc())
        return [correction_view(row) for row in self._db.execute(query)]

    def stored_mails(self, since: datetime | None, limit: int) -> list[StoredMail]:
        newest = select(MESSAGE.c.id).where(MESSAGE.c.direction == "in", MESSAGE.c.sha256.is_not(None))
        if since is not None:
            newest = newest.where(MESSAGE.c.stored_at >= since)
        newest = newest.order_by(MESSAGE.c.id.desc()).limit(limit)
        is_done = func.coalesce(INBOUND.c.state, "") == InboundState.DONE
        rows = self._db.execute(
            select(MESSAGE, INBOUND.c.id.label("inbound_id"), INBOUND.c.received_at)
            .join(INBOUND, (INBOUND.c.message_id == MESSAGE.c.id) & is_done)
            .where(MESSAGE.c.id.in_(newest))
            .order_by(MESSAGE.c.id)
        ).all()
        said = self._said_of([row.id for row in rows])
        return [
            StoredMail(
                row.inbound_id, row.id, row.thread_id, row.subject, row.from_addr, row.received_at, said.get(row.id)
            )
            for row in rows
        ]

    def _said_of(self, message_ids: Sequence[int]) -> dict[int, Correction]:
        """The newest correction of each mail."""
        found: dict[int, Correction] = {}
        for start in range(0, len(message_ids), _AT_ONCE):
            part = message_ids[start : start + _AT_ONCE]
            rows = self._db.execute(
                select(CORRECTION).where(CORRECTION.c.message_id.in_(part)).order_by(CORRECTION.c.id)
            )
            found |= {
                row.message_id: Correction(row.message_id, tuple(row.intents), row.action, row.role, row.why)
                for row in rows
            }
        return found

    def tell(self, actor: str, kind: str, sentence: str, now: datetime) -> None:
        self._tell(now, actor, kind, sentence, None, None)

    # ------------------------------------------------------------------ people

    def look(self, thread_id: int, account: str, now: datetime) -> tuple[str, ...]:
        """Note that `account` looks at the thread. Returns who does now; () where there is no such thread."""
        if self._db.scalar(select(THREAD.c.id).where(THREAD.c.id == thread_id)) is None:
            return ()
        insert = self._insert(PRESENCE).values(thread_id=thread_id, account=account, seen_at=now)
        self._db.execute(insert.on_conflict_do_update(index_elements=["thread_id", "account"], set_={"seen_at": now}))
        return self._present(thread_id, now)

    def _present(self, thread_id: int, now: datetime) -> tuple[str, ...]:
        seen = (PRESENCE.c.thread_id == thread_id) & (PRESENCE.c.seen_at > now - PRESENT_FOR)
        return tuple(self._db.scalars(select(PRESENCE.c.account).where(seen).order_by(PRESENCE.c.account)))

    def saved_views(self, account: str) -> list[tuple[int, str, str]]:
        """(id, name, query string)."""
        rows = self._db.execute(select(SAVED_VIEW).where(SAVED_VIEW.c.account == account).order_by(SAVED_VIEW.c.name))
        return [(row.id, row.name, row.query) for row in rows]

    def save_view(self, account: str, name: str, query: str) -> None:
        self._db.execute(delete(SAVED_VIEW).where(SAVED_VIEW.c.account == account, SAVED_VIEW.c.name == name))
        self._insert_row(SAVED_VIEW, account=account, name=name, query=query)

    def drop_view(self, account: str, view_id: int) -> None:
        self._db.execute(delete(SAVED_VIEW).where(SAVED_VIEW.c.account == account, SAVED_VIEW.c.id == view_id))

    def news(self, after: int, limit: int) -> tuple[int, list[int]]:
        """The newest audit event, and the threads that events after `after` are about: what pages show anew."""
        rows = self._db.execute(
            select(AUDIT.c.id, AUDIT.c.thread_id).where(AUDIT.c.id > after).order_by(AUDIT.c.id).limit(limit)
        ).all()
        newest = rows[-1].id if rows else after
        return newest, sorted({row.thread_id for row in rows if row.thread_id is not None})

    def newest_event(self) -> int:
        return self._db.scalar(select(func.max(AUDIT.c.id))) or 0


def _from(query: Select[Any], key: Any, descending: bool, after: Place | None) -> Select[Any]:
    """In the order of `key`, what comes behind `after`."""
    if after is not None:
        here = (key < after.at) if descending else (key > after.at)
        further = THREAD.c.id < after.thread_id if descending else THREAD.c.id > after.thread_id
        query = query.where(or_(here, and_(key == after.at, further)))
    return query.order_by(*((key.desc(), THREAD.c.id.desc()) if descending else (key, THREAD.c.id)))


def _sort_key(filter_: Filter) -> tuple[Any, bool]:
    """(column, whether descending). What is answered is due for nobody: there the newest comes first."""
    by_time = {Sort.NEWEST: (THREAD.c.updated_at, True), Sort.OLDEST: (THREAD.c.updated_at, False)}
    if filter_.sort in by_time:
        return by_time[filter_.sort]
    return by_time[Sort.NEWEST] if filter_.box in (Box.ALL, Box.ANSWERED) else (THREAD.c.due_at, False)


def _in_box(box: Box, account: str, now: datetime) -> list[ColumnElement[bool]]:
    held = says(THREAD.c.status, "held")
    awake = or_(THREAD.c.snoozed_until.is_(None), THREAD.c.snoozed_until <= now)
    # of the other boxes it is known: a thread that went into another is closed
    is_whole = THREAD.c.merged_into.is_(None)
    lists: dict[Box, list[ColumnElement[bool]]] = {
        Box.HELD: [held, awake],
        Box.DRAFTS: [held, awake, THREAD.c.has_draft],
        Box.TROUBLE: [THREAD.c.trouble != literal_column("''"), is_whole],
        Box.MINE: [THREAD.c.assignee == account, THREAD.c.assignee != literal_column("''"), held],
        Box.SNOOZED: [held, THREAD.c.snoozed_until > now],
        Box.ANSWERED: [says(THREAD.c.status, "answered")],
        Box.ALL: [is_whole],
    }
    return lists[box]
