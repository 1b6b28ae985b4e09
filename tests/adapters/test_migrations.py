"""A store of an older version, with mail in it, comes to the newest schema and loses nothing. On both databases."""

import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, MetaData, text
from sqlalchemy.exc import DatabaseError
from tests.databases import database_url

from mailflow.adapters import schema
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.core.delivery import OutboxKind, OutboxState
from mailflow.core.fleet import Buried
from mailflow.testing import NOON

SECOND = timedelta(seconds=1)
ONE_WORKER = "0004"
"""The last revision in which a store had one worker."""
ANN, BOB = "ann@partner.example", "bob@partner.example"


def upgrade(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        command.upgrade(schema._config(connection), revision)


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A store that one worker has left: mails and answers in every state, two of them to Ann `sending`."""
    engine = open_engine(database_url(request))
    upgrade(engine, ONE_WORKER)
    tables = MetaData()
    tables.reflect(engine)

    def insert(table: str, **values: Any) -> None:
        connection.execute(tables.tables[table].insert().values(values))

    with engine.begin() as connection:
        for number, state in enumerate(("received", "processing", "done", "duplicate", "quarantined"), 1):
            content = zlib.compress(b"mail %d" % number)
            insert("raw", sha256=f"{number:064}", size=6, content=content)
            insert(
                "inbound",
                account="desk",
                mailbox="INBOX",
                uid_validity=1,
                uid=number,
                sha256=f"{number:064}",
                received_at=NOON,
                due_at=NOON,
                state=state,
                attempts=1,
                error="",
            )
            insert("audit_event", at=NOON, actor="worker", kind="received", sentence=f"mail {number}")
        states = ["sending", "sending", "queued", "sent", "failed", "uncertain", "cancelled", "bounced"]
        for number, state in enumerate(states, 1):
            insert(
                "outbox",
                decision_id=number,
                thread_id=number,
                message_id=f"m{number}",
                reverse_path="d@d.example",
                recipient=ANN if state == "sending" else BOB,
                recipient_domain="partner.example",
                subject="Re: x",
                intents=[],
                content=b"octets",
                state=state,
                attempts=1,
                queued_at=NOON,
                due_at=NOON,
                claimed_at=NOON + number * SECOND,
                error="",
            )
    yield engine
    engine.dispose()


def test_an_old_store_comes_to_the_schema_of_a_new_one(old: Engine) -> None:
    schema.upgrade(old)
    assert schema.drift(old) == []
    schema.require_newest(old)


def test_no_row_is_lost_on_the_way(old: Engine) -> None:
    def counted() -> dict[str, int]:
        tables = ("raw", "inbound", "outbox", "audit_event")
        with old.connect() as connection:
            return {one: connection.scalar(text(f"SELECT count(*) FROM {one}")) or 0 for one in tables}  # noqa: S608 - names of the test

    before = counted()
    schema.upgrade(old)
    assert counted() == before
    with SqlStore(old).opened(1) as content:
        assert content[:] == b"mail 1"


def test_answers_that_were_being_sent_are_in_doubt_afterwards(old: Engine) -> None:
    """No worker runs while the schema changes; and a recipient may have only one that is `sending` from now on."""
    schema.upgrade(old)
    with SqlStore(old).view() as unit:
        answers = {answer.id: answer for answer in unit.outbox(10)}
        looked_for = unit.uncertain(NOON)
    assert [answers[number].state for number in range(1, 9)] == [
        OutboxState.UNCERTAIN,
        OutboxState.UNCERTAIN,
        OutboxState.QUEUED,
        OutboxState.SENT,
        OutboxState.FAILED,
        OutboxState.UNCERTAIN,
        OutboxState.CANCELLED,
        OutboxState.BOUNCED,
    ]
    assert {answer.kind for answer in answers.values()} == {OutboxKind.AUTOMATIC}
    assert answers[1].finished_at == NOON + SECOND
    assert "may or may not have gone out" in answers[1].error
    assert looked_for == ["m1", "m2"], "so a copy of them among the sent mail settles them"


def test_mails_that_were_being_processed_are_taken_up_by_the_first_worker(old: Engine) -> None:
    schema.upgrade(old)
    with SqlStore(old).unit() as unit:
        assert unit.bury([], NOON) == Buried(mails=1)
        assert unit.counts().pending == 2


def test_what_waited_is_claimed_as_before(old: Engine) -> None:
    schema.upgrade(old)
    with SqlStore(old).unit() as unit:
        (mail,) = unit.claim_inbound(NOON, 10)
        answer = unit.claim_outbox(NOON)
    assert (mail.inbound_id, mail.content, mail.attempts) == (1, b"mail 1", 2)
    assert answer is not None
    assert (answer.id, answer.attempts) == (3, 2)


@pytest.mark.parametrize("statement", ["UPDATE audit_event SET sentence = ''", "DELETE FROM audit_event"])
def test_the_audit_trail_is_still_append_only(old: Engine, statement: str) -> None:
    """SQLite makes whole tables anew for some changes, and their triggers go with the old ones."""
    schema.upgrade(old)
    with pytest.raises(DatabaseError, match="append-only"), old.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize("statement", ["UPDATE outbox SET state = 'lost'", "UPDATE outbox SET decision_id = NULL"])
def test_the_database_still_refuses_what_cannot_be(old: Engine, statement: str) -> None:
    schema.upgrade(old)
    with pytest.raises(DatabaseError, match="ck_outbox"), old.begin() as connection:
        connection.execute(text(statement))


def test_an_upgrade_that_fails_leaves_the_old_store(old: Engine) -> None:
    """PostgreSQL and SQLite both take the change of a schema back."""
    with old.begin() as connection:
        connection.execute(text("CREATE TABLE chore (x integer)"))  # in the way of the next revision, at its end
    with pytest.raises(DatabaseError, match="chore"):
        schema.upgrade(old)
    assert schema.revision(old) == ONE_WORKER
    with old.connect() as connection:
        states = connection.execute(text("SELECT state FROM outbox ORDER BY id")).scalars().all()
    assert states[:3] == ["sending", "sending", "queued"]
