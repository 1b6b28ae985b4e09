"""A whole store copied into an empty one, from either database to either: how a desk moves, is backed up and restored.

    every table of tables.py, those that others refer to first, row by row through a few MiB of memory
    -> the words by which mails are found -> the counters of PostgreSQL
    -> read again from the new store: as many rows, with the same sum of SHA-256

Rule: all of it is one transaction of the new store. What fails leaves it as empty as it was.
Rule: the old store is read in one state of it (a snapshot), and nothing of it is changed.
Rule: rows go as they are: raw mail that is sealed stays sealed, and needs no key here. The secrets go too: without the
one that signs our Message-IDs no reply would find its thread.
Rule: who is at work, and what he alone holds, belongs to a store and is not copied (NOT_COPIED). Jobs of Procrastinate
neither: due rows are the truth, and the workers are called for them again.
Why sums and not one digest in order: databases sort text differently, and a sum has no order.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, LargeBinary, Row, Table, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import SQLModel

from mailflow.adapters import schema
from mailflow.adapters.sql.session import WORKER
from mailflow.adapters.store import open_engine
from mailflow.core.fleet import DEAD_AFTER
from mailflow.errors import StoreError

NOT_COPIED = frozenset({"worker", "lease", "retention_permit", "presence"})
TABLES: tuple[Table, ...] = tuple(one for one in SQLModel.metadata.sorted_tables if one.name not in NOT_COPIED)
"""Those that others refer to first."""
_SEARCH = "message_search"
_AT_ONCE = 4 << 20
"""Octets of rows, about, that are in memory at a time."""
_MOST_ROWS, _MOST_LARGE_ROWS = 500, 8
"""Rows that are read at a time; of tables with octets fewer, because each may hold a MiB."""
_WHOLE = 2**256
Progress = Callable[[str, int], None]
"""Hears the table that is copied and how many of its rows are done."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What a table holds, in any order: how many rows, and the sum of their SHA-256 as 64 hexadecimal digits."""

    rows: int
    sha256: str


class _Summing:
    def __init__(self, table: Table) -> None:
        self._columns = [column.name for column in table.columns]
        self._rows, self._total = 0, 0

    def add(self, row: Row[Any]) -> None:
        values = row._mapping
        written = "\0".join(_written(values[name]) for name in self._columns)
        digest = hashlib.sha256(written.encode("utf-8", "surrogatepass")).digest()
        self._rows, self._total = self._rows + 1, (self._total + int.from_bytes(digest)) % _WHOLE

    @property
    def sum(self) -> Sum:
        return Sum(self._rows, f"{self._total:064x}")


def _written(value: object) -> str:
    """`value` the same way whichever database it came from; different values differently."""
    match value:
        case None | bool() | int() | float():
            return repr(value)
        case datetime():
            return value.isoformat()
        case bytes() | memoryview():
            return hashlib.sha256(value).hexdigest()
        case str():
            return json.dumps(value)
        case _:
            return json.dumps(value, sort_keys=True)


# ---------------------------------------------------------------------- the two ends


def move_store(from_url: str, to_url: str, now: datetime, progress: Progress = lambda table, rows: None) -> int:
    """Copy the store at `from_url` into the empty database at `to_url`, which becomes a store. Returns how many rows.

    Raises StoreError with what to do. Nobody changes the old store meanwhile, and it stays as it is.
    """
    require_file(from_url, "the old store")
    if make_url(from_url) == make_url(to_url):
        raise StoreError("both addresses are the same store")
    with opened(from_url) as old, opened(to_url) as new:
        require_store(old, "the old store")
        make_store(new)
        with standstill(old, now) as source, new.begin() as target:
            return sum(one.rows for one in copy_store(source, target, progress).values())


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """An engine until the context ends. Inside, what the database says becomes a StoreError."""
    engine = open_engine(url)
    try:
        yield engine
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", None) or error).strip().splitlines()
        # the first line alone: what follows may be a row, with somebody's mail in it
        raise StoreError(f"the database refused: {said[0] if said else type(error).__name__}") from None
    finally:
        engine.dispose()


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """One state of a store to read, while its workers go on."""
    with engine.connect() as connection:
        options: dict[str, Any] = {"mailflow_only_reads": True}
        if engine.dialect.name == "postgresql":
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with connection.execution_options(**options).begin():
            yield connection


@contextmanager
def standstill(engine: Engine, now: datetime) -> Iterator[Connection]:
    """A store that nobody changes meanwhile. Raises StoreError where workers are at work on it."""
    with engine.connect() as connection:
        is_postgresql = engine.dialect.name == "postgresql"
        options = {"isolation_level": "REPEATABLE READ"} if is_postgresql else {}
        with connection.execution_options(**options).begin():
            if is_postgresql:
                names = ", ".join(f'"{one.name}"' for one in SQLModel.metadata.sorted_tables)
                connection.execute(text("SET LOCAL lock_timeout = '10s'"))
                connection.execute(text(f"LOCK TABLE {names} IN SHARE MODE"))
            at_work = connection.scalars(select(WORKER.c.id).where(WORKER.c.seen_at > now - DEAD_AFTER)).all()
            if at_work:
                raise StoreError(f"workers are at work on the old store ({', '.join(at_work)}): stop them first")
            yield connection


def require_store(engine: Engine, what: str) -> None:
    """Raises StoreError unless it is a store of the newest revision. `what`: the old store, the backup."""
    found, newest = schema.revision(engine), schema.newest_revision()
    if found is None:
        raise StoreError(f"{what} holds nothing of mailflow: is its address right?")
    if found != newest:
        raise StoreError(f"{what} has revision {found}, needed is {newest}: run `mailflow db upgrade` on it first")


def make_store(engine: Engine) -> None:
    """Make the tables where there are none. Raises StoreError for a store of another revision."""
    if schema.revision(engine) is not None:
        require_store(engine, "the new store")
        return
    schema.upgrade(engine)
    if engine.dialect.name == "postgresql":
        from mailflow.adapters import jobs

        jobs.upgrade(engine)


def require_file(url: str, what: str) -> None:
    """Raises StoreError where `url` names an SQLite file that is not there; opening it would make an empty one."""
    with opened(url) as engine:
        file = engine.url.database if engine.dialect.name == "sqlite" else None
    if file is not None and not Path(file).is_file():
        raise StoreError(f"{what}: there is no file {file}")


def require_empty(connection: Connection) -> None:
    """Raises StoreError unless no table of the store has a row."""
    for table in SQLModel.metadata.sorted_tables:
        if connection.execute(select(table).limit(1)).first() is not None:
            raise StoreError(
                f"the new store is not empty (there are rows in {table.name}): give a database that was never used"
            )


# ---------------------------------------------------------------------- copying


def copy_store(old: Connection, new: Connection, progress: Progress = lambda table, rows: None) -> dict[str, Sum]:
    """Copy everything and prove it. Returns the sum of each table.

    Raises StoreError, and the caller's transaction of the new store must not be committed.
    """
    require_empty(new)
    sums = {table.name: _copy_table(old, new, table, progress) for table in TABLES}
    words = _copy_search(old, new, progress)
    _set_counters(new)
    _prove(new, sums)
    if (found := new.scalar(text(f"SELECT count(*) FROM {_SEARCH}"))) != words:  # noqa: S608 - our own name
        raise StoreError(f"of {words} mails that can be searched {found} came over: nothing was kept")
    return sums


def sums_of(connection: Connection) -> dict[str, Sum]:
    return {table.name: _sum_of(connection, table) for table in TABLES}


def _copy_table(old: Connection, new: Connection, table: Table, progress: Progress) -> Sum:
    summing = _Summing(table)
    for rows in _batches(_rows_of(old, table), summing.add):
        new.execute(table.insert(), [dict(row._mapping) for row in rows])
        progress(table.name, summing.sum.rows)
    return summing.sum


def _rows_of(connection: Connection, table: Table) -> Iterator[Row[Any]]:
    """All of them, a few in memory at a time."""
    at_once = _MOST_LARGE_ROWS if any(isinstance(c.type, LargeBinary) for c in table.columns) else _MOST_ROWS
    options = {"stream_results": True, "yield_per": at_once}
    return iter(connection.execute(select(table), execution_options=options))


def _batches(rows: Iterable[Row[Any]], seen: Callable[[Row[Any]], None]) -> Iterator[Sequence[Row[Any]]]:
    batch: list[Row[Any]] = []
    size = 0
    for row in rows:
        seen(row)
        batch.append(row)
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if size >= _AT_ONCE or len(batch) >= _MOST_ROWS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _sum_of(connection: Connection, table: Table) -> Sum:
    summing = _Summing(table)
    for row in _rows_of(connection, table):
        summing.add(row)
    return summing.sum


def _prove(new: Connection, sums: dict[str, Sum]) -> None:
    for table in TABLES:
        found, wanted = _sum_of(new, table), sums[table.name]
        if found != wanted:
            raise StoreError(
                f"{table.name} did not come over as it was ({wanted.rows} rows, found {found.rows}, sum of SHA-256 "
                f"{wanted.sha256[:16]}, found {found.sha256[:16]}): nothing was kept"
            )


def _copy_search(old: Connection, new: Connection, progress: Progress) -> int:
    """The words of each mail; what is indexed are words already (core/search.py), so no text is needed for it."""
    if old.dialect.name == "sqlite":
        found = text(f"SELECT rowid AS id, body FROM {_SEARCH}")  # noqa: S608 - our own name
    else:
        words = "array_to_string(tsvector_to_array(body), ' ')"
        found = text(f"SELECT message_id AS id, {words} AS body FROM {_SEARCH}")  # noqa: S608
    if new.dialect.name == "sqlite":
        insert = text(f"INSERT INTO {_SEARCH} (rowid, body) VALUES (:id, :body)")  # noqa: S608
    else:
        insert = text(f"INSERT INTO {_SEARCH} VALUES (:id, to_tsvector('simple', :body))")  # noqa: S608
    rows = old.execute(found, execution_options={"stream_results": True, "yield_per": _MOST_ROWS})
    done = 0
    for batch in _batches(rows, lambda row: None):
        new.execute(insert, [dict(row._mapping) for row in batch])
        done += len(batch)
        progress(_SEARCH, done)
    return done


def _set_counters(new: Connection) -> None:
    """PostgreSQL counts apart from the rows: the next number of each table comes after its highest."""
    if new.dialect.name != "postgresql":
        return
    for table in TABLES:
        for key in table.primary_key.columns:
            names = {"table": table.name, "key": key.name}
            sequence = new.scalar(text("SELECT pg_get_serial_sequence(:table, :key)"), names)
            highest = None if sequence is None else new.scalar(select(func.max(key)))
            if highest is not None:
                values = {"sequence": sequence, "highest": highest}
                new.execute(text("SELECT setval(CAST(:sequence AS regclass), :highest)"), values)
