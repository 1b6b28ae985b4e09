"""The Store port on SQL: SQLite by default, PostgreSQL the same.

Rules obeyed here:
- SQLite runs in WAL with synchronous=FULL and BEGIN IMMEDIATE: a commit that said yes survives a power cut, and a
  writer waits for its turn instead of failing at once with SQLITE_BUSY_SNAPSHOT.
- The parts of a unit are in adapters/sql: the ledger of the mailbox, threads, outbox, directory, views.

Why Core statements and not ORM objects: they cost half, and no attribute can be read from an expired row.
"""

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from mailflow.adapters.spool import spooled
from mailflow.adapters.sql.directory import Directory
from mailflow.adapters.sql.ledger import Ledger
from mailflow.adapters.sql.outbox import Outbox
from mailflow.adapters.sql.session import SECRET
from mailflow.adapters.sql.threads import Threads
from mailflow.adapters.sql.views import Views
from mailflow.core.octets import Octets
from mailflow.errors import StoreError


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
    connection.exec_driver_sql("BEGIN IMMEDIATE")


class SqlStore:
    """Implements core.storage.Store."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def unit(self) -> Iterator["SqlUnit"]:
        try:
            with self.engine.begin() as connection:
                yield SqlUnit(connection)
        except OperationalError as error:
            raise StoreError(f"the database refused: {error.orig}") from error

    @contextmanager
    def opened(self, inbound_id: int) -> Iterator[Octets]:
        with ExitStack() as spool:
            with self.unit() as unit:
                octets = spool.enter_context(spooled(unit.content(inbound_id)))
            yield octets

    def key(self, name: str) -> bytes:
        with self.unit() as unit:
            return unit.key(name)

    def close(self) -> None:
        self.engine.dispose()


class SqlUnit(Ledger, Threads, Outbox, Directory, Views):
    """Implements core.storage.Unit on one connection inside one transaction."""

    def key(self, name: str) -> bytes:
        fresh = self._insert(SECRET).values(name=name, value=secrets.token_bytes(32)).on_conflict_do_nothing()
        self._db.execute(fresh)
        value: bytes = self._db.execute(select(SECRET.c.value).where(SECRET.c.name == name)).scalar_one()
        return value
