"""A clock that was wrong and is set right must not keep the desk waiting until the wrong time has come."""

from datetime import timedelta

import pytest
from tests.services.office import Office, memory_store, question

from mailflow.adapters.store import SqlStore
from mailflow.core.delivery import OutboxState
from mailflow.services.ingest import ingest
from mailflow.testing import NOON

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def store() -> SqlStore:
    return memory_store()


def test_a_chore_that_was_done_in_the_future_is_done_again_at_its_usual_pace(store: SqlStore) -> None:
    with store.unit() as unit:
        assert unit.take_turn("tend", MINUTE, NOON + DAY)
        assert unit.take_turn("tend", MINUTE, NOON)
        assert not unit.take_turn("tend", MINUTE, NOON + MINUTE / 2)
        assert unit.take_turn("tend", MINUTE, NOON + MINUTE)


def test_clocks_that_differ_by_seconds_do_a_chore_once(store: SqlStore) -> None:
    with store.unit() as unit:
        assert unit.take_turn("tend", MINUTE, NOON + timedelta(seconds=9))
        assert not unit.take_turn("tend", MINUTE, NOON)


def test_answers_of_the_future_do_not_count_against_this_minute(store: SqlStore) -> None:
    office = Office(store, per_minute=1)
    office.clock.advance(DAY)
    office.work(question(1))
    office.clock.advance(-DAY)
    office.source.deliver(question(2))
    ingest(office.source, store, office.clock)
    office.processing().turn()
    assert office.outbox().deliver_one() is OutboxState.SENT
