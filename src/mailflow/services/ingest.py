"""From the mailbox into the store, and the acknowledgement back.

Rule: bytes are committed before anything else is tried; the server hears of it only after that commit.
Rule: the cursor moves in the transaction that stores the rows. A crash in between reads a mail twice, never zero times.
Rule: a mail is moved on the server once it has come to its final state. If the move fails it is tried again at
the next turn, from the ledger: the server's folders are a courtesy, the ledger is the truth.
"""

from collections.abc import Callable

from mailflow.core.ports import Clock, Disposition, Source
from mailflow.core.storage import Recorded, Store

_ACKNOWLEDGED_AT_ONCE = 200


def ingest(source: Source, store: Store, clock: Clock, is_stopped: Callable[[], bool] = lambda: False) -> Recorded:
    """Store every mail that the source has and the ledger has not, batch by batch until `is_stopped`.

    Raises ConnectionFailed, LoginRefused, StoreError.
    """
    with store.view() as unit:
        cursor = unit.cursor(source.account, source.mailbox)
    total = Recorded()
    for batch in source.fetch(cursor):
        with store.unit() as unit:
            now = unit.record(source.account, source.mailbox, batch, clock.now())
        total = Recorded(total.new + now.new, total.known + now.known, total.copies + now.copies)
        if is_stopped():
            break
    return total


def acknowledge(source: Source, store: Store, clock: Clock) -> int:
    """Move what is dealt with out of the inbox. Returns how many mails. Raises ConnectionFailed, LoginRefused."""
    done = 0
    while True:
        with store.view() as unit:
            waiting = unit.unacknowledged(source.account, source.mailbox, _ACKNOWLEDGED_AT_ONCE)
        if not waiting:
            return done
        for disposition in Disposition:
            refs = [one.ref for one in waiting if one.disposition is disposition]
            if refs:
                source.acknowledge(refs, disposition)
        with store.unit() as unit:
            unit.mark_acknowledged([one.inbound_id for one in waiting], clock.now())
        done += len(waiting)
        if len(waiting) < _ACKNOWLEDGED_AT_ONCE:
            return done
