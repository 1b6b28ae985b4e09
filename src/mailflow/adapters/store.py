"""The Store port on SQL: SQLite by default, PostgreSQL the same.

Rules obeyed here:
- SQLite runs in WAL with synchronous=FULL and BEGIN IMMEDIATE: a commit that said yes survives a power cut, and a
  writer waits for its turn instead of failing at once with SQLITE_BUSY_SNAPSHOT. Who only reads begins plainly, and
  waits for nobody.
- What a unit has made due is told to the workers inside its own transaction (`announce`): both are committed, or none.
- The parts of a unit are in adapters/sql: the ledger of the mailbox, threads, outbox, workers, directory, views.

Why Core statements and not ORM objects: they cost half, and no attribute can be read from an expired row.
"""

import json
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Set
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, InternalError, OperationalError, PendingRollbackError

from mailflow.adapters.keyring import NO_KEYS, Keyring
from mailflow.adapters.spool import spooled
from mailflow.adapters.sql.accounts import Accounts
from mailflow.adapters.sql.desk import DeskWork
from mailflow.adapters.sql.directory import Directory
from mailflow.adapters.sql.erasing import Erasing
from mailflow.adapters.sql.fleet import Fleet
from mailflow.adapters.sql.gauges import Gauges
from mailflow.adapters.sql.hooks import Hooks
from mailflow.adapters.sql.past import Past
from mailflow.adapters.sql.purging import Purging
from mailflow.adapters.sql.restoring import Restoring
from mailflow.adapters.sql.sealing import START, Resealed, Sealing
from mailflow.adapters.sql.session import SECRET, Call
from mailflow.adapters.sql.views import Views
from mailflow.core.hooks import NOBODY, Listener
from mailflow.core.octets import Octets
from mailflow.errors import StoreError

Announce = Callable[[Connection, Set[Call]], None]
_READING = "mailflow_only_reads"


def open_engine(url: str) -> Engine:
    """An engine with the pragmas that mailflow needs. Raises StoreError with what to change."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError("[store] url is not a database URL, try sqlite:///mailflow.sqlite3") from error
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(f"[store] url: {parsed.get_backend_name()} is not supported, use sqlite or postgresql+psycopg")
    engine = create_engine(parsed, json_serializer=_dump_json)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin_immediate)
    return engine


def _dump_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _set_pragmas(connection: Any, _: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    only_reads = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")


class SqlStore:
    """Implements core.storage.Store."""

    def __init__(
        self,
        engine: Engine,
        announce: Announce | None = None,
        keys: Keyring = NO_KEYS,
        listeners: tuple[Listener, ...] = NOBODY,
    ) -> None:
        """`announce` tells workers on other machines what is due, on the connection of the unit that made it due.

        `keys` seal raw mail. `listeners` are other systems that hear of what happens to threads.
        """
        self.engine, self._announce, self.keys, self.listeners = engine, announce, keys, listeners
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    @contextmanager
    def unit(self) -> Iterator["SqlUnit"]:
        with _explained(), self.engine.begin() as connection:
            unit = SqlUnit(connection, self.holder, self.keys, self.listeners)
            yield unit
            if self._announce is not None and unit.calls:
                self._announce(connection, unit.calls)

    @contextmanager
    def view(self) -> Iterator["SqlUnit"]:
        """On PostgreSQL the database itself refuses to write."""
        with _explained(), self.engine.connect() as connection:
            is_postgresql = self.engine.dialect.name == "postgresql"
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if is_postgresql else {}
            with connection.execution_options(**{_READING: True}, **options).begin():
                yield SqlUnit(connection, self.holder, self.keys)

    @contextmanager
    def opened(self, inbound_id: int) -> Iterator[Octets]:
        with ExitStack() as spool:
            with self.view() as unit:
                octets = spool.enter_context(spooled(unit.content(inbound_id)))
            yield octets

    def key(self, name: str) -> bytes:
        with self.unit() as unit:
            return unit.key(name)

    def require_keys(self) -> None:
        """Raises SettingsError where the store has raw mail that its keys do not open."""
        with self.unit() as unit:
            unit.require_keys()

    def reseal(self, to: Keyring, progress: Callable[[int], None]) -> int:
        """Seal all raw mail with the first key of `to`; workers may go on meanwhile. Returns how many slices.

        `progress` hears how many are done. Raises StoreError where one cannot be opened, or a worker still seals with
        another key; running it again goes on where it stopped.
        """
        after: Resealed | None = START
        done = 0
        while after is not None:
            with self.unit() as unit:
                after, count = unit.reseal(after, to)
            done += count
            progress(done)
        with self.unit() as unit:
            still = unit.forget_keys(to.current)
        if still:
            raise StoreError(f"mail came in sealed with {', '.join(sorted(still))}: restart the workers, run it again")
        return done

    def overwrite(self) -> None:
        """SQLite: what was deleted lies no more in the log beside the file. PostgreSQL does so in its own time."""
        if self.engine.dialect.name == "sqlite":
            connection = self.engine.raw_connection()
            try:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
            finally:
                connection.close()

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, InternalError) as error:
        raise StoreError(f"the database refused: {error.orig}") from error
    except PendingRollbackError as error:
        # lost in the midst of a unit, and what was told then was taken for the trouble of one mail
        raise StoreError("the database hung up") from error


class SqlUnit(Gauges, Fleet, DeskWork, Past, Accounts, Hooks, Directory, Views, Sealing, Restoring, Purging, Erasing):
    """Implements core.storage.Unit on one connection inside one transaction."""

    def key(self, name: str) -> bytes:
        fresh = self._insert(SECRET).values(name=name, value=secrets.token_bytes(32)).on_conflict_do_nothing()
        self._db.execute(fresh)
        value: bytes = self._db.execute(select(SECRET.c.value).where(SECRET.c.name == name)).scalar_one()
        return value
