"""One requester, table by table. The rules: core/retention.py.

Rule: in the threads in which he took part he is known by his address and his names, everywhere else by his address
alone. Why: others bear his name too.
Rule: on SQLite the index of words is merged afterwards until nothing of what was deleted is left in it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from sqlalchemy import (
    Column,
    ColumnElement,
    Row,
    Table,
    Text,
    bindparam,
    cast,
    delete,
    func,
    or_,
    select,
    text,
    true,
    update,
)

from mailflow.adapters.sql.forgetting import GONE_OUT, Forgetting, chunks, listed
from mailflow.adapters.sql.outbox import TROUBLED
from mailflow.adapters.sql.session import (
    AUDIT,
    CLASSIFICATION,
    CORRECTION,
    DECISION,
    DRAFT,
    HOOK,
    INBOUND,
    MESSAGE,
    MUTE,
    NOTE,
    OUTBOX,
    RAW,
    RECEIPT,
    SAVED_VIEW,
    THREAD,
)
from mailflow.core.delivery import InboundState, OutboxKind, OutboxState
from mailflow.core.retention import (
    ERASED,
    Counts,
    Person,
    Receipt,
    cleaned,
    kept_evidence,
    names_him,
    own_words,
    without,
)

_WAITING = (InboundState.RECEIVED, InboundState.PROCESSING)
_WINDOW = 5_000
"""Events of the audit trail that one statement looks at."""
_MERGED_PAGES = 500
_WRITTEN: tuple[tuple[Table, Column[str]], ...] = (
    (NOTE, NOTE.c.text),
    (DRAFT, DRAFT.c.markdown),
    (CORRECTION, CORRECTION.c.why),
)
"""What people wrote about a thread."""
_NAMED_IN_PASSING: tuple[tuple[Table, Column[str]], ...] = (
    (THREAD, THREAD.c.subject),
    (THREAD, THREAD.c.subject_key),
    (OUTBOX, OUTBOX.c.subject),
    (OUTBOX, OUTBOX.c.error),
    (INBOUND, INBOUND.c.error),
    (MUTE, MUTE.c.reason),
    (HOOK, HOOK.c.error),
)
"""Subjects, and what servers said."""


class Erasing(Forgetting):
    # ------------------------------------------------------------------ finding

    def threads_of(self, address: str) -> list[int]:
        """Where he asked, wrote or was written to."""
        found = {*self._db.scalars(select(THREAD.c.id).where(THREAD.c.requester == address))}
        found |= {*self._db.scalars(select(MESSAGE.c.thread_id).where(self._is_from(address)))}
        found |= {*self._db.scalars(select(OUTBOX.c.thread_id).where(OUTBOX.c.recipient == address))}
        return sorted(one for one in found if one is not None)

    def mails_of(self, address: str, limit: int) -> list[int]:
        """Ledger rows of his mails whose bytes are here, newest first."""
        return [
            *self._db.scalars(
                select(INBOUND.c.id)
                .join(MESSAGE, MESSAGE.c.id == INBOUND.c.message_id)
                .join(RAW, RAW.c.sha256 == INBOUND.c.sha256)
                .where(self._is_from(address), RAW.c.emptied_at.is_(None))
                .order_by(INBOUND.c.id.desc())
                .limit(limit)
            )
        ]

    def _is_from(self, address: str) -> ColumnElement[bool]:
        """In whatever capitals; of letters beyond ASCII databases do not know them."""
        if address.isascii():
            return func.lower(MESSAGE.c.from_addr) == address
        written = self._db.scalars(select(MESSAGE.c.from_addr).distinct())
        return MESSAGE.c.from_addr.in_([one for one in written if one.lower() == address])

    def undecided_mails(self) -> list[tuple[int, bool]]:
        """(ledger row, whether it is in quarantine) of the mails that belong to no thread yet."""
        states = [*_WAITING, InboundState.QUARANTINED]
        rows = self._db.execute(
            select(INBOUND.c.id, INBOUND.c.state)
            .join(RAW, RAW.c.sha256 == INBOUND.c.sha256)
            .where(INBOUND.c.state.in_(states), RAW.c.emptied_at.is_(None))
            .order_by(INBOUND.c.id)
        )
        return [(row.id, row.state == InboundState.QUARANTINED) for row in rows]

    def mails_about(self, person: Person, except_threads: Sequence[int]) -> list[int]:
        """Mails in other threads that name him."""
        columns = (MESSAGE.c.subject, MESSAGE.c.text, cast(MESSAGE.c.parsed, Text))
        rows = self._db.execute(
            select(MESSAGE.c.id, MESSAGE.c.subject, MESSAGE.c.text, MESSAGE.c.parsed)
            .where(_is_none_of(MESSAGE.c.thread_id, except_threads), _may_name(person, columns))
            .order_by(MESSAGE.c.id)
            .execution_options(yield_per=100)
        )
        pattern = person.pattern
        return [row.id for row in rows if names_him([row.subject, row.text, row.parsed], pattern)]

    # ------------------------------------------------------------------ taking away

    def erase_from_thread(self, thread_id: int, person: Person, now: datetime) -> Counts:
        """His mails and the answers to him; what others wrote there stays without him.

        While an answer to him is on its way nothing is taken away. Why: its decision must not go before it.
        """
        self._overwrite_what_is_deleted()
        to_him = (OUTBOX.c.thread_id == thread_id) & (OUTBOX.c.recipient == person.address)
        thread, left = self._still(thread_id, to_him)
        if thread is None or left:
            return Counts(left=left)
        mails = self._db.execute(select(MESSAGE).where(MESSAGE.c.thread_id == thread_id).order_by(MESSAGE.c.id)).all()
        others = [one for one in mails if not _is_his(one, person)]
        counts = Counts(answers=self._run(delete(OUTBOX).where(to_him)))
        counts = counts.plus(self._remove_mails([one for one in mails if _is_his(one, person)], ERASED, now))
        for one in others:
            counts = counts.plus(self._clean_mail(one, person, now))
        is_gone = not others
        if is_gone:
            notes = self._remove_threads([thread_id], ERASED) + self._remove_calls(thread_id)
            counts = counts.plus(Counts(threads=1, notes=notes))
        else:
            counts = counts.plus(Counts(notes=self._clean_thread(thread, others, person)))
        is_his = is_gone or thread.requester == person.address
        return counts.plus(Counts(audit_sentences=self._blank_thread(thread_id, None if is_his else person)))

    def _still(self, thread_id: int, to_him: ColumnElement[bool]) -> tuple[Row[Any] | None, int]:
        """The thread, and how many answers to him are on their way. From here to the commit neither changes.

        Answers first, as whoever claims, sends or cancels one does: else each could wait for the other.
        """
        of_thread = select(OUTBOX.c.id).where(OUTBOX.c.thread_id == thread_id).order_by(OUTBOX.c.id)
        held = {*self._db.scalars(of_thread.with_for_update())}
        thread = self._db.execute(select(THREAD).where(THREAD.c.id == thread_id).with_for_update()).first()
        rows = self._db.execute(select(OUTBOX.c.id, OUTBOX.c.state).where(to_him)).all()
        # one that a person queued between the two can still be claimed
        return thread, sum(row.state == OutboxState.SENDING or row.id not in held for row in rows)

    def erase_from_mail(self, message_id: int, person: Person, now: datetime) -> Counts:
        """What somebody else wrote about him in a thread in which he took no part."""
        self._overwrite_what_is_deleted()
        mail = self._db.execute(select(MESSAGE).where(MESSAGE.c.id == message_id)).first()
        if mail is None or _is_his(mail, person):
            return Counts()
        thread = self._db.execute(select(THREAD).where(THREAD.c.id == mail.thread_id)).first()
        notes = self._clean_thread(thread, [mail], person) if thread is not None else 0
        return self._clean_mail(mail, person, now).plus(Counts(notes=notes))

    def erase_undecided(self, inbound_id: int, now: datetime) -> Counts:
        """A mail of his in quarantine; nobody need look at it any more."""
        self._overwrite_what_is_deleted()
        where = (INBOUND.c.id == inbound_id) & (INBOUND.c.state == InboundState.QUARANTINED)
        sha256 = self._db.scalar(select(INBOUND.c.sha256).where(where))
        if sha256 is None:
            return Counts(left=1)
        if not self._run(update(INBOUND).where(where).values(state=InboundState.DONE, error=ERASED)):
            return Counts(left=1)  # a person lets it be tried again since a moment ago
        blanked = self._blank((AUDIT.c.thread_id.is_(None)) & (AUDIT.c.inbound_id == inbound_id), ERASED)
        return Counts(mails=1, raw_mails=self._empty_raw([sha256], now), audit_sentences=blanked)

    def erase_elsewhere(self, person: Person, except_threads: Sequence[int]) -> Counts:
        """Digests and mutes; what names him in views, and in other threads in notes, calls and subjects."""
        self._overwrite_what_is_deleted()
        pattern, address = person.pattern, person.address
        mutes = self._run(delete(MUTE).where(MUTE.c.address == address))
        digests = delete(OUTBOX).where(OUTBOX.c.kind == OutboxKind.DIGEST, OUTBOX.c.state.in_(GONE_OUT))
        notes = self._run(digests)
        for table, column in _WRITTEN:
            notes += self._clean_column(table, column, person, _is_none_of(table.c.thread_id, except_threads))
        for table, column in _NAMED_IN_PASSING:
            self._clean_column(table, column, person, true())
        others = _is_none_of(HOOK.c.thread_id, except_threads) & (HOOK.c.state != "sending")
        for row in self._db.execute(select(HOOK.c.id, HOOK.c.body).where(others)).all():
            if names_him(row.body, pattern):
                notes += self._run(delete(HOOK).where(HOOK.c.id == row.id, HOOK.c.state != "sending"))
        for row in self._db.execute(select(SAVED_VIEW.c.id, SAVED_VIEW.c.query)).all():
            if address in unquote_plus(row.query).lower():
                notes += self._run(delete(SAVED_VIEW).where(SAVED_VIEW.c.id == row.id))
        return Counts(mutes=mutes, notes=notes)

    def erase_from_trail(self, person: Person, except_threads: Sequence[int], after: int) -> tuple[int | None, Counts]:
        """Sentences of other threads that name him, the next few. Returns the last event looked at, None at the end."""
        last = self._db.scalar(select(func.max(AUDIT.c.id)).where(AUDIT.c.id > after, AUDIT.c.id <= after + _WINDOW))
        if last is None:
            following = self._db.scalar(select(func.min(AUDIT.c.id)).where(AUDIT.c.id > after))
            return (None if following is None else following - 1), Counts()
        is_other = _is_none_of(func.coalesce(AUDIT.c.thread_id, 0), except_threads)
        window = (AUDIT.c.id > after) & (AUDIT.c.id <= last) & is_other
        return last, Counts(audit_sentences=self._blank_naming(window, person))

    # ------------------------------------------------------------------ receipts

    def keep_receipt(self, address_hmac: str, counts: Counts, now: datetime, actor: str, version: str) -> Receipt:
        values = {"at": now, "actor": actor, "address_hmac": address_hmac, "version": version}
        number = self._insert_row(RECEIPT, **values, counts=counts.as_dict)
        self._tell(now, actor, "erased", f"a requester, receipt {number}: {listed(counts)}", None, None)
        return Receipt(number, now, actor, address_hmac, counts, version)

    def receipts(self, address_hmac: str) -> list[Receipt]:
        rows = self._db.execute(select(RECEIPT).where(RECEIPT.c.address_hmac == address_hmac).order_by(RECEIPT.c.id))
        return [Receipt(row.id, row.at, row.actor, row.address_hmac, Counts(**row.counts), row.version) for row in rows]

    def merge_index(self, *, begins: bool) -> bool:
        """Bring the index of words on SQLite a step nearer to one without deleted words. Whether there is more."""
        if self._db.dialect.name != "sqlite":
            return False
        before = self._db.scalar(text("SELECT total_changes()")) or 0
        pages = -_MERGED_PAGES if begins else _MERGED_PAGES
        self._db.execute(
            text("INSERT INTO message_search (message_search, rank) VALUES ('merge', :pages)"), {"pages": pages}
        )
        return (self._db.scalar(text("SELECT total_changes()")) or 0) - before >= 2

    # ------------------------------------------------------------------ parts

    def _blank_naming(self, where: ColumnElement[bool], person: Person) -> int:
        pattern = person.pattern
        may_name = _may_name(person, (AUDIT.c.sentence,))
        rows = self._db.execute(select(AUDIT.c.id, AUDIT.c.sentence).where(where, may_name)).all()
        ids = [row.id for row in rows if pattern.search(row.sentence)]
        return sum(self._blank(AUDIT.c.id.in_(some), ERASED) for some in chunks(ids))

    def _blank_thread(self, thread_id: int, person: Person | None) -> int:
        """All sentences of a thread, or those that name `person`."""
        where = AUDIT.c.thread_id == thread_id
        return self._blank(where, ERASED) if person is None else self._blank_naming(where, person)

    def _clean_mail(self, mail: Row[Any], person: Person, now: datetime) -> Counts:
        """What somebody else wrote, without him; an answer to somebody else that has not gone out stays for now."""
        ours = OUTBOX.c.message_id == mail.message_id
        if self._count(ours & OUTBOX.c.state.not_in(GONE_OUT)):
            return Counts(left=1)
        pattern, parsed = person.pattern, dict(mail.parsed)
        kept = without(own_words(mail.text, parsed.get("new_spans", ())), pattern)
        if mail.direction == "in":
            parsed |= {"new_spans": [[0, len(kept)]], "content_spans": [[0, len(kept)]]}
        parsed = dict(cleaned(parsed, pattern))  # type: ignore[call-overload]  # a dict stays one
        subject = without(mail.subject, pattern)
        values = {"text": kept, "subject": subject, "parsed": parsed, "sha256": None}
        self._db.execute(update(MESSAGE).where(MESSAGE.c.id == mail.id).values(values))
        self._clean_reasons(mail.id, kept, person)
        files = [one["filename"] for one in parsed.get("attachments", ())]
        self.forget_mails([mail.id])
        self.index_mail(mail.id, subject, mail.from_addr, kept, *files)
        self._db.execute(update(OUTBOX).where(ours).values(content=b"", subject=subject))
        hashes = self._db.scalars(select(INBOUND.c.sha256).where(INBOUND.c.message_id == mail.id).distinct()).all()
        return Counts(mails_of_others=1, raw_mails=self._empty_raw(hashes, now))

    def _clean_reasons(self, message_id: int, kept: str, person: Person) -> None:
        """Of why it was decided so: without him, and without words that are not in the mail any more."""
        pattern = person.pattern
        why = self._db.execute(select(CLASSIFICATION).where(CLASSIFICATION.c.message_id == message_id)).first()
        if why is not None:
            slots = [one for one in why.explanation.get("slots", ()) if one.get("text", "") in kept]
            values = {
                "intents": cleaned(kept_evidence(why.intents, kept), pattern),
                "explanation": cleaned({**why.explanation, "slots": slots}, pattern),
            }
            self._db.execute(update(CLASSIFICATION).where(CLASSIFICATION.c.id == why.id).values(values))
        decision = self._db.execute(select(DECISION).where(DECISION.c.message_id == message_id)).first()
        if decision is not None and names_him(decision.reasons, pattern):
            reasons = cleaned(decision.reasons, pattern)
            self._db.execute(update(DECISION).where(DECISION.c.id == decision.id).values(reasons=reasons))

    def _clean_thread(self, thread: Row[Any], others: Sequence[Row[Any]], person: Person) -> int:
        """A thread that goes on without him. Returns how many notes were changed."""
        pattern = person.pattern
        values: dict[str, Any] = {"subject": without(thread.subject, pattern), "version": THREAD.c.version + 1}
        if thread.requester == person.address:
            wrote = [one.from_addr.lower() for one in others if one.direction == "in"]
            values |= {"requester": wrote[0] if wrote else "", "subject": ERASED, "subject_key": "", "partner": ""}
        if not self._count((OUTBOX.c.thread_id == thread.id) & OUTBOX.c.state.in_(TROUBLED)):
            values["trouble"] = ""
        self._db.execute(update(THREAD).where(THREAD.c.id == thread.id).values(values))
        notes = sum(
            self._clean_column(table, column, person, table.c.thread_id == thread.id) for table, column in _WRITTEN
        )
        return notes + self._remove_calls(thread.id)

    def _remove_calls(self, thread_id: int) -> int:
        """To other systems; one that is being made stays."""
        return self._run(delete(HOOK).where(HOOK.c.thread_id == thread_id, HOOK.c.state != "sending"))

    def _clean_column(self, table: Table, column: Column[str], person: Person, where: ColumnElement[bool]) -> int:
        """How many rows named him."""
        pattern, name, changed = person.pattern, column.name, 0
        (key,) = table.primary_key.columns
        for row in self._db.execute(select(key, column).where(where, _may_name(person, (column,)))).all():
            if pattern.search(row[1]):
                clean = update(table).where(key == row[0]).values({name: without(row[1], pattern)})
                changed += self._run(clean)
        return changed


def _is_his(mail: Row[Any], person: Person) -> bool:
    """Whether he wrote it, or it was written to him alone."""
    if mail.direction == "in":
        return bool(mail.from_addr.lower() == person.address)
    return [one.lower() for one in mail.parsed.get("to", ())] == [person.address]


def _is_none_of(column: ColumnElement[Any], ids: Sequence[int]) -> ColumnElement[bool]:
    """Written out and not bound: a statement has at most 32,766 parameters on SQLite, 65,535 on PostgreSQL."""
    return column.not_in(bindparam(None, ids, unique=True, expanding=True, literal_execute=True))


def _may_name(person: Person, columns: Iterable[ColumnElement[Any]]) -> ColumnElement[bool]:
    """A first look, by the database; whether it is really he, the pattern says.

    Everything may, where it would look for letters beyond ASCII: not every database knows their capitals.
    """
    words = {person.address, *(word for name in person.names for word in name.split()[:1])}
    if not all(map(str.isascii, words)):
        return true()
    return or_(*(column.icontains(word, autoescape=True) for column in columns for word in sorted(words)))
