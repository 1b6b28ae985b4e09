"""Answers that wait: for the undo window, for their minute, for another one to the same recipient. On both databases.

What two workers do at the same time is played on two connections: the first holds its transaction open until the
second one waits for it.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic

import pytest
from sqlalchemy import text
from tests.services.office import Office, question

from mailflow.adapters.store import SqlStore
from mailflow.core.delivery import LONGEST_AHEAD, OutboxState
from mailflow.core.ports import Letter, RenderedAnswer
from mailflow.errors import TemporaryRefusal
from mailflow.services.ingest import ingest
from mailflow.services.processing import Report
from mailflow.testing import NOON, PlainRenderer

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
UNDO = timedelta(seconds=20)
PATIENCE = 20.0
ANN = "ann@partner.example"
QUEUED, SENDING, SENT, CANCELLED = OutboxState.QUEUED, OutboxState.SENDING, OutboxState.SENT, OutboxState.CANCELLED


@pytest.fixture
def office(either_store: SqlStore) -> Office:
    return Office(either_store)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def queue(office: Office, *mails: bytes) -> None:
    for content in mails:
        office.source.deliver(content)
    ingest(office.source, office.store, office.clock)
    office.processing().turn()


def states(office: Office) -> list[OutboxState]:
    return [answer.state for answer in office.answers()]


def claim(office: Office, per_minute: int | None = None) -> int | None:
    with office.store.unit() as unit:
        entry = unit.claim_outbox(office.clock.now(), per_minute)
    return entry.id if entry else None


def cancel(office: Office, entry_id: int) -> bool:
    with office.store.unit() as unit:
        return unit.cancel_outbox(entry_id, office.clock.now(), "sam")


def finish(office: Office, entry_id: int) -> None:
    with office.store.unit() as unit:
        assert unit.finish_outbox(entry_id, SENT, office.clock.now(), due_at=None, reply_code=250, error="")


def await_waiting(store: SqlStore) -> None:
    """Until somebody waits for a lock of PostgreSQL. SQLite does not tell; there one writer waits for the other."""
    if store.engine.dialect.name != "postgresql":
        return
    asked = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    deadline = monotonic() + PATIENCE
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.scalar(asked):
            assert monotonic() < deadline, "nobody waits"


class Died(Exception):
    """The worker, before its commit."""


# ------------------------------------------------------------------ the undo window


def test_an_answer_leaves_when_its_undo_window_is_over_and_not_before(office: Office) -> None:
    office.undo = UNDO
    queue(office, question(1))
    assert [(answer.state, answer.due_at) for answer in office.answers()] == [(QUEUED, NOON + UNDO)]
    office.clock.advance(UNDO - SECOND)
    assert office.outbox().deliver_one() is None
    office.clock.advance(SECOND)
    assert office.outbox().deliver_one() is SENT


def test_an_answer_that_waits_counts_against_the_budget(office: Office) -> None:
    """Two in three hours are the limit; that none has left yet does not make room for a third."""
    office.undo = UNDO
    queue(office, *(question(number, ANN) for number in (1, 2, 3)))
    assert list(office.actions().values()) == ["reply", "reply", "review"]


def test_a_cancelled_answer_never_leaves_and_its_thread_waits_for_a_person(office: Office) -> None:
    office.undo = UNDO
    queue(office, question(1))
    assert cancel(office, 1)
    assert not cancel(office, 1), "once"
    office.clock.advance(MINUTE)
    assert office.outbox().deliver_one() is None
    assert (states(office), office.submission.sent) == ([CANCELLED], [])
    with office.store.view() as unit:
        (thread,) = unit.threads(10)
        story = unit.story(thread.id)
    assert thread.status == "held"
    assert story is not None
    assert (story.lines[-1].actor, story.lines[-1].kind) == ("sam", "cancelled")


def test_what_was_cancelled_makes_room_for_another_answer(office: Office) -> None:
    office.undo = UNDO
    queue(office, question(1, ANN), question(2, ANN))
    assert cancel(office, 2)
    queue(office, question(3, ANN))
    assert office.actions()["q3@partner.example"] == "reply"


@pytest.mark.parametrize("state", [SENDING, SENT])
def test_what_is_on_its_way_cannot_be_cancelled_any_more(office: Office, state: OutboxState) -> None:
    queue(office, question(1))
    entry_id = claim(office)
    assert entry_id is not None
    if state is SENT:
        finish(office, entry_id)
    assert not cancel(office, entry_id)
    assert states(office) == [state]


# ------------------------------------------------------------------ claim against cancel


def test_who_cancels_while_a_worker_claims_comes_too_late(office: Office, pool: ThreadPoolExecutor) -> None:
    queue(office, question(1))
    with office.store.unit() as unit:
        assert unit.claim_outbox(NOON) is not None
        cancelled = pool.submit(cancel, office.beside(), 1)
        await_waiting(office.store)
    assert cancelled.result(PATIENCE) is False
    assert states(office) == [SENDING]


def test_who_claims_while_a_person_cancels_gets_nothing(office: Office, pool: ThreadPoolExecutor) -> None:
    queue(office, question(1))
    with office.store.unit() as unit:
        assert unit.cancel_outbox(1, NOON, "sam")
        claimed = pool.submit(claim, office.beside())
    assert claimed.result(PATIENCE) is None
    assert states(office) == [CANCELLED]


def test_a_claim_that_was_not_committed_leaves_the_answer_to_who_cancels(
    office: Office, pool: ThreadPoolExecutor
) -> None:
    queue(office, question(1))
    cancelled: Future[bool] | None = None
    with suppress(Died), office.store.unit() as unit:
        assert unit.claim_outbox(NOON) is not None
        cancelled = pool.submit(cancel, office.beside(), 1)
        await_waiting(office.store)
        raise Died
    assert cancelled is not None
    assert cancelled.result(PATIENCE) is True
    assert states(office) == [CANCELLED]


# ------------------------------------------------------------------ at most so many a minute


def test_so_many_answers_leave_in_a_minute_and_the_others_in_the_next(office: Office) -> None:
    office.per_minute = 2
    queue(office, *(question(number) for number in (1, 2, 3)))
    outbox, beside = office.outbox(), office.beside().outbox()
    assert [outbox.deliver_one(), beside.deliver_one()] == [SENT, SENT]
    assert [outbox.deliver_one(), beside.deliver_one()] == [None, None], "whichever worker asks"
    office.clock.advance(MINUTE)
    assert outbox.deliver_one() is None
    office.clock.advance(SECOND)
    assert outbox.deliver_one() is SENT


def test_a_try_that_was_refused_counts_too(office: Office) -> None:
    office.per_minute = 1
    queue(office, question(1), question(2))
    office.submission.errors.append(TemporaryRefusal("451"))
    assert [office.outbox().deliver_one() for _ in range(2)] == [QUEUED, None]


def test_two_workers_that_count_at_the_same_time_do_not_both_take_the_last_one(
    office: Office, pool: ThreadPoolExecutor
) -> None:
    queue(office, question(1), question(2))
    with office.store.unit() as unit:
        assert unit.claim_outbox(NOON, 1) is not None
        second = pool.submit(claim, office.beside(), 1)
        await_waiting(office.store)
    assert second.result(PATIENCE) is None
    assert states(office) == [SENDING, QUEUED]


# ------------------------------------------------------------------ one at a time to a recipient


def test_nobody_writes_to_a_recipient_who_is_being_written_to(office: Office) -> None:
    """Two answers at once could arrive in the wrong order, and the second may be cancelled because of the first."""
    queue(office, question(1, ANN), question(2, ANN), question(3))
    assert [claim(office), claim(office), claim(office)] == [1, 3, None]
    finish(office, 1)
    assert claim(office) == 2


def race_for_one_recipient(office: Office, pool: ThreadPoolExecutor, *, dies: bool) -> int | None:
    """The first worker claims one of two answers to Ann; what a second one gets meanwhile."""
    queue(office, question(1, ANN), question(2, ANN))
    second: Future[int | None] | None = None
    with suppress(Died), office.store.unit() as unit:
        assert unit.claim_outbox(NOON) is not None
        second = pool.submit(claim, office.beside())
        await_waiting(office.store)
        if dies:
            raise Died
    assert second is not None
    return second.result(PATIENCE)


def test_the_database_refuses_a_second_answer_on_its_way_to_the_same_recipient(
    office: Office, pool: ThreadPoolExecutor
) -> None:
    """Neither sees the other's claim: the unique index of what is `sending` decides."""
    assert race_for_one_recipient(office, pool, dies=False) is None
    assert states(office) == [SENDING, QUEUED]
    assert claim(office.beside()) is None
    finish(office, 1)
    assert claim(office.beside()) == 2


def test_the_second_answer_leaves_if_the_first_claim_came_to_nothing(office: Office, pool: ThreadPoolExecutor) -> None:
    assert race_for_one_recipient(office, pool, dies=True) is not None
    assert sorted(states(office)) == [QUEUED, SENDING]


def test_workers_that_claim_at_the_same_time_take_different_answers(office: Office, pool: ThreadPoolExecutor) -> None:
    queue(office, question(1), question(2))
    with office.store.unit() as unit:
        first = unit.claim_outbox(NOON)
        second = pool.submit(claim, office.beside())
    assert first is not None
    assert {first.id, second.result(PATIENCE)} == {1, 2}


def test_workers_that_claim_at_the_same_time_take_different_mails(office: Office, pool: ThreadPoolExecutor) -> None:
    def claim_mails(desk: Office, now: datetime = NOON) -> set[int]:
        with desk.store.unit() as unit:
            return {mail.inbound_id for mail in unit.claim_inbound(now, 2)}

    for number in (1, 2, 3, 4):
        office.source.deliver(question(number))
    ingest(office.source, office.store, office.clock)
    with office.store.unit() as unit:
        first = {mail.inbound_id for mail in unit.claim_inbound(NOON, 2)}
        second = pool.submit(claim_mails, office.beside())
    assert (first, second.result(PATIENCE)) == ({1, 2}, {3, 4})


# ------------------------------------------------------------------ two workers decide


def test_two_workers_that_decide_at_the_same_time_keep_to_one_budget(office: Office, pool: ThreadPoolExecutor) -> None:
    """Two answers in three hours are the limit. One was given; each worker has one more mail of Ann in its hands."""
    queue(office, question(1, ANN))
    for number in (2, 3):
        office.source.deliver(question(number, ANN))
    ingest(office.source, office.store, office.clock)
    beside = office.beside().processing()
    second: list[Future[Report]] = []

    class Waiting(PlainRenderer):
        """The first worker has read its history and composes, when the second one comes to decide."""

        def render(self, letter: Letter) -> RenderedAnswer:
            if not second:
                second.append(pool.submit(beside.turn))
                await_waiting(office.store)
            return super().render(letter)

    office.renderer = Waiting()
    first = office.processing().turn(1)
    assert (first.decided, second[0].result(PATIENCE).decided) == (1, 1)
    assert sorted(office.actions().values()) == ["reply", "reply", "review"]


def test_after_the_clock_is_set_back_nothing_waits_until_it_has_caught_up(either_store: SqlStore) -> None:
    """Mail and answers were due by a clock that was days ahead."""
    office = Office(either_store, undo=UNDO)
    office.source.deliver(question(1))
    ingest(office.source, office.store, office.clock)
    office.clock.advance(timedelta(days=-3))
    assert office.processing().turn().decided == 1
    office.clock.advance(timedelta(days=-3))
    assert office.outbox().deliver_one() is OutboxState.SENT


def test_what_waits_for_its_time_is_not_taken_for_that(either_store: SqlStore) -> None:
    """The longest wait there is."""
    office = Office(either_store)
    office.source.deliver(question(1))
    ingest(office.source, office.store, office.clock)
    with either_store.unit() as unit:
        (mail,) = unit.claim_inbound(office.clock.now(), 1)
        unit.postpone(mail.inbound_id, office.clock.now() + LONGEST_AHEAD, "not now", office.clock.now())
    with either_store.unit() as unit:
        assert unit.claim_inbound(office.clock.now(), 1) == []
