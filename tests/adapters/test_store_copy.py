"""A desk moves from one database to another: every row, the keys, the counters, what is searched; or nothing at all."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import SQLModel
from tests.adapters.test_sealed_mail import LARGE, record
from tests.databases import PostgresServer
from tests.memory import MIB, peak_memory
from tests.services.office import Office, question

from mailflow.adapters import schema
from mailflow.adapters.keyring import Keyring
from mailflow.adapters.spool import spooled
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.adapters.store_copy import NOT_COPIED, TABLES, move_store, snapshot, sums_of
from mailflow.core.conversation import Clues
from mailflow.core.fleet import ALL_ROLES, DEAD_AFTER, WorkerRecord
from mailflow.core.message import MailRef, RawMessage
from mailflow.core.octets import SLICE
from mailflow.core.partner import Partner, PartnerDirectory, PartnerKind, Route
from mailflow.core.ports import Batch
from mailflow.core.review import SavedDraft
from mailflow.errors import StoreError
from mailflow.testing import NOON

KEY = b"k" * 32
FIRM = Partner(("partner1.example",), "Firma Größe", "Select", PartnerKind.MSP, "EMEA", Route.DISTRIBUTION, "Big")


def sqlite_url(folder: Path, name: str) -> str:
    return f"sqlite:///{folder / name}.sqlite3"


@pytest.fixture(params=["sqlite to sqlite", "sqlite to postgresql", "postgresql to sqlite", "postgresql to postgresql"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """(where the desk is, where it goes); nothing is there."""

    def url(kind: str, name: str) -> str:
        if kind == "sqlite":
            return sqlite_url(tmp_path, name)
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.new_database()

    here, _, there = request.param.partition(" to ")
    return url(here, "here"), url(there, "there")


@pytest.fixture
def open_stores() -> Iterator[list[SqlStore]]:
    stores: list[SqlStore] = []
    yield stores
    for store in stores:
        store.close()


def new_store(url: str, stores: list[SqlStore]) -> SqlStore:
    engine = open_engine(url)
    schema.upgrade(engine)
    stores.append(SqlStore(engine, keys=Keyring([KEY])))
    return stores[-1]


def desk_with_a_past(store: SqlStore) -> Office:
    """Answered, held and ignored mail, notes, drafts, people, a large mail, a mail in every script."""
    office = Office(store)
    store.require_keys()
    office.work(
        question(1), question(2, body="A riddle: naïve Größe, 見積もり, \U0001f600"), question(3, body="thanks")
    )
    record(store, LARGE, uid=90)
    with store.unit() as unit:
        unit.replace_partners(PartnerDirectory.of([FIRM]), NOON, "sam")
        unit.save_draft(2, SavedDraft("sam", NOON, "Dear **Ann**", ""))
        unit.add_note(2, "sam", "asks for the third time", NOON)
    return office


WORDS = ("größe", "見積もり", "question ann", "licen")


def found(store: SqlStore, words: str) -> list[int]:
    with store.view() as unit:
        return unit.search(words)


def test_a_desk_moves_and_goes_on(way: tuple[str, str], open_stores: list[SqlStore]) -> None:
    here, there = way
    office = desk_with_a_past(new_store(here, open_stores))
    reply_key = office.store.key("reply")
    with snapshot(office.store.engine) as connection:
        before = sums_of(connection)
    assert move_store(here, there, NOON) == sum(one.rows for one in before.values())

    moved = new_store(there, open_stores)
    with snapshot(moved.engine) as connection:
        assert sums_of(connection) == before
    moved.require_keys()
    assert moved.key("reply") == reply_key
    wanted = [found(office.store, words) for words in WORDS]
    assert [found(moved, words) for words in WORDS] == wanted
    assert all(wanted)

    at_work = Office(moved, source=office.source, clock=office.clock)
    at_work.work(question(4))
    assert at_work.counts().received == 5
    assert at_work.actions()["q4@partner.example"] == "reply"
    with moved.unit() as unit:
        assert unit.open_thread("new", Clues(requester="eve@partner.example"), NOON) == 6


def test_large_mail_comes_over_as_it_was(way: tuple[str, str], open_stores: list[SqlStore]) -> None:
    here, there = way
    old = new_store(here, open_stores)
    record(old, LARGE)
    move_store(here, there, NOON)
    with new_store(there, open_stores).opened(1) as content:
        assert content[:] == LARGE


def test_every_table_is_copied_or_named_as_not_to_be() -> None:
    assert {table.name for table in TABLES} | NOT_COPIED == set(SQLModel.metadata.tables)
    names = [table.name for table in TABLES]
    assert names.index("raw") < min(names.index("raw_slice"), names.index("inbound"))


def test_a_desk_at_work_is_not_moved(way: tuple[str, str], open_stores: list[SqlStore]) -> None:
    here, there = way
    old = new_store(here, open_stores)
    worker = WorkerRecord("machine:7:ab", "machine", 7, ALL_ROLES, NOON, NOON)
    with old.unit() as unit:
        unit.beat(worker)
    with pytest.raises(StoreError, match=r"machine:7:ab.*stop them first"):
        move_store(here, there, NOON + timedelta(seconds=9))
    move_store(here, there, NOON + DEAD_AFTER + timedelta(seconds=1))
    with new_store(there, open_stores).view() as unit:
        assert unit.workers() == [], "who is at work is not copied"


def test_a_store_with_anything_in_it_is_not_moved_into(way: tuple[str, str], open_stores: list[SqlStore]) -> None:
    here, there = way
    new_store(here, open_stores)
    new_store(there, open_stores).key("reply")
    with pytest.raises(StoreError, match=r"not empty .*rows in secret"):
        move_store(here, there, NOON)


def test_a_move_that_fails_leaves_the_new_store_empty(way: tuple[str, str], open_stores: list[SqlStore]) -> None:
    """Cut off in the middle, and begun again."""
    here, there = way
    desk_with_a_past(new_store(here, open_stores))

    def cut_off(table: str, rows: int) -> None:
        if table == "message":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move_store(here, there, NOON, cut_off)
    assert move_store(here, there, NOON) > 0


def test_a_row_that_changed_on_its_way_is_noticed(
    postgres: PostgresServer, tmp_path: Path, open_stores: list[SqlStore]
) -> None:
    """A database that does what it was not asked for: here a trigger that cuts subjects short."""
    here, there = sqlite_url(tmp_path, "here"), postgres.new_database()
    desk_with_a_past(new_store(here, open_stores))
    with new_store(there, open_stores).engine.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN NEW.subject = left(NEW.subject, 3); RETURN NEW; END $$"
            )
        )
        connection.execute(text("CREATE TRIGGER cut BEFORE INSERT ON thread FOR EACH ROW EXECUTE FUNCTION cut()"))
    with pytest.raises(StoreError, match="thread did not come over as it was"):
        move_store(here, there, NOON)
    with snapshot(open_stores[-1].engine) as connection:
        assert {one.rows for one in sums_of(connection).values()} == {0}


def test_only_stores_of_the_same_revision_are_copied(tmp_path: Path, open_stores: list[SqlStore]) -> None:
    here, there = sqlite_url(tmp_path, "here"), sqlite_url(tmp_path, "there")
    new_store(here, open_stores)
    new_store(there, open_stores)
    for store, what in zip(open_stores, ("the old store", "the new store"), strict=True):
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '0005'"))
        with pytest.raises(StoreError, match=f"{what} has revision 0005.*db upgrade"):
            move_store(here, there, NOON)
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": schema.newest_revision()})


def test_what_is_no_store_is_said_in_a_sentence(tmp_path: Path) -> None:
    there = sqlite_url(tmp_path, "there")
    with pytest.raises(StoreError, match="there is no file"):
        move_store(sqlite_url(tmp_path, "nothing"), there, NOON)
    (tmp_path / "empty.sqlite3").touch()
    with pytest.raises(StoreError, match="holds nothing of mailflow"):
        move_store(sqlite_url(tmp_path, "empty"), there, NOON)
    with pytest.raises(StoreError, match="are the same store"):
        move_store(sqlite_url(tmp_path, "empty"), sqlite_url(tmp_path, "empty"), NOON)
    assert not (tmp_path / "nothing.sqlite3").exists()


def test_nobody_writes_into_a_store_that_moves(
    postgres: PostgresServer, tmp_path: Path, open_stores: list[SqlStore]
) -> None:
    for number, here in enumerate((sqlite_url(tmp_path, "here"), postgres.new_database())):
        old = new_store(here, open_stores)
        old.key("reply")
        tried: list[Exception] = []

        def write(table: str, rows: int, store: SqlStore = old, tried: list[Exception] = tried) -> None:
            engine = store.engine
            with engine.connect() as connection:
                try:
                    if engine.dialect.name == "sqlite":
                        connection.execution_options(mailflow_only_reads=True)
                        connection.execute(text("PRAGMA busy_timeout = 1"))
                    else:
                        connection.execute(text("SET lock_timeout = '1ms'"))
                    connection.execute(text("DELETE FROM secret"))
                except Exception as error:  # noqa: BLE001 - whatever the database says
                    tried.append(error)

        move_store(here, sqlite_url(tmp_path, f"there{number}"), NOON, write)
        assert tried, here


def test_a_store_of_many_large_mails_goes_through_little_memory(
    way: tuple[str, str], open_stores: list[SqlStore]
) -> None:
    here, there = way
    old = new_store(here, open_stores)
    with spooled(bytes([n]) * SLICE for n in range(40)) as content, old.unit() as unit:
        mail = RawMessage(MailRef("desk", "INBOX", 1, 1), b"", NOON)
        unit.record("desk", "INBOX", Batch((replace(mail, content=content),), None), NOON)
    grow = text("UPDATE raw_slice SET content = :content")
    with old.engine.begin() as connection:
        connection.execute(grow, {"content": bytes(SLICE)})
    with peak_memory() as moving:
        move_store(here, there, NOON)
    assert moving.octets < 32 * MIB
