"""What is measured of the store, on both databases: how much waits since when, and when mail came."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, insert
from tests.databases import database_url

from mailflow.adapters import schema
from mailflow.adapters.sql.gauges import Gauges
from mailflow.adapters.sql.session import INBOUND, OUTBOX, RAW, WORKER
from mailflow.adapters.store import open_engine
from mailflow.core.alarms import Arrivals
from mailflow.core.delivery import InboundState, OutboxState
from mailflow.core.fleet import DEAD_AFTER
from mailflow.core.telemetry import Backlog
from mailflow.testing import NOON

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SHA = "0" * 64


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    engine = open_engine(database_url(request))
    schema.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(insert(RAW).values(sha256=SHA, size=1, content=b"x"))
    yield engine
    engine.dispose()


def add_mail(
    connection: Connection, uid: int, state: InboundState, due_at: datetime = NOON, received_at: datetime = NOON
) -> None:
    connection.execute(
        insert(INBOUND).values(
            account="desk",
            mailbox="INBOX",
            uid_validity=1,
            uid=uid,
            sha256=SHA,
            received_at=received_at,
            state=state,
            attempts=0,
            due_at=due_at,
            error="",
            claimed_by="",
        )
    )


def add_answer(connection: Connection, number: int, state: OutboxState, due_at: datetime = NOON) -> None:
    connection.execute(
        insert(OUTBOX).values(
            kind="person",
            message_id=f"{number}@desk.example",
            reverse_path="",
            recipient=f"{number}@partner.example",
            recipient_domain="partner.example",
            subject="",
            intents=[],
            content=b"",
            state=state,
            attempts=0,
            queued_at=NOON,
            due_at=due_at,
            error="",
            claimed_by="",
        )
    )


def add_worker(connection: Connection, name: str, seen_at: datetime) -> None:
    connection.execute(
        insert(WORKER).values(id=name, machine="m", pid=1, roles="fetch", started_at=NOON, seen_at=seen_at)
    )


def backlog(engine: Engine, now: datetime = NOON) -> Backlog:
    with engine.begin() as connection:
        return Gauges(connection).backlog(now)


def arrivals(engine: Engine, since: datetime) -> Arrivals:
    with engine.begin() as connection:
        return Gauges(connection).arrivals(since)


def test_an_empty_store_has_nothing_waiting(engine: Engine) -> None:
    assert backlog(engine) == Backlog()
    assert arrivals(engine, NOON) == Arrivals({}, None, None)


def test_mails_that_wait_and_the_one_that_waits_longest(engine: Engine) -> None:
    with engine.begin() as connection:
        for uid, state in enumerate(InboundState):
            add_mail(connection, uid, state, due_at=NOON - uid * MINUTE)
        add_mail(connection, 99, InboundState.RECEIVED, due_at=NOON + MINUTE)
    found = backlog(engine)
    assert (found.mails_waiting, found.mails_quarantined) == (3, 1)
    assert found.oldest_mail_due_at == NOON - list(InboundState).index(InboundState.PROCESSING) * MINUTE


def test_what_waits_for_its_retry_or_its_undo_window_is_waiting_but_not_due(engine: Engine) -> None:
    with engine.begin() as connection:
        add_mail(connection, 1, InboundState.RECEIVED, due_at=NOON + MINUTE)
        add_answer(connection, 1, OutboxState.QUEUED, due_at=NOON + MINUTE)
    found = backlog(engine)
    assert (found.mails_waiting, found.answers_queued) == (1, 1)
    assert (found.oldest_mail_due_at, found.oldest_answer_due_at) == (None, None)
    assert backlog(engine, NOON + MINUTE).oldest_answer_due_at == NOON + MINUTE


def test_answers_by_what_is_to_be_done_about_them(engine: Engine) -> None:
    with engine.begin() as connection:
        for number, state in enumerate([*OutboxState, OutboxState.FAILED]):
            add_answer(connection, number, state, due_at=NOON - number * MINUTE)
    found = backlog(engine)
    assert (found.answers_queued, found.answers_failed, found.answers_uncertain) == (2, 2, 1)
    assert found.oldest_answer_due_at == NOON - list(OutboxState).index(OutboxState.SENDING) * MINUTE


def test_workers_that_were_heard_of_lately(engine: Engine) -> None:
    with engine.begin() as connection:
        add_worker(connection, "alive", NOON - DEAD_AFTER)
        add_worker(connection, "dead", NOON - DEAD_AFTER - MINUTE)
    assert backlog(engine).workers_alive == 1


def test_mail_is_counted_by_the_hour_in_which_it_was_stored(engine: Engine) -> None:
    times = [NOON - HOUR, NOON, NOON + MINUTE, NOON + 59 * MINUTE, NOON + HOUR, NOON + 5 * HOUR]
    with engine.begin() as connection:
        for uid, at in enumerate(times):
            add_mail(connection, uid, InboundState.DONE, received_at=at)
    assert arrivals(engine, NOON) == Arrivals.of(times[1:])
    assert arrivals(engine, NOON).by_hour == {NOON: 3, NOON + HOUR: 1, NOON + 5 * HOUR: 1}


def test_the_hour_is_that_of_utc_whatever_the_session_speaks(engine: Engine) -> None:
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL TIME ZONE 'Asia/Tokyo'")
        add_mail(connection, 1, InboundState.DONE, received_at=late)
        assert Gauges(connection).arrivals(late - HOUR) == Arrivals.of([late])


def test_the_revision_is_that_of_the_schema(engine: Engine) -> None:
    with engine.begin() as connection:
        assert Gauges(connection).revision() == schema.newest_revision()
