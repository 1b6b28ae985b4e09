"""From the mailbox into the ledger and back: read twice is stored once, and a crash reads twice, never zero times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from tests.services.office import Office, question

from mailflow.adapters.store import SqlStore
from mailflow.core.message import MailRef
from mailflow.core.ports import Batch, Cursor, Disposition
from mailflow.core.storage import Recorded
from mailflow.errors import ConnectionFailed
from mailflow.services.ingest import acknowledge, ingest
from mailflow.testing import FrozenClock, MemorySource

CLOCK = FrozenClock()


@dataclass(slots=True)
class BreakingSource(MemorySource):
    """Hangs up after `good` batches, and at the first `refusals` acknowledgements."""

    good: int = 1
    refusals: int = 0

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        for number, batch in enumerate(MemorySource.fetch(self, cursor)):
            if number == self.good:
                raise ConnectionFailed("the server hung up")
            yield batch

    def acknowledge(self, refs: Sequence[MailRef], disposition: Disposition) -> None:
        if self.refusals:
            self.refusals -= 1
            raise ConnectionFailed("the server hung up")
        MemorySource.acknowledge(self, refs, disposition)


@dataclass(slots=True)
class ForgetfulSource(MemorySource):
    """Moves nothing and still says yes, as a read-only mailbox would."""

    asked: list[int] = field(default_factory=list)

    def acknowledge(self, refs: Sequence[MailRef], disposition: Disposition) -> None:
        self.asked += [ref.uid for ref in refs]


def cursor_of(store: SqlStore, source: MemorySource) -> Cursor | None:
    with store.unit() as unit:
        return unit.cursor(source.account, source.mailbox)


def test_every_mail_is_stored_and_the_cursor_follows(store: SqlStore) -> None:
    source = MemorySource()
    source.deliver(question(1))
    source.deliver(question(2))
    assert ingest(source, store, CLOCK) == Recorded(new=2)
    assert cursor_of(store, source) == Cursor(1, 2)
    assert sorted(source.inbox) == [1, 2], "reading moves nothing"


def test_reading_again_stores_nothing(store: SqlStore) -> None:
    source = MemorySource()
    source.deliver(question(1))
    ingest(source, store, CLOCK)
    assert ingest(source, store, CLOCK) == Recorded()
    source.deliver(question(2))
    assert ingest(source, store, CLOCK) == Recorded(new=1)


def test_a_changed_uidvalidity_makes_copies_and_no_second_mail(store: SqlStore) -> None:
    """RFC 9051, 2.3.1.1: all UIDs are void; the bytes are still the same mail."""
    source = MemorySource()
    source.deliver(question(1))
    ingest(source, store, CLOCK)
    source.uid_validity = 2
    assert ingest(source, store, CLOCK) == Recorded(copies=1)
    assert cursor_of(store, source) == Cursor(2, 1)


def test_what_was_stored_before_the_server_hung_up_stays(store: SqlStore) -> None:
    source = BreakingSource()
    source.deliver(question(1))
    source.deliver(question(2))
    with pytest.raises(ConnectionFailed):
        ingest(source, store, CLOCK)
    assert cursor_of(store, source) == Cursor(1, 1)
    source.good = 9
    assert ingest(source, store, CLOCK) == Recorded(new=1)


def test_a_crash_before_the_commit_reads_the_mail_again(store: SqlStore) -> None:
    source = MemorySource()
    source.deliver(question(1))
    with pytest.raises(RuntimeError), store.unit() as unit:
        for batch in source.fetch(None):
            unit.record(source.account, source.mailbox, batch, CLOCK.now())
        raise RuntimeError("power cut before the commit")
    assert cursor_of(store, source) is None
    assert ingest(source, store, CLOCK) == Recorded(new=1)


def test_a_stop_is_heard_after_a_batch_and_the_rest_comes_the_next_time(store: SqlStore) -> None:
    source = MemorySource()
    for number in range(5):
        source.deliver(question(number))
    heard = iter([False, True])
    assert ingest(source, store, CLOCK, lambda: next(heard)) == Recorded(new=2)
    assert cursor_of(store, source) == Cursor(1, 2)
    assert ingest(source, store, CLOCK) == Recorded(new=3)


def test_nothing_is_moved_before_it_is_dealt_with(store: SqlStore) -> None:
    source = MemorySource()
    source.deliver(question(1))
    ingest(source, store, CLOCK)
    assert acknowledge(source, store, CLOCK) == 0
    assert source.inbox


def test_a_decided_mail_is_moved_once(store: SqlStore) -> None:
    office = Office(store)
    office.source.deliver(question(1))
    ingest(office.source, store, CLOCK)
    office.processing().turn()
    assert acknowledge(office.source, store, CLOCK) == 1
    assert office.source.acknowledged == [(1, Disposition.PROCESSED)]
    assert acknowledge(office.source, store, CLOCK) == 0


def test_a_move_that_failed_is_tried_again_from_the_ledger(store: SqlStore) -> None:
    source = BreakingSource(good=9, refusals=1)
    office = Office(store, source=source)
    source.deliver(question(1))
    ingest(source, store, CLOCK)
    office.processing().turn()
    with pytest.raises(ConnectionFailed):
        acknowledge(source, store, CLOCK)
    assert source.inbox
    assert acknowledge(source, store, CLOCK) == 1
    assert not source.inbox


def test_more_than_one_page_is_acknowledged(store: SqlStore) -> None:
    """The ledger is asked for 200 at a time; a source that moves nothing must not be asked for ever."""
    source = ForgetfulSource()
    office = Office(store, source=source)
    for _ in range(201):
        source.deliver(question(1))
    ingest(source, store, CLOCK)
    office.processing().turn()
    assert acknowledge(source, store, CLOCK) == 201
    assert source.asked == list(range(1, 202))
