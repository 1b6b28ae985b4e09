"""The mailbox and the ledger, compared; what is safe to mend is mended.

    on the server, no row, not beyond the cursor   missing      fetched and stored now
      and nothing of it could be fetched           unreadable   told, and tried again the next time
    settled and marked as moved, but still here    left behind  moved again, if it is that mail
      and it is another mail                       reused       stored now: the server gave the UID out again
    settled, not moved, not here any more          moved        marked as moved
    waiting for its turn for long                  overdue      told: is a worker with the role `process` running?
    the server has another UIDVALIDITY             renumbered   told: the next fetch reads all of it, copies are known
    the server gives out UIDs that were used up    turned back  told: was the mailbox restored from a backup?

And the other way: uncertain answers whose copy lies among the account's sent mail were sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailflow.core.delivery import FINAL_INBOUND, PROOF_WINDOW, InboundState
from mailflow.core.ports import Clock, Cursor, Source, Survey
from mailflow.core.storage import LedgerEntry, Store

OVERDUE = timedelta(minutes=10)
_AT_ONCE = 500
_LOOKED_FOR_AT_ONCE = 20
"""Answers; a server without an index reads its whole folder of sent mail for each."""


@dataclass(frozen=True, slots=True)
class Gap:
    kind: str
    uid: int
    """0 where it is about the whole mailbox."""
    sentence: str
    is_mended: bool


def reconcile(source: Source, store: Store, clock: Clock) -> list[Gap]:
    """Every difference between mailbox and ledger, mended where that is safe. Raises as `Source.fetch` and `Store`."""
    with store.view() as unit:  # before the survey: a worker that fetches meanwhile moves it on
        cursor = unit.cursor(source.account, source.mailbox)
    survey = source.survey() if cursor is not None else None
    if cursor is None or survey is None:
        return []
    if cursor.uid_validity != survey.uid_validity:
        told = f"UIDVALIDITY was {cursor.uid_validity} and is {survey.uid_validity}: all mail is read again"
        return [Gap("renumbered", 0, told, is_mended=False)]
    entries = _entries(source, store, survey)
    gaps = [*_turned_back(survey, cursor), *_overdue(entries, clock.now())]
    gaps += _fetch_missing(source, store, clock, [u for u in survey.uids if u <= cursor.last_uid and u not in entries])
    gaps += _see_to_left_behind(source, store, clock, entries)
    return gaps + _mark_moved(source, store, clock, survey)


def _entries(source: Source, store: Store, survey: Survey) -> dict[int, LedgerEntry]:
    found: dict[int, LedgerEntry] = {}
    with store.view() as unit:
        for start in range(0, len(survey.uids), _AT_ONCE):
            part = survey.uids[start : start + _AT_ONCE]
            found |= unit.states(source.account, source.mailbox, survey.uid_validity, part)
    return found


def _turned_back(survey: Survey, cursor: Cursor) -> list[Gap]:
    if survey.last_uid >= cursor.last_uid:
        return []
    told = (
        f"the server has given out UIDs up to {survey.last_uid} under the same UIDVALIDITY, the ledger knows "
        f"{cursor.last_uid}: only this comparison finds new mail now; let the server change UIDVALIDITY"
    )
    return [Gap("turned back", 0, told, is_mended=False)]


def _overdue(entries: dict[int, LedgerEntry], now: datetime) -> list[Gap]:
    waiting = (InboundState.RECEIVED, InboundState.PROCESSING)
    return [
        Gap("overdue", uid, f"{entry.state} since {entry.due_at:%Y-%m-%d %H:%M} UTC", is_mended=False)
        for uid, entry in entries.items()
        if entry.state in waiting and now - entry.due_at > OVERDUE
    ]


def _fetch_missing(source: Source, store: Store, clock: Clock, uids: list[int]) -> list[Gap]:
    if not uids:
        return []
    found: set[int] = set()
    for batch in source.fetch_only(uids):
        with store.unit() as unit:
            unit.record(source.account, source.mailbox, batch, clock.now())
        found |= {raw.ref.uid for raw in batch.messages}
    return [
        Gap("missing", uid, "had no row; fetched and stored", is_mended=True)
        if uid in found
        else Gap(
            "unreadable",
            uid,
            "has no row, and nothing of it could be fetched: gone meanwhile, or damaged",
            is_mended=False,
        )
        for uid in uids
    ]


def _see_to_left_behind(source: Source, store: Store, clock: Clock, entries: dict[int, LedgerEntry]) -> list[Gap]:
    """They are read again: by its UID alone, a mail that nobody has seen would be moved out of sight."""
    behind = sorted(uid for uid, one in entries.items() if one.is_moved and one.state in FINAL_INBOUND)
    gaps: list[Gap] = []
    for batch in source.fetch_only(behind) if behind else ():
        with store.unit() as unit:
            reused = unit.record_reappeared(source.account, source.mailbox, batch, clock.now())
        gaps += (
            Gap("reused", raw.ref.uid, "was the UID of a mail that was dealt with; stored as a new one", is_mended=True)
            if raw.ref.uid in reused
            else Gap("left behind", raw.ref.uid, "was dealt with; it is moved again", is_mended=True)
            for raw in batch.messages
        )
    return gaps


def _mark_moved(source: Source, store: Store, clock: Clock, survey: Survey) -> list[Gap]:
    here = set(survey.uids)
    with store.unit() as unit:
        unmoved = unit.unmoved(source.account, source.mailbox, survey.uid_validity)
        # what came after the survey is not in it either
        gone = {uid: row for uid, row in unmoved.items() if uid not in here and uid <= survey.last_uid}
        rows = list(gone.values())
        for start in range(0, len(rows), _AT_ONCE):
            unit.mark_acknowledged(rows[start : start + _AT_ONCE], clock.now())
    return [Gap("moved", uid, "was dealt with and is not here any more", is_mended=True) for uid in gone]


def whose_turn(message_ids: Sequence[str], now: datetime) -> Sequence[str]:
    """Some of many, others every minute, so that each is looked for again and again. Pure."""
    runs = range(0, len(message_ids), _LOOKED_FOR_AT_ONCE)
    start = runs[int(now.timestamp() // 60) % len(runs)]
    return message_ids[start : start + _LOOKED_FOR_AT_ONCE]


def resolve_uncertain(source: Source, store: Store, clock: Clock) -> int:
    """Uncertain answers that lie among the sent mail become `sent`. Returns how many. Raises as `Source.fetch`."""
    now = clock.now()
    with store.view() as unit:
        message_ids = unit.uncertain(now - PROOF_WINDOW)
    if not message_ids:
        return 0
    found = source.find_sent(whose_turn(message_ids, now))
    if not found:
        return 0
    with store.unit() as unit:
        return unit.prove_sent(sorted(found), "its copy lies in the folder of sent mail", now)
