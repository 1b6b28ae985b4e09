"""Calls between workers as jobs on PostgreSQL: committed with what they announce, run by whoever is free."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import resources

import procrastinate
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, Engine, text
from tests.databases import PostgresServer

from mailflow.adapters import jobs, schema
from mailflow.adapters.jobs import Jobs, ProcrastinateRunner, conninfo
from mailflow.adapters.sql.session import Call
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.core.fleet import Role
from mailflow.core.message import MailRef, RawMessage
from mailflow.core.ports import Batch, Cursor
from mailflow.errors import ConnectionFailed, StoreError
from mailflow.testing import NOON

PATIENCE = 30.0
HOUR = timedelta(hours=1)


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    with opened(url) as store:
        yield store


@contextmanager
def opened(url: str) -> Iterator[SqlStore]:
    """As `mailflow db upgrade` makes it."""
    with engine_of(url) as engine:
        schema.upgrade(engine)
        jobs.upgrade(engine)
        yield SqlStore(engine, Jobs())


@contextmanager
def engine_of(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def record(store: SqlStore, uid: int) -> None:
    raw = RawMessage(MailRef("desk", "INBOX", 1, uid), b"mail %d" % uid, NOON)
    with store.unit() as unit:
        unit.record("desk", "INBOX", Batch((raw,), Cursor(1, uid)), NOON)


def waiting(store: SqlStore) -> list[tuple[str, datetime | None]]:
    """(role, when it is due) of the jobs, oldest first."""
    asked = text("SELECT task_name, scheduled_at FROM procrastinate_jobs ORDER BY id")
    with store.engine.connect() as connection:
        return [(row.task_name, row.scheduled_at) for row in connection.execute(asked)]


class Ran:
    """Handlers that note which of them ran, and let a test wait for that."""

    def __init__(self, *roles: Role) -> None:
        self.events = {role: threading.Event() for role in roles}

    def await_(self, role: Role) -> None:
        assert self.events[role].wait(PATIENCE), f"no job of {role} ran"
        self.events[role].clear()


@contextmanager
def running(url: str, ran: Ran) -> Iterator[None]:
    """A worker of the roles of `ran`, stopped at the end of the block."""
    stop, failures = threading.Event(), list[BaseException]()

    def work() -> None:
        try:
            ProcrastinateRunner(url).run({role: event.set for role, event in ran.events.items()}, stop)
        except BaseException as error:
            failures.append(error)
            raise

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE)
    assert not thread.is_alive()
    assert failures == []


# ------------------------------------------------------------------ deferring


def test_a_job_is_there_if_and_only_if_the_unit_commits(store: SqlStore) -> None:
    raw = RawMessage(MailRef("desk", "INBOX", 1, 1), b"mail", NOON)
    with pytest.raises(RuntimeError), store.unit() as unit:
        unit.record("desk", "INBOX", Batch((raw,), Cursor(1, 1)), NOON)
        raise RuntimeError("crash before the commit")
    assert waiting(store) == []
    record(store, 1)
    assert waiting(store) == [("process", None)]


def test_a_job_that_cannot_be_made_undoes_the_unit(store: SqlStore) -> None:
    """Both or neither: a mail whose call is lost would wait for a minute."""
    with store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE procrastinate_jobs RENAME TO away"))
    with pytest.raises(StoreError, match="refused a job"):
        record(store, 1)
    with store.view() as unit:
        assert unit.cursor("desk", "INBOX") is None


def test_what_is_due_later_is_called_later(store: SqlStore) -> None:
    record(store, 1)
    later = datetime.now(UTC).replace(microsecond=0) + HOUR
    with store.unit() as unit:
        (claimed,) = unit.claim_inbound(NOON, 10)
        unit.postpone(claimed.inbound_id, later, "busy", NOON)
    assert waiting(store) == [("process", None), ("process", later)]


def test_one_unit_calls_a_role_once(store: SqlStore) -> None:
    with store.unit() as unit:
        for uid in (1, 2, 3):
            raw = RawMessage(MailRef("desk", "INBOX", 1, uid), b"mail %d" % uid, NOON)
            unit.record("desk", "INBOX", Batch((raw,), Cursor(1, uid)), NOON)
    assert waiting(store) == [("process", None)]


def test_who_only_looks_calls_nobody(store: SqlStore) -> None:
    with store.view() as unit:
        unit.counts()
    with store.unit() as unit:
        unit.take_turn("tend", HOUR, NOON)
    assert waiting(store) == []


# ------------------------------------------------------------------ running


def test_a_job_runs_when_it_is_made_and_is_gone_then(store: SqlStore, url: str) -> None:
    ran = Ran(Role.PROCESS)
    with running(url, ran):
        for uid in (1, 2):
            record(store, uid)
            ran.await_(Role.PROCESS)
    assert waiting(store) == []


def test_a_job_that_waited_for_a_worker_runs(store: SqlStore, url: str) -> None:
    record(store, 1)
    ran = Ran(Role.PROCESS)
    with running(url, ran):
        ran.await_(Role.PROCESS)


def test_a_worker_runs_the_jobs_of_its_roles_alone(store: SqlStore, url: str) -> None:
    ran = Ran(Role.SEND)
    with store.unit() as unit:
        unit.calls |= {Call(Role.FETCH), Call(Role.PROCESS), Call(Role.SEND)}
    with running(url, ran):
        ran.await_(Role.SEND)
    assert {role for role, _ in waiting(store)} == {"fetch", "process"}


def test_a_job_of_later_runs_when_it_is_due(store: SqlStore, url: str) -> None:
    """Nobody is told when its time has come: the worker looks."""
    ran = Ran(Role.SEND)
    due_at = datetime.now(UTC) + timedelta(seconds=1)
    with running(url, ran):
        with store.unit() as unit:
            unit.calls.add(Call(Role.SEND, due_at))
        ran.await_(Role.SEND)
        assert datetime.now(UTC) >= due_at


def test_a_stop_waits_for_the_turn_that_is_going_on(store: SqlStore, url: str) -> None:
    began, may_end, stop = threading.Event(), threading.Event(), threading.Event()
    ended: list[str] = []

    def turn() -> None:
        began.set()
        assert may_end.wait(PATIENCE)
        ended.append("the turn")

    def work() -> None:
        ProcrastinateRunner(url).run({Role.PROCESS: turn}, stop)
        ended.append("the worker")

    record(store, 1)
    thread = threading.Thread(target=work)
    thread.start()
    assert began.wait(PATIENCE)
    stop.set()
    may_end.set()
    thread.join(PATIENCE)
    assert ended == ["the turn", "the worker"]
    assert waiting(store) == []


@pytest.mark.parametrize("is_pruned", [False, True])
def test_the_job_of_a_worker_that_died_runs_again(store: SqlStore, url: str, is_pruned: bool) -> None:
    """It is `doing` for ever, unless somebody looks; whether or not its worker has been struck off meanwhile."""
    record(store, 1)
    with store.engine.begin() as connection:
        dead = connection.execute(
            text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour') RETURNING id")
        ).scalar_one()
        connection.execute(text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = :dead"), {"dead": dead})
        if is_pruned:
            connection.execute(text("DELETE FROM procrastinate_workers"))
    ran = Ran(Role.PROCESS)
    with running(url, ran):
        ran.await_(Role.PROCESS)
    assert waiting(store) == []


def test_a_database_that_is_not_there_is_a_failed_connection(postgres: PostgresServer) -> None:
    with pytest.raises(ConnectionFailed, match="jobs of the store"):
        ProcrastinateRunner(postgres.url("no_such_database")).run({Role.SEND: lambda: None}, threading.Event())


def test_a_database_that_goes_away_is_a_failed_connection(store: SqlStore, url: str) -> None:
    record(store, 1)
    began = threading.Event()
    caught: list[BaseException] = []

    def work() -> None:
        try:
            ProcrastinateRunner(url).run({Role.PROCESS: began.set}, threading.Event())
        except ConnectionFailed as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert began.wait(PATIENCE)
    with store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE procrastinate_jobs RENAME TO away"))
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert len(caught) == 1


# ------------------------------------------------------------------ the tables of the jobs


def shape(engine: Engine) -> list[tuple[object, ...]]:
    """Columns and functions of Procrastinate."""
    asked = (
        "SELECT table_name, column_name, data_type, column_default FROM information_schema.columns"
        " WHERE table_name LIKE 'procrastinate%'",
        "SELECT proname, pg_get_function_identity_arguments(oid), prosrc, '' FROM pg_proc"
        " WHERE proname LIKE 'procrastinate%'",
        "SELECT tgname, tgrelid::regclass::text, tgfoid::regproc::text, '' FROM pg_trigger WHERE NOT tgisinternal"
        " AND tgrelid::regclass::text LIKE 'procrastinate%'",
        "SELECT indexname, '', '', '' FROM pg_indexes WHERE tablename LIKE 'procrastinate%'",
    )
    with engine.connect() as connection:
        return sorted((tuple(row) for one in asked for row in connection.execute(text(one))), key=repr)


def test_making_the_tables_again_changes_nothing(store: SqlStore) -> None:
    before = shape(store.engine)
    record(store, 1)
    jobs.upgrade(store.engine)
    assert shape(store.engine) == before
    assert waiting(store) == [("process", None)]


@pytest.mark.parametrize("version", ["2.14.1", "3.2.0", "3.3.0"])
def test_tables_of_an_older_version_are_brought_along(postgres: PostgresServer, store: SqlStore, version: str) -> None:
    """With Procrastinate's own migrations, from where they were made."""
    with engine_of(postgres.new_database()) as engine:
        make_tables_of(version, engine)
        assert names(engine) != names(store.engine)
        jobs.upgrade(engine)
        assert names(engine) == names(store.engine)
        with engine.connect() as connection:
            found = connection.scalar(text("SELECT obj_description('procrastinate_jobs'::regclass)"))
    assert found == procrastinate.__version__


def test_an_upgrade_that_was_broken_off_goes_on_where_it_stopped(postgres: PostgresServer, store: SqlStore) -> None:
    with engine_of(postgres.new_database()) as engine:
        make_tables_of("3.1.0", engine)
        with engine.begin() as connection:  # stands in the way of a migration of 3.2.0, the second of those to come
            connection.execute(text("CREATE TYPE procrastinate_job_to_defer_v1 AS (x integer)"))
        with pytest.raises(StoreError, match="already exists"):
            jobs.upgrade(engine)
        with engine.begin() as connection:
            connection.execute(text("DROP TYPE procrastinate_job_to_defer_v1"))
        jobs.upgrade(engine)
        assert names(engine) == names(store.engine)


def make_tables_of(version: str, engine: Engine) -> None:
    folder = resources.files("procrastinate.sql") / "migrations"
    last = ".".join(f"{int(part):02}" for part in version.split(".")) + "_99"
    scripts = sorted(one.name for one in folder.iterdir() if one.name.endswith(".sql") and one.name < last)
    for name in scripts:
        with engine.begin() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.cursor().execute((folder / name).read_text(encoding="utf-8"))
    with engine.begin() as connection:
        connection.execute(text(f"COMMENT ON TABLE procrastinate_jobs IS '{version}'"))


def names(engine: Engine) -> set[tuple[object, ...]]:
    """Columns, functions with their arguments, triggers and indexes."""
    return {(name, argument) for name, argument, *_ in shape(engine)}


def test_tables_that_somebody_else_made_are_left_alone(url: str) -> None:
    with engine_of(url) as engine:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE procrastinate_jobs (id bigint)"))
        with pytest.raises(StoreError, match="use another schema"):
            jobs.upgrade(engine)


# ------------------------------------------------------------------ several desks in one database


def test_two_desks_in_two_schemas_do_not_hear_of_each_other(postgres: PostgresServer, url: str) -> None:
    """`?options=-csearch_path%3Ddesk_a`: docs/operating.md."""
    with engine_of(url) as engine, engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA desk_a"))
        connection.execute(text("CREATE SCHEMA desk_b"))
    at_a, at_b = (f"{url}?options=-csearch_path%3D{name}" for name in ("desk_a", "desk_b"))
    ran_a, ran_b = Ran(Role.PROCESS), Ran(Role.PROCESS)
    with opened(at_a) as store_a, opened(at_b) as store_b:
        record(store_a, 1)
        with running(at_b, ran_b), running(at_a, ran_a):
            ran_a.await_(Role.PROCESS)
            record(store_b, 1)
            record(store_b, 2)
            ran_b.await_(Role.PROCESS)
        assert not ran_a.events[Role.PROCESS].is_set()
        for store, mails in ((store_a, 1), (store_b, 2)):
            with store.view() as unit:
                assert unit.counts().received == mails
            assert schema.drift(store.engine) == []


# ------------------------------------------------------------------ the address

WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)


@given(WORDS, WORDS, WORDS, st.integers(1, 65535), st.sampled_from(["", "-csearch_path=desk_a", "-c x=1 -c y=2"]))
def test_the_address_of_the_store_is_that_of_the_jobs(
    user: str, password: str, database: str, port: int, options: str
) -> None:
    query = {"options": options, "sslmode": "verify-full"} if options else {}
    url = URL.create("postgresql+psycopg", user, password, "db.desk.example", port, database, query)
    found = conninfo_to_dict(conninfo(url.render_as_string(hide_password=False)))
    wanted = {"user": user, "password": password, "host": "db.desk.example", "port": str(port), "dbname": database}
    assert found == wanted | query


def test_what_the_address_leaves_out_is_left_to_libpq() -> None:
    assert conninfo_to_dict(conninfo("postgresql+psycopg:///desk")) == {"dbname": "desk"}
    assert conninfo_to_dict(conninfo("postgresql+psycopg:///desk?host=/run/postgresql")) == {
        "dbname": "desk",
        "host": "/run/postgresql",
    }
