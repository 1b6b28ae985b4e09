"""Every end of a try has its own state; what may have gone out is never sent again blindly."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from tests.services.office import Office, question

from mailflow.adapters.store import SqlStore, SqlUnit
from mailflow.core.delivery import HEARD_LATE, MAX_ATTEMPTS, OutboxState
from mailflow.core.fleet import LONG_DEAD, Buried
from mailflow.core.message import OutboundMessage
from mailflow.core.ports import Acceptance
from mailflow.core.storage import OutboxView
from mailflow.errors import (
    ConnectionFailed,
    LoginRefused,
    OutcomeUnknown,
    PermanentRefusal,
    StoreError,
    TemporaryRefusal,
)
from mailflow.services.ingest import ingest
from mailflow.services.outbox import Outbox
from mailflow.testing import NOON

SECOND = timedelta(seconds=1)
BUSY = TemporaryRefusal("451 try later", reply_code=451)


@pytest.fixture
def office(store: SqlStore) -> Office:
    """With one answer queued."""
    office = Office(store)
    queue_answers(office, question(1))
    return office


def queue_answers(office: Office, *questions: bytes) -> None:
    for content in questions:
        office.source.deliver(content)
    ingest(office.source, office.store, office.clock)
    office.processing().turn()


def entry(office: Office) -> OutboxView:
    (only,) = office.answers()
    return only


def test_an_accepted_answer_is_sent_once(office: Office) -> None:
    outbox = office.outbox()
    assert outbox.deliver_one() is OutboxState.SENT
    assert outbox.deliver_one() is None
    assert [message.message_id for message in office.submission.sent] == [entry(office).message_id]
    assert (entry(office).state, entry(office).finished_at, entry(office).error) == (OutboxState.SENT, NOON, "")


ENDS: dict[str, tuple[Exception, OutboxState]] = {
    "4yz": (BUSY, OutboxState.QUEUED),
    "5yz": (PermanentRefusal("550 no such user", reply_code=550), OutboxState.FAILED),
    "lost after DATA began": (OutcomeUnknown("the connection was lost"), OutboxState.UNCERTAIN),
    "no connection": (ConnectionFailed("connection refused"), OutboxState.QUEUED),
    "login refused": (LoginRefused("535 bad credentials"), OutboxState.QUEUED),
    "a bug in the submission": (ZeroDivisionError("division by zero"), OutboxState.UNCERTAIN),
    "an error of the system": (OSError("no buffer space"), OutboxState.UNCERTAIN),
}


@pytest.mark.parametrize("end", ENDS)
def test_each_end_of_a_try_has_its_state_and_its_reason(office: Office, end: str) -> None:
    error, state = ENDS[end]
    office.submission.errors.append(error)
    assert office.outbox().deliver_one() is state
    assert entry(office).state is state
    assert str(error) in entry(office).error
    assert type(error).__name__ in entry(office).error
    assert (entry(office).finished_at is None) == (state is OutboxState.QUEUED)


@pytest.mark.parametrize("end", [name for name, (_, state) in ENDS.items() if state is not OutboxState.QUEUED])
def test_what_ended_is_never_sent_again_by_itself(office: Office, end: str) -> None:
    office.submission.errors.append(ENDS[end][0])
    outbox = office.outbox()
    outbox.deliver_one()
    office.clock.advance(timedelta(days=30))
    office.membership().join()
    assert outbox.deliver_one() is None
    assert office.submission.sent == []


def test_the_waits_grow_threefold_and_the_fifth_refusal_is_the_last(office: Office) -> None:
    """20 s, 1 min, 3 min, 9 min at the middle of the jitter; not a second earlier."""
    outbox = office.outbox()
    for attempt, wait in enumerate((20, 60, 180, 540), start=1):
        office.submission.errors.append(BUSY)
        assert outbox.deliver_one() is OutboxState.QUEUED
        assert entry(office).attempts == attempt
        office.clock.advance(wait * SECOND - SECOND)
        assert outbox.deliver_one() is None
        office.clock.advance(SECOND)
    office.submission.errors.append(BUSY)
    assert outbox.deliver_one() is OutboxState.FAILED
    assert entry(office).attempts == MAX_ATTEMPTS
    assert entry(office).error.startswith("gave up after 5 attempts")


def test_an_answer_that_was_refused_for_now_is_sent_later_as_it_was(office: Office) -> None:
    """The same octets and the same Message-ID, so that a second copy would be recognised."""
    office.submission.errors.append(BUSY)
    outbox = office.outbox()
    with office.store.unit() as unit:
        composed = unit.outbox(1)[0].message_id
    outbox.deliver_one()
    office.clock.advance(timedelta(minutes=1))
    outbox.deliver_one()
    assert [message.message_id for message in office.submission.sent] == [composed]


def test_one_refused_answer_does_not_hold_up_the_others(store: SqlStore) -> None:
    office = Office(store)
    queue_answers(office, question(1), question(2), question(3))
    office.submission.errors.append(BUSY)
    outbox = office.outbox()
    assert [outbox.deliver_one() for _ in range(4)] == [OutboxState.QUEUED, OutboxState.SENT, OutboxState.SENT, None]


# ------------------------------------------------------------------ crashes


def test_an_answer_found_sending_is_uncertain_and_stays_unsent(office: Office) -> None:
    with office.store.unit() as unit:
        claimed = unit.claim_outbox(office.clock.now())
    assert claimed is not None
    after = office.beside()
    assert after.membership().join() == Buried(answers=1)
    assert after.membership().join().answers == 0
    assert after.outbox().deliver_one() is None
    assert entry(office).state is OutboxState.UNCERTAIN
    assert "may or may not have gone out" in entry(office).error


def test_a_try_of_a_worker_that_lives_is_left_alone(office: Office) -> None:
    office.membership().join()
    with office.store.unit() as unit:
        unit.claim_outbox(office.clock.now())
    office.clock.advance(LONG_DEAD)
    assert office.beside().membership().join() == Buried()
    office.clock.advance(SECOND)
    assert office.beside("a third").membership().join() == Buried(workers=1, answers=1)


@dataclass(slots=True)
class Interfering:
    """Accepts a message, and lets somebody act before the worker can write that down."""

    act: Callable[[], object]
    sent: int = 0

    def submit(self, message: OutboundMessage) -> Acceptance:
        self.sent += 1
        self.act()
        return Acceptance(250, "2.0.0 queued")

    def close(self) -> None: ...


def test_a_worker_that_was_taken_for_dead_tells_what_it_heard(store: SqlStore) -> None:
    """Its answer was declared uncertain meanwhile; whoever looks at it must not send it again."""
    office = Office(store)
    queue_answers(office, question(1))
    slow = Interfering(office.beside().membership().join)
    Outbox(store=store, submission=slow, clock=office.clock, jitter=lambda: 0.5).deliver_one()
    assert slow.sent == 1
    assert entry(office).state is OutboxState.SENT
    with store.view() as unit:
        assert HEARD_LATE in unit.story(1).lines[-1].sentence  # type: ignore[union-attr] # there is a thread 1


def test_what_a_person_has_settled_meanwhile_stays_settled(store: SqlStore) -> None:
    office = Office(store)
    queue_answers(office, question(1))

    def bury_and_cancel() -> None:
        office.beside().membership().join()
        with store.unit() as unit:
            assert unit.cancel_outbox(1, office.clock.now(), "sam")

    Outbox(store=store, submission=Interfering(bury_and_cancel), clock=office.clock, jitter=lambda: 0.5).deliver_one()
    assert entry(office).state is OutboxState.CANCELLED


class LosingStore(SqlStore):
    """Loses the database at the end of the n-th transaction from now, before or after its commit."""

    def __init__(self, store: SqlStore, lose_in: int, *, after_commit: bool) -> None:
        super().__init__(store.engine)
        self._lose_in, self._after_commit = lose_in, after_commit

    @contextmanager
    def unit(self) -> Iterator[SqlUnit]:
        self._lose_in -= 1
        is_lost = self._lose_in == 0
        with super().unit() as unit:
            yield unit
            if is_lost and not self._after_commit:
                raise StoreError("the database refused: it is gone")
        if is_lost and self._after_commit:
            raise StoreError("the database refused: it is gone")


@pytest.mark.parametrize("after_commit", [False, True])
def test_an_end_that_the_store_could_not_record_is_recorded_before_the_next_claim(
    office: Office, after_commit: bool
) -> None:
    """The server said yes and this worker knows it: nothing is uncertain, and nothing is left `sending`."""
    queue_answers(office, question(2))
    office.store = LosingStore(office.store, 2, after_commit=after_commit)
    outbox = office.outbox()
    with pytest.raises(StoreError):
        outbox.deliver_one()
    assert outbox.deliver_one() is OutboxState.SENT
    assert [answer.state for answer in office.answers()] == [OutboxState.SENT, OutboxState.SENT]
    assert len(office.submission.sent) == 2


@pytest.mark.parametrize("after_commit", [False, True])
def test_a_claim_of_which_nobody_knows_whether_it_was_committed_is_not_left_open(
    office: Office, after_commit: bool
) -> None:
    office.store = LosingStore(office.store, 1, after_commit=after_commit)
    outbox = office.outbox()
    with pytest.raises(StoreError):
        outbox.deliver_one()
    outbox.deliver_one()
    assert entry(office).state is (OutboxState.UNCERTAIN if after_commit else OutboxState.SENT)


# ------------------------------------------------------------------ a person sends it again


@pytest.mark.parametrize("error", [PermanentRefusal("550"), OutcomeUnknown("lost")])
def test_a_person_may_send_a_failed_or_uncertain_answer_again(office: Office, error: Exception) -> None:
    office.submission.errors.append(error)
    outbox = office.outbox()
    outbox.deliver_one()
    entry_id = entry(office).id
    with office.store.unit() as unit:
        assert unit.retry_outbox(entry_id, office.clock.now(), "operator")
    assert outbox.deliver_one() is OutboxState.SENT
    with office.store.unit() as unit:
        assert not unit.retry_outbox(entry_id, office.clock.now(), "operator"), "sent is sent"


def test_everything_that_happened_to_an_answer_is_told(office: Office) -> None:
    office.submission.errors.append(BUSY)
    outbox = office.outbox()
    outbox.deliver_one()
    office.clock.advance(timedelta(minutes=1))
    outbox.deliver_one()
    thread_id = entry(office).thread_id
    assert thread_id is not None
    with office.store.unit() as unit:
        story = unit.story(thread_id)
    assert story is not None
    told: list[tuple[datetime, str]] = [(line.at, line.kind) for line in story.lines]
    later = NOON + timedelta(minutes=1)
    assert told == [
        (NOON, "received"),
        (NOON, "decided reply"),
        (NOON, "queued"),
        (NOON, "queued"),
        (later, "sent"),
    ]
