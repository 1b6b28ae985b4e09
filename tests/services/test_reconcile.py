"""Every gap between mailbox and ledger is named, what is safe is mended, and nobody is answered twice for it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from tests.services.office import Office, question

from mailflow.adapters.store import SqlStore
from mailflow.core.ports import Batch, Cursor, Survey
from mailflow.services.ingest import acknowledge, ingest
from mailflow.services.reconcile import OVERDUE, Gap, reconcile
from mailflow.testing import MemorySource

MINUTE = timedelta(minutes=1)


@pytest.fixture
def office(store: SqlStore) -> Office:
    return Office(store)


def compare(office: Office) -> list[Gap]:
    return reconcile(office.source, office.store, office.clock)


def kinds(gaps: Sequence[Gap]) -> list[tuple[str, int, bool]]:
    return [(gap.kind, gap.uid, gap.is_mended) for gap in gaps]


def decide(office: Office, *mails: bytes) -> None:
    """Stored and decided, not moved."""
    for content in mails:
        office.source.deliver(content)
    ingest(office.source, office.store, office.clock)
    office.processing().turn()


def pass_over(office: Office, last_uid: int) -> None:
    """The cursor moves without rows: what no version of mailflow should do, and a restored store may show."""
    with office.store.unit() as unit:
        batch = Batch((), Cursor(office.source.uid_validity, last_uid))
        unit.record(office.source.account, office.source.mailbox, batch, office.clock.now())


def test_where_all_is_well_there_is_no_gap(office: Office) -> None:
    office.work(question(1))
    decide(office, question(2))
    office.source.deliver(question(3))  # beyond the cursor: the next fetch has it
    assert compare(office) == []


def test_a_mailbox_that_was_never_read_is_not_compared(office: Office) -> None:
    office.source.deliver(question(1))
    assert compare(office) == []


@dataclass(slots=True)
class Folder(MemorySource):
    """A source without UIDs of its own."""

    def survey(self) -> Survey | None:  # type: ignore[override] # as the port has it
        return None


def test_a_source_without_uids_is_not_compared(store: SqlStore) -> None:
    office = Office(store, source=Folder())
    pass_over(office, 7)
    office.source.deliver(question(1))
    assert compare(office) == []


def test_a_mail_that_was_passed_over_is_fetched_and_answered(office: Office) -> None:
    office.source.deliver(question(1))
    office.source.deliver(question(2))
    pass_over(office, 1)
    assert kinds(compare(office)) == [("missing", 1, True)]
    office.work()
    assert office.counts().answered == 2
    assert compare(office) == []


@dataclass(slots=True)
class Vanishing(MemorySource):
    """Mail is gone between the survey and the fetch."""

    def fetch_only(self, uids: Sequence[int]) -> Iterator[Batch]:
        self.inbox.pop(uids[0])
        yield from MemorySource.fetch_only(self, uids)


def test_only_what_could_be_fetched_counts_as_found(store: SqlStore) -> None:
    office = Office(store, source=Vanishing())
    office.source.deliver(question(1))
    office.source.deliver(question(2))
    pass_over(office, 2)
    assert kinds(compare(office)) == [("unreadable", 1, False), ("missing", 2, True)]


def test_a_mail_that_came_back_is_moved_again_and_not_answered_again(office: Office) -> None:
    office.work(question(1))
    office.source.inbox[1] = question(1)
    assert kinds(compare(office)) == [("left behind", 1, True)]
    office.work()
    assert office.source.inbox == {}
    assert len(office.submission.sent) == 1
    assert compare(office) == []


def test_a_mail_that_somebody_took_away_counts_as_moved(office: Office) -> None:
    decide(office, question(1), question(2))
    del office.source.inbox[1]
    assert kinds(compare(office)) == [("moved", 1, True)]
    with office.store.view() as unit:
        waiting = unit.unacknowledged(office.source.account, office.source.mailbox, 10)
    assert [one.ref.uid for one in waiting] == [2]


def test_a_mail_that_waits_for_long_is_told_until_somebody_deals_with_it(office: Office) -> None:
    office.source.deliver(question(1))
    ingest(office.source, office.store, office.clock)
    office.clock.advance(OVERDUE)
    assert compare(office) == []
    office.clock.advance(MINUTE)
    for _ in range(2):
        (gap,) = compare(office)
        assert (gap.kind, gap.is_mended) == ("overdue", False)
        assert "received since 2026-03-02 12:00 UTC" in gap.sentence
    office.work()
    assert compare(office) == []


def test_a_changed_uidvalidity_is_told_and_the_next_fetch_finds_copies(office: Office) -> None:
    decide(office, question(1))
    office.source.uid_validity = 2
    assert kinds(compare(office)) == [("renumbered", 0, False)]
    office.work()
    assert len(office.submission.sent) == 1
    assert compare(office) == []


def test_uids_that_are_given_out_again_are_told(office: Office) -> None:
    """RFC 9051, 2.3.1.1 forbids it; a mailbox that was restored from a backup does it, and new mail looks old."""
    office.work(question(1), question(2))
    office.source.last_uid = 1
    (gap,) = compare(office)
    assert (gap.kind, gap.is_mended) == ("turned back", False)
    assert "UIDVALIDITY" in gap.sentence


@pytest.mark.parametrize("new", [(9,), (7, 8, 9)], ids=["before its cursor", "beyond its cursor, too"])
def test_new_mail_under_uids_of_old_mail_is_answered_and_not_moved_away(office: Office, new: tuple[int, ...]) -> None:
    office.work(question(1), question(2), question(3))
    office.source.last_uid = 1
    for number in new:
        office.source.deliver(question(number))
    office.work()
    assert [uid for kind, uid, is_mended in kinds(compare(office)) if kind == "reused"] == [2, 3][: len(new)]
    office.work()
    assert {f"q{number}@partner.example" for number in (1, 2, 3, *new)} == set(office.actions())
    assert office.source.inbox == {}
    assert len(office.submission.sent) == 3 + len(new)
    office.source.last_uid = max(3, office.source.last_uid)
    assert compare(office) == []


def test_a_uid_that_is_given_out_a_third_time_is_found_too(office: Office) -> None:
    for number in (1, 2, 3):
        office.source.last_uid = 0
        office.source.deliver(question(number))
        office.work()
        compare(office)
        office.work()
    assert len(office.actions()) == len(office.submission.sent) == 3


def test_many_mails_that_somebody_took_away_are_marked(office: Office) -> None:
    """More than a statement takes parameters at once would be a failure each hour."""
    decide(office, *(question(number) for number in range(3)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mailflow.services.reconcile._AT_ONCE", 2)
        office.source.inbox.clear()
        assert kinds(compare(office)) == [("moved", 1, True), ("moved", 2, True), ("moved", 3, True)]
    assert compare(office) == []


@dataclass(slots=True)
class Busy(MemorySource):
    """Somebody works between the survey and the comparison."""

    meanwhile: Callable[[], object] = field(default=lambda: None)

    def survey(self) -> Survey:
        found = MemorySource.survey(self)
        self.meanwhile()
        return found


def test_what_comes_during_the_comparison_is_not_taken_for_moved(store: SqlStore) -> None:
    """`mailflow reconcile` beside a running worker."""
    office = Office(store, source=(source := Busy()))
    decide(office, question(1))
    source.meanwhile = lambda: decide(office, question(2))
    assert compare(office) == []
    assert acknowledge(source, store, office.clock) == 2
    assert source.inbox == {}


def test_all_gaps_at_once_are_mended_in_one_go_and_answer_nobody_twice(office: Office) -> None:
    office.work(question(1))
    decide(office, question(2), question(3))
    office.source.deliver(question(4))
    pass_over(office, 4)
    office.source.inbox[1] = question(1)
    del office.source.inbox[2]
    assert sorted(kinds(compare(office))) == [("left behind", 1, True), ("missing", 4, True), ("moved", 2, True)]
    office.work()
    assert compare(office) == []
    assert office.source.inbox == {}
    assert len({message.message_id for message in office.submission.sent}) == len(office.submission.sent) == 4
