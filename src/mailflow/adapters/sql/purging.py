"""What grew old, table by table. The rules: core/retention.py."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update

from mailflow.adapters.sql.forgetting import AT_ONCE, Forgetting, listed
from mailflow.adapters.sql.session import (
    ATTEMPT,
    AUDIT,
    HOOK,
    INBOUND,
    MESSAGE,
    MUTE,
    OUTBOX,
    PRESENCE,
    SIGN_IN,
    THREAD,
)
from mailflow.core.delivery import InboundState, OutboxState
from mailflow.core.retention import ERASED, PURGED, Counts

Place = tuple[datetime, int]
_OPEN_STATUS = ("open", "held")
_OPEN_ANSWERS = (OutboxState.QUEUED, OutboxState.SENDING, OutboxState.FAILED, OutboxState.UNCERTAIN)
_OPEN_MAILS = (InboundState.RECEIVED, InboundState.PROCESSING, InboundState.QUARANTINED)
_KEPT_KINDS = (
    *("partners imported", "account added", "account changed", "password changed", "token made", "token revoked"),
    *("restored", "purged", "erased"),
)
"""Events of no thread whose sentences name no requester."""
_WINDOW = 5_000
"""Events of the audit trail that one statement looks at."""


class Purging(Forgetting):
    def old_threads(self, cutoff: datetime, after: Place | None, limit: int) -> list[Place]:
        """(last change, thread) of what may be purged, in order."""
        query = select(THREAD.c.updated_at, THREAD.c.id).where(_is_old(cutoff), ~_is_open(), ~_is_kept_empty())
        if after is not None:
            later = (THREAD.c.updated_at == after[0]) & (THREAD.c.id > after[1])
            # the first condition says what the second implies, for the index
            query = query.where(THREAD.c.updated_at >= after[0], or_(THREAD.c.updated_at > after[0], later))
        rows = self._db.execute(query.order_by(THREAD.c.updated_at, THREAD.c.id).limit(limit))
        return [(row.updated_at, row.id) for row in rows]

    def open_old_threads(self, cutoff: datetime) -> int:
        """How many are old enough and wait for something."""
        return self._db.scalar(select(func.count()).select_from(THREAD).where(_is_old(cutoff), _is_open())) or 0

    def purge_threads(self, thread_ids: Sequence[int], cutoff: datetime, now: datetime) -> Counts:
        """Those of these threads that may still be purged: a person may have answered one since they were found."""
        self._overwrite_what_is_deleted()
        thread_ids = self._still_old(thread_ids, cutoff)
        mails = self._db.execute(select(MESSAGE).where(MESSAGE.c.thread_id.in_(thread_ids))).all()
        removed = self._remove_mails(mails, PURGED, now)
        answers = self._run(delete(OUTBOX).where(OUTBOX.c.thread_id.in_(thread_ids)))
        notes = self._remove_threads(thread_ids, PURGED)
        blanked = self._blank(AUDIT.c.thread_id.in_(thread_ids), PURGED)
        return removed.plus(Counts(threads=len(thread_ids), answers=answers, notes=notes, audit_sentences=blanked))

    def _still_old(self, thread_ids: Sequence[int], cutoff: datetime) -> Sequence[int]:
        """Asked once more when nobody else can change them any more."""
        wanted = THREAD.c.id.in_(thread_ids)
        self._db.execute(select(THREAD.c.id).where(wanted).order_by(THREAD.c.id).with_for_update()).all()
        return self._db.scalars(select(THREAD.c.id).where(wanted, _is_old(cutoff), ~_is_open())).all()

    def purge_ledger(self, cutoff: datetime, after: int, now: datetime) -> tuple[int | None, Counts]:
        """Bytes of old copies that belong to no thread, the next few. Returns the last row, None at the end."""
        self._overwrite_what_is_deleted()
        rows = self._db.execute(
            select(INBOUND.c.id, INBOUND.c.sha256)
            .where(INBOUND.c.id > after, _is_left_over(INBOUND, cutoff), INBOUND.c.error.not_in([PURGED, ERASED]))
            .order_by(INBOUND.c.id)
            .limit(AT_ONCE)
        ).all()
        if not rows:
            return None, Counts()
        other = INBOUND.alias()
        wanted = {row.sha256 for row in rows}
        needed = {
            *self._db.scalars(
                select(other.c.sha256).where(other.c.sha256.in_(wanted), ~_is_left_over(other, cutoff)).distinct()
            )
        }
        gone = sorted(wanted - needed)
        ids = [row.id for row in rows if row.sha256 not in needed]
        self._db.execute(update(INBOUND).where(INBOUND.c.id.in_(ids)).values(error=PURGED))
        return rows[-1].id, Counts(raw_mails=self._empty_raw(gone, now))

    def purge_trail(self, cutoff: datetime, after: int) -> tuple[int | None, Counts]:
        """Sentences of old events that belong to no thread, the next few. As `purge_ledger`."""
        window = select(AUDIT.c.id, AUDIT.c.at).where(AUDIT.c.id > after).order_by(AUDIT.c.id).limit(_WINDOW)
        rows = self._db.execute(window).all()
        old = [row.id for row in rows if row.at < cutoff]
        if not old:
            return None, Counts()
        in_window = (AUDIT.c.id > after) & (AUDIT.c.id <= rows[-1].id) & (AUDIT.c.at < cutoff)
        is_open = exists().where(INBOUND.c.id == AUDIT.c.inbound_id, INBOUND.c.state.in_(_OPEN_MAILS))
        of_nothing = AUDIT.c.thread_id.is_(None) & AUDIT.c.kind.not_in(_KEPT_KINDS) & ~is_open
        blanked = self._blank(in_window & of_nothing, PURGED)
        return rows[-1].id, Counts(audit_sentences=blanked)

    def purge_rest(self, cutoff: datetime) -> Counts:
        """What is old and small: digests, calls to other systems, mutes that ended, sign-ins that ended."""
        self._overwrite_what_is_deleted()
        digests = delete(OUTBOX).where(
            OUTBOX.c.thread_id.is_(None), OUTBOX.c.queued_at < cutoff, OUTBOX.c.state.not_in(_OPEN_ANSWERS)
        )
        calls = delete(HOOK).where(HOOK.c.at < cutoff, HOOK.c.state.in_(["sent", "failed"]))
        for statement in (
            delete(SIGN_IN).where(SIGN_IN.c.expires_at < cutoff),
            delete(ATTEMPT).where(ATTEMPT.c.at < cutoff),
            delete(PRESENCE).where(PRESENCE.c.seen_at < cutoff),
        ):
            self._db.execute(statement)
        mutes = self._run(delete(MUTE).where(MUTE.c.until < cutoff))
        return Counts(answers=self._run(digests), notes=self._run(calls), mutes=mutes)

    def tell_of_purge(self, cutoff: datetime, counts: Counts, now: datetime, actor: str) -> None:
        sentence = f"what was older than {cutoff:%Y-%m-%d}: {listed(counts)}"
        self._tell(now, actor, "purged", sentence, None, None)


def _is_old(cutoff: datetime) -> ColumnElement[bool]:
    """Its last mail is; of a merged thread: the one that took it over is gone."""
    target = THREAD.alias()
    has_young_mail = exists().where(MESSAGE.c.thread_id == THREAD.c.id, MESSAGE.c.stored_at >= cutoff)
    is_merged_away = THREAD.c.merged_into.is_not(None) & exists().where(target.c.id == THREAD.c.merged_into)
    return (THREAD.c.updated_at < cutoff) & ~has_young_mail & ~is_merged_away


def _is_open() -> ColumnElement[bool]:
    """It waits for a person, or an answer of it does for anything."""
    waits = exists().where(OUTBOX.c.thread_id == THREAD.c.id, OUTBOX.c.state.in_(_OPEN_ANSWERS))
    return or_(THREAD.c.status.in_(_OPEN_STATUS), waits)


def _is_kept_empty() -> ColumnElement[bool]:
    """The highest thread, where there is nothing more to take away of it."""
    other = THREAD.alias()
    is_highest = THREAD.c.id == select(func.max(other.c.id)).scalar_subquery()
    return is_highest & THREAD.c.subject.in_([PURGED, ERASED]) & (THREAD.c.requester == "")


def _is_left_over(inbound: Any, cutoff: datetime) -> ColumnElement[bool]:
    """An old row of the ledger that is settled and belongs to no mail that is kept."""
    is_settled = inbound.c.state.in_([InboundState.DONE, InboundState.DUPLICATE])
    found: ColumnElement[bool] = (
        (inbound.c.received_at < cutoff) & is_settled & (func.coalesce(inbound.c.message_id, 0) == 0)
    )
    return found
