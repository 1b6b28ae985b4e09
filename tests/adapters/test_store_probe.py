"""The doctor's look at a store: true on both databases, and nothing stays behind."""

from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from tests.databases import database_url

from mailflow.adapters import schema
from mailflow.adapters.store import open_engine
from mailflow.adapters.store_probe import look_at_store
from mailflow.errors import StoreError


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    return database_url(request)


def upgraded(url: str, revision: str | None = None) -> None:
    engine = open_engine(url)
    schema.upgrade(engine)
    if revision:
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
    engine.dispose()


def test_a_store_of_this_version_is_known_and_takes_what_is_written(url: str) -> None:
    upgraded(url)
    facts, now = look_at_store(url)
    assert (facts.revision, facts.newest_revision) == (schema.newest_revision(), schema.newest_revision())
    assert facts.exists and facts.is_known and facts.write_error == "" and facts.version[0].isdigit()
    assert facts.kind in url
    if facts.kind == "sqlite":
        assert facts.journal == "wal" and facts.free_octets and now is None
    else:
        assert now is not None and now.tzinfo is not None


def test_nothing_of_the_look_stays_in_the_store(url: str) -> None:
    upgraded(url)
    look_at_store(url)
    engine = open_engine(url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM secret")) == 0
    engine.dispose()


def test_an_empty_database_stays_empty(url: str) -> None:
    engine = open_engine(url)
    with engine.connect():  # makes SQLite's file
        pass
    facts, _ = look_at_store(url)
    assert (facts.exists, facts.revision, facts.write_error) == (True, None, "")
    assert inspect(engine).get_table_names() == []
    engine.dispose()


@pytest.mark.parametrize(("revision", "is_known"), [("0001", True), ("9999", False)])
def test_the_revision_of_another_version_is_told(url: str, revision: str, is_known: bool) -> None:
    upgraded(url, revision)
    facts, _ = look_at_store(url)
    assert (facts.revision, facts.is_known) == (revision, is_known)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite3"
    facts, _ = look_at_store(f"sqlite:///{path}")
    assert (facts.exists, facts.write_error, facts.place) == (False, "", str(path))
    assert not path.exists()


def test_it_is_seen_where_others_may_read_the_file_or_one_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "desk.sqlite3"
    engine = open_engine(f"sqlite:///{file}")
    schema.upgrade(engine)
    assert look_at_store(f"sqlite:///{file}")[0].mode == 0o600
    with engine.connect():
        (tmp_path / "desk.sqlite3-wal").chmod(0o640)
        assert look_at_store(f"sqlite:///{file}")[0].mode == 0o640
    engine.dispose()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    facts, _ = look_at_store(f"sqlite:///{tmp_path}/nowhere/m.sqlite3")
    assert not facts.exists and facts.write_error and facts.free_octets is None


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "m.sqlite3").write_text("no database, " * 100)
    with pytest.raises(StoreError, match=r"m\.sqlite3: file is not a database"):
        look_at_store(f"sqlite:///{tmp_path / 'm.sqlite3'}")


def test_a_server_that_does_not_answer_is_an_error_without_the_password() -> None:
    with pytest.raises(StoreError) as caught:
        look_at_store("postgresql+psycopg://desk:hunter2@127.0.0.1:9/desk")
    assert "127.0.0.1/desk" in str(caught.value) and "hunter2" not in str(caught.value)


def test_what_is_no_url_is_an_error_that_does_not_repeat_it() -> None:
    with pytest.raises(StoreError, match=r"^\[store\] url is not a database URL") as caught:
        look_at_store("desk:hunter2@db")
    assert "hunter2" not in str(caught.value)


def test_a_write_that_is_refused_is_told(url: str) -> None:
    upgraded(url)
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE secret"))
    engine.dispose()
    facts, _ = look_at_store(url)
    assert "secret" in facts.write_error and "\n" not in facts.write_error
