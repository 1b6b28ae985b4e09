"""The mailbox and its ledger: every UID has one row and comes to one final state.

Rule: a mail is stored whole in one transaction, or not at all; a large one in slices, so that no statement holds it.
Rule: what is stored of its bytes is sealed where there is a key (adapters/keyring.py), each slice by itself.
"""

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import ColumnElement, Row, case, select, update
from sqlalchemy.exc import DBAPIError, PendingRollbackError

from mailflow.adapters.rows import mail_ref
from mailflow.adapters.sql.session import CURSOR, INBOUND, RAW, RAW_SLICE, Call, Session, is_due, says
from mailflow.core.delivery import MAX_ATTEMPTS, InboundState
from mailflow.core.fleet import Role
from mailflow.core.message import RawMessage
from mailflow.core.octets import SLICE, Octets, slices
from mailflow.core.ports import Batch, Cursor, Disposition
from mailflow.core.storage import ClaimedMail, LedgerEntry, Recorded, Unacknowledged
from mailflow.errors import StoreError

_DISPOSITION = {
    InboundState.DONE: Disposition.PROCESSED,
    InboundState.DUPLICATE: Disposition.PROCESSED,
    InboundState.QUARANTINED: Disposition.FAILED,
}
_COMES_ALONG = 256 << 10
"""Octets up to which a mail comes with its claim; fifty of them are in memory at once."""


class Ledger(Session):
    def cursor(self, account: str, mailbox: str) -> Cursor | None:
        row = self._db.execute(
            select(CURSOR.c.uid_validity, CURSOR.c.last_uid).where(
                CURSOR.c.account == account, CURSOR.c.mailbox == mailbox
            )
        ).first()
        return Cursor(row.uid_validity, row.last_uid) if row else None

    def record(self, account: str, mailbox: str, batch: Batch, now: datetime) -> Recorded:
        outcomes = [self._record_one(raw, now) for raw in batch.messages]
        if batch.cursor is not None:
            values = {"uid_validity": batch.cursor.uid_validity, "last_uid": batch.cursor.last_uid}
            insert = self._insert(CURSOR).values(account=account, mailbox=mailbox, **values)
            self._db.execute(insert.on_conflict_do_update(index_elements=["account", "mailbox"], set_=values))
        if "new" in outcomes:
            self.calls.add(Call(Role.PROCESS))
        if "copy" in outcomes:
            self.calls.add(Call(Role.FETCH))
        return Recorded(outcomes.count("new"), outcomes.count("known"), outcomes.count("copy"))

    def _record_one(self, raw: RawMessage, now: datetime) -> str:
        sha256 = _sha256(raw.content)
        is_new = self._store_content(raw, sha256)
        state = InboundState.RECEIVED if is_new else InboundState.DUPLICATE
        stored = self._run(
            self._insert(INBOUND)
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

    def _store_content(self, raw: RawMessage, sha256: str) -> bool:
        """Whether it was not there yet."""
        key_id, first = self._keys.seal(zlib.compress(raw.content[:SLICE], 6), place_of(sha256, 0))
        is_new = self._run(
            self._insert(RAW)
            .values(sha256=sha256, size=len(raw.content), full_size=raw.size, content=first, key_id=key_id)
            .on_conflict_do_nothing()
        )
        if is_new:
            for number, one in enumerate(slices(raw.content, SLICE), start=1):
                key_id, sealed = self._keys.seal(_compressed(one), place_of(sha256, number))
                values = {"sha256": sha256, "number": number, "content": sealed, "key_id": key_id}
                self._db.execute(RAW_SLICE.insert().values(values))
        return bool(is_new)

    def unacknowledged(self, account: str, mailbox: str, limit: int) -> list[Unacknowledged]:
        rows = self._db.execute(
            select(INBOUND)
            .where(
                INBOUND.c.account == account,
                INBOUND.c.mailbox == mailbox,
                INBOUND.c.acknowledged_at.is_(None),
                says(INBOUND.c.state, *_DISPOSITION),
            )
            .order_by(INBOUND.c.id)
            .limit(limit)
        )
        return [Unacknowledged(row.id, mail_ref(row), _DISPOSITION[InboundState(row.state)]) for row in rows]

    def mark_acknowledged(self, inbound_ids: Sequence[int], now: datetime) -> None:
        self._db.execute(update(INBOUND).where(INBOUND.c.id.in_(inbound_ids)).values(acknowledged_at=now))

    def claim_inbound(self, now: datetime, limit: int) -> list[ClaimedMail]:
        due = says(INBOUND.c.state, InboundState.RECEIVED) & is_due(INBOUND.c.due_at, now)
        in_turn = INBOUND.c.due_at, INBOUND.c.id
        was_tried = self._db.scalar(select(INBOUND.c.attempts > 0).where(due).order_by(*in_turn).limit(1))
        # alone: if it ends the process, it must not take forty-nine innocent ones with it to quarantine
        wanted, most = (due, 1) if was_tried else (due & (INBOUND.c.attempts == 0), limit)
        rows = self._db.execute(
            select(
                INBOUND,
                RAW.c.full_size,
                RAW.c.key_id,
                case(((RAW.c.size <= _COMES_ALONG) & RAW.c.emptied_at.is_(None), RAW.c.content), else_=None).label(
                    "content"
                ),
            )
            .join(RAW, RAW.c.sha256 == INBOUND.c.sha256)
            .where(wanted)
            .order_by(*in_turn)
            .limit(most)
            .with_for_update(of=INBOUND, skip_locked=True)
        ).all()
        self._db.execute(
            update(INBOUND)
            .where(INBOUND.c.id.in_([row.id for row in rows]), says(INBOUND.c.state, InboundState.RECEIVED))
            .values(
                state=InboundState.PROCESSING,
                attempts=INBOUND.c.attempts + 1,
                claimed_at=now,
                claimed_by=self._holder,
            )
        )
        return [
            ClaimedMail(row.id, row.attempts + 1, row.sha256, self._content_that_comes_along(row), row.full_size)
            for row in rows
        ]

    def _content_that_comes_along(self, row: Row[Any]) -> bytes | None:
        """None also where it cannot be opened: that mail fails alone, when its turn comes."""
        if row.content is None:
            return None
        with suppress(StoreError):
            return self._unpacked(row.content, row.key_id, row.sha256, 0)
        return None

    def _unpacked(self, content: bytes, key_id: str, sha256: str, number: int) -> bytes:
        """Raises StoreError where the row is not what was stored."""
        packed = self._keys.open(key_id, content, place_of(sha256, number))
        try:
            return zlib.decompress(packed)
        except zlib.error as error:
            raise StoreError(f"raw mail {place_of(sha256, number)} is damaged: {error}") from error

    def give_back(self, now: datetime) -> int:
        return self._take_up(INBOUND.c.claimed_by == self._holder, now)

    def _take_up(self, whose: ColumnElement[bool], now: datetime) -> int:
        """Mails in `processing` whose worker does not work on them any more. Returns how many."""
        abandoned = (says(INBOUND.c.state, InboundState.PROCESSING)) & whose
        rows = self._db.execute(select(INBOUND.c.id, INBOUND.c.attempts).where(abandoned).with_for_update()).all()
        taken = 0
        for row in rows:
            is_worn_out = row.attempts >= MAX_ATTEMPTS
            error = f"the worker ended with it {MAX_ATTEMPTS} times" if is_worn_out else ""
            to = InboundState.QUARANTINED if is_worn_out else InboundState.RECEIVED
            changed = self._run(
                update(INBOUND).where(INBOUND.c.id == row.id, abandoned).values(state=to, claimed_by="", error=error)
            )
            taken += changed
            if changed and is_worn_out:
                self._tell(now, "worker", "quarantined", error, None, row.id)
        if taken:
            self.calls |= {Call(Role.PROCESS), Call(Role.FETCH)}
        return taken

    def mark_copy(self, inbound_id: int, copy_of: int, now: datetime) -> None:
        self._move(InboundState.DUPLICATE, inbound_id, message_id=copy_of, error="the same mail was stored before")
        what = f"message {copy_of}" if copy_of else "a mail that is kept no more"
        self._tell(now, "worker", "copy", f"a second copy of {what}", None, inbound_id)

    def postpone(self, inbound_id: int, due_at: datetime, error: str, now: datetime) -> None:
        self._move(InboundState.RECEIVED, inbound_id, due_at=due_at, error=error, claimed_by="")
        self.calls.add(Call(Role.PROCESS, due_at))
        self._tell(now, "worker", "postponed", error, None, inbound_id)

    def quarantine(self, inbound_id: int, error: str, now: datetime) -> None:
        self._move(InboundState.QUARANTINED, inbound_id, error=error)
        self._tell(now, "worker", "quarantined", error, None, inbound_id)

    def content(self, inbound_id: int) -> Iterator[bytes]:
        """The slices of a mail in order, one statement each. Raises StoreError where there is no such mail.

        Why so many statements: the PostgreSQL driver would hold all rows of one.
        """
        raw = self._db.execute(
            select(RAW).join(INBOUND, INBOUND.c.sha256 == RAW.c.sha256).where(INBOUND.c.id == inbound_id)
        ).first()
        if raw is None:
            raise StoreError(f"there is no mail {inbound_id}; `mailflow quarantine list` shows them")
        if raw.emptied_at is not None:
            raise StoreError(f"the bytes of mail {inbound_id} were taken away on {raw.emptied_at:%Y-%m-%d}")
        yield self._unpacked(raw.content, raw.key_id, raw.sha256, 0)
        wanted = select(RAW_SLICE.c.content, RAW_SLICE.c.key_id).where(RAW_SLICE.c.sha256 == raw.sha256)
        for number in count(1):
            one = self._db.execute(wanted.where(RAW_SLICE.c.number == number)).first()
            if one is None:
                return
            yield self._unpacked(one.content, one.key_id, raw.sha256, number)

    def retry_quarantined(self, inbound_id: int, now: datetime, actor: str) -> bool:
        done = self._run(
            update(INBOUND)
            .where(INBOUND.c.id == inbound_id, says(INBOUND.c.state, InboundState.QUARANTINED))
            .values(state=InboundState.RECEIVED, attempts=0, due_at=now, acknowledged_at=None, error="")
        )
        if done:
            self.calls.add(Call(Role.PROCESS))
            self._tell(now, actor, "released", "taken out of quarantine to be tried again", None, inbound_id)
        return bool(done)

    def states(self, account: str, mailbox: str, uid_validity: int, uids: Sequence[int]) -> dict[int, LedgerEntry]:
        where = self._in_mailbox(account, mailbox, uid_validity) & INBOUND.c.uid.in_(uids)
        columns = INBOUND.c.uid, INBOUND.c.id, INBOUND.c.state, INBOUND.c.acknowledged_at, INBOUND.c.due_at
        return {
            row.uid: LedgerEntry(row.id, InboundState(row.state), row.acknowledged_at is not None, row.due_at)
            for row in self._db.execute(select(*columns).where(where))
        }

    def unmoved(self, account: str, mailbox: str, uid_validity: int) -> dict[int, int]:
        where = self._in_mailbox(account, mailbox, uid_validity) & INBOUND.c.acknowledged_at.is_(None)
        rows = self._db.execute(select(INBOUND.c.uid, INBOUND.c.id).where(where, says(INBOUND.c.state, *_DISPOSITION)))
        return {row.uid: row.id for row in rows}

    def _in_mailbox(self, account: str, mailbox: str, uid_validity: int) -> ColumnElement[bool]:
        return (
            (INBOUND.c.account == account) & (INBOUND.c.mailbox == mailbox) & (INBOUND.c.uid_validity == uid_validity)
        )

    def record_reappeared(self, account: str, mailbox: str, batch: Batch, now: datetime) -> frozenset[int]:
        given_out_again = set()
        for raw in batch.messages:
            ref = raw.ref
            where = self._in_mailbox(account, mailbox, ref.uid_validity) & (INBOUND.c.uid == ref.uid)
            row = self._db.execute(select(INBOUND.c.id, INBOUND.c.sha256).where(where)).one()
            if row.sha256 == _sha256(raw.content):
                self._db.execute(update(INBOUND).where(INBOUND.c.id == row.id).values(acknowledged_at=None))
            else:
                # the old row keeps its mail and loses its UID: no server gives out one below zero
                self._db.execute(update(INBOUND).where(INBOUND.c.id == row.id).values(uid=-row.id))
                self._record_one(raw, now)
                given_out_again.add(ref.uid)
        self.calls |= {Call(Role.FETCH), Call(Role.PROCESS)}
        return frozenset(given_out_again)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What fails inside is undone alone. Raises StoreError where the database hung up: no fault of a mail."""
        try:
            with self._db.begin_nested():
                yield
        except PendingRollbackError as error:
            raise StoreError("the database hung up") from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise StoreError(f"the database hung up: {error.orig}") from error
            raise


def place_of(sha256: str, number: int) -> str:
    """Where a slice belongs; its seal holds only there."""
    return f"{sha256}/{number}"


def _sha256(content: Octets) -> str:
    digest = hashlib.sha256()
    for one in slices(content):
        digest.update(one)
    return digest.hexdigest()


def _compressed(octets: bytes) -> bytes:
    """By its alphabet alone, which is all that base64 of a packed file has to save: a quarter.

    Why: the store is locked meanwhile; looking for repetitions as well takes four times as long.
    """
    packer = zlib.compressobj(strategy=zlib.Z_HUFFMAN_ONLY)
    return packer.compress(octets) + packer.flush()
