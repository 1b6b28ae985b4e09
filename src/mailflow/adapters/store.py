"""The Store port on SQL: SQLite by default, PostgreSQL the same.

Rules obeyed here:
- SQLite runs in WAL with synchronous=FULL and BEGIN IMMEDIATE: a commit that said yes survives a power cut, and a
  writer waits for its turn instead of failing at once with SQLITE_BUSY_SNAPSHOT. Who only reads begins plainly, and
  waits for nobody.
- No error holds a value of a row: it goes into ledger, trail, digest and log, and a row holds mail.
- What a unit has made due is told to the workers inside its own transaction (`announce`): both are committed, or none.
- The parts of a unit are in adapters/sql: the ledger of the mailbox, threads, outbox, workers, directory, views.

Why Core statements and not ORM objects: they cost half, and no attribute can be read from an expired row.
"""

import json
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Set
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, QueuePool, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, InternalError, OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout

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
_ROUNDS = 3
"""In which what came in meanwhile in the clear is sealed too, before the workers that store it so are told of."""
_TRIES = 3
"""To empty SQLite's log, each as long as its busy_timeout while somebody reads what is in it."""
_STILL_THERE = "what was there before still lies in the log beside the file, because a program reads it all the time"
_KEPT_OPEN = 5


def open_engine(url: str, threads: int = 15) -> Engine:
    """An engine with the pragmas that mailflow needs. Raises StoreError with what to change.

    `threads`: how many may be in a unit at once; one more waits for its turn.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError("[store] url is not a database URL, try sqlite:///mailflow.sqlite3") from error
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(f"[store] url: {parsed.get_backend_name()} is not supported, use sqlite or postgresql+psycopg")
    dialect: Any = parsed.get_dialect()
    has_pool = issubclass(dialect.get_pool_class(parsed), QueuePool)  # a database in memory has not
    kept = min(threads, _KEPT_OPEN)
    pool = {"pool_size": kept, "max_overflow": threads - kept} if has_pool else {}
    engine = create_engine(parsed, json_serializer=_dump_json, hide_parameters=True, **pool)
    event.listen(engine, "handle_error", _keep_values_out)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "do_connect", _make_for_us_alone)
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin_immediate)
    return engine


def _dump_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _keep_values_out(context: ExceptionContext) -> None:
    """PostgreSQL tells the row in DETAIL and CONTEXT, and a value that it cannot read behind a colon."""
    error = context.original_exception
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    if primary is None:
        return
    error.args = (primary.partition(': "')[0],)
    if context.sqlalchemy_exception is not None:  # it has copied the words
        context.sqlalchemy_exception.args = (f"({type(error).__name__}) {error}",)


def _make_for_us_alone(_: Any, __: Any, arguments: list[Any], options: dict[str, Any]) -> None:
    """A file that is not there yet, before SQLite makes it for whoever may read; its log takes the mode of it.

    Never opens one that is there. Why: to close it would take the locks away that this process has on it.
    """
    file = str(arguments[0])
    if file not in ("", ":memory:") and not options.get("uri"):
        with suppress(OSError):  # SQLite says itself what is wrong
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


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

        `progress` hears how many are done. Raises StoreError where one cannot be opened, a worker still stores mail
        otherwise, or old octets cannot be overwritten yet; running it again goes on where it stopped.
        """
        done, still = 0, {""}
        for _ in range(_ROUNDS):
            if still == {""}:
                done = self._reseal_all(to, done, progress)
                with self.unit() as unit:
                    still = unit.forget_keys(to.current)
        if still:
            how = ", ".join(f"sealed with {one}" if one else "in the clear" for one in sorted(still))
            raise StoreError(f"mail came in {how}: restart the workers, run it again")
        if not self.overwrite():
            raise StoreError(f"all raw mail is sealed anew, but {_STILL_THERE}: run it again")
        return done

    def _reseal_all(self, to: Keyring, done: int, progress: Callable[[int], None]) -> int:
        after: Resealed | None = START
        while after is not None:
            with self.unit() as unit:
                after, count = unit.reseal(after, to)
            done += count
            progress(done)
        return done

    def overwrite(self) -> bool:
        """SQLite: what was deleted lies no more in the log beside the file. False: somebody reads it all the time.

        PostgreSQL does so in its own time.
        """
        return self.engine.dialect.name != "sqlite" or any(self._empty_log() for _ in range(_TRIES))

    def _empty_log(self) -> bool:
        connection = self.engine.raw_connection()
        try:
            (is_busy, _, _) = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.close()
        return not is_busy

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
    except PoolTimeout as error:
        raise StoreError("all connections to the database are in use") from error


class SqlUnit(Gauges, Fleet, DeskWork, Past, Accounts, Hooks, Directory, Views, Sealing, Restoring, Purging, Erasing):
    """Implements core.storage.Unit on one connection inside one transaction."""

    def key(self, name: str) -> bytes:
        fresh = self._insert(SECRET).values(name=name, value=secrets.token_bytes(32)).on_conflict_do_nothing()
        self._db.execute(fresh)
        value: bytes = self._db.execute(select(SECRET.c.value).where(SECRET.c.name == name)).scalar_one()
        return value
