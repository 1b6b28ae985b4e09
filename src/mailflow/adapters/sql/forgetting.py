"""Parts of forgetting: rows that go with all that hangs on them, hashes that stay, sentences that are blanked.

Rule: the thread with the highest number stays as an empty row until there is a higher one. Why: SQLite gives a highest
number that was deleted once more, and partners hold signed answers with it.
Rule: on SQLite what is deleted is overwritten with zeros (`secure_delete`). On PostgreSQL that is VACUUM's work.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, select, update

from mailflow.adapters.sql.search import Search
from mailflow.adapters.sql.session import (
    AUDIT,
    CLASSIFICATION,
    CORRECTION,
    DECISION,
    DRAFT,
    INBOUND,
    MESSAGE,
    NOTE,
    PERMIT,
    PRESENCE,
    RAW,
    RAW_SLICE,
    THREAD,
    TOMBSTONE,
)
from mailflow.core.delivery import OutboxState
from mailflow.core.retention import ERASED, PURGED, Counts, hashed_id

GONE_OUT = (OutboxState.SENT, OutboxState.CANCELLED, OutboxState.BOUNCED)
AT_ONCE = 500


class Forgetting(Search):
    @contextmanager
    def _permit(self) -> Iterator[None]:
        """Inside, sentences may be blanked. The row cannot be committed, so it must go before the commit."""
        self._db.execute(PERMIT.insert().values(id=1, ends_with=0))
        yield
        self._db.execute(delete(PERMIT))

    def _blank(self, where: ColumnElement[bool], word: str) -> int:
        with self._permit():
            still = AUDIT.c.sentence.not_in([PURGED, ERASED])
            return self._run(update(AUDIT).where(where, still).values(sentence=word))

    def _remove_mails(self, mails: Sequence[Row[Any]], word: str, now: datetime) -> Counts:
        """Rows of messages with all that hangs on them; of those that came in a tombstone stays."""
        came_in = [one for one in mails if one.direction == "in"]
        for one in came_in:
            stone = {"dedup_key": one.dedup_key, "message_id_sha256": hashed_id(one.message_id), "at": now}
            self._db.execute(self._insert(TOMBSTONE).values(stone).on_conflict_do_nothing())
        raw_mails = 0
        for ids in chunks([one.id for one in mails]):
            of_these = INBOUND.c.message_id.in_(ids)
            hashes = self._db.scalars(select(INBOUND.c.sha256).where(of_these).distinct()).all()
            raw_mails += self._empty_raw(hashes, now)
            self._db.execute(update(INBOUND).where(of_these).values(message_id=None, error=word))
            for table in (CLASSIFICATION, DECISION, CORRECTION):
                self._db.execute(delete(table).where(table.c.message_id.in_(ids)))
            self._db.execute(delete(MESSAGE).where(MESSAGE.c.id.in_(ids)))
            self.forget_mails(ids)
        return Counts(mails=len(came_in), raw_mails=raw_mails)

    def _empty_raw(self, hashes: Sequence[str], now: datetime) -> int:
        done = 0
        for some in chunks(hashes):
            self._db.execute(delete(RAW_SLICE).where(RAW_SLICE.c.sha256.in_(some)))
            here = RAW.c.sha256.in_(some) & RAW.c.emptied_at.is_(None)
            done += self._run(update(RAW).where(here).values(content=b"", key_id="", emptied_at=now))
        return done

    def _remove_threads(self, thread_ids: Sequence[int], word: str) -> int:
        """Rows of threads without mails, and what people wrote there. Returns how many notes."""
        written = (NOTE, DRAFT, CORRECTION)
        notes = sum(self._run(delete(table).where(table.c.thread_id.in_(thread_ids))) for table in written)
        self._db.execute(delete(PRESENCE).where(PRESENCE.c.thread_id.in_(thread_ids)))
        highest = self._db.scalar(select(func.max(THREAD.c.id)))
        self._db.execute(delete(THREAD).where(THREAD.c.id.in_(thread_ids), THREAD.c.id != highest))
        words = ("subject_key", "requester", "language", "intent", "reason", "role", "trust", "partner", "assignee")
        empty: dict[str, Any] = dict.fromkeys((*words, "trouble"), "") | {"subject": word, "status": "closed"}
        empty |= {"has_draft": False, "due_at": None, "snoozed_until": None, "merged_into": None}
        self._db.execute(update(THREAD).where(THREAD.c.id.in_(thread_ids), THREAD.c.id == highest).values(empty))
        return notes


def listed(counts: Counts) -> str:
    """For a sentence of the audit trail."""
    return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counts.as_dict.items() if number)


def chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[at : at + AT_ONCE] for at in range(0, len(items), AT_ONCE))
