"""Calls between workers on several machines: jobs of Procrastinate on the store's own PostgreSQL.

Rule: a job says that something is due, never what: the due rows say that. It is deferred on the connection of the unit
that made them due, so both are committed or neither is.
Rule: a turn runs inside its job. If its worker dies, the job is found by Procrastinate's heartbeats and runs again on
another machine (`_rescue`); the rows that it held are taken up by core/fleet.py's rules.
Why jobs at all, where due rows are polled: an answer leaves some 20 ms after its decision on whichever machine is free.
Why the jobs of one kind run one at a time in a process: a model, and one connection to the mail server.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import procrastinate
import psycopg
import structlog
from procrastinate.exceptions import ConnectorException
from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import make_url

from mailflow.adapters.sql.session import Call
from mailflow.core.fleet import Role
from mailflow.errors import ConnectionFailed, StoreError

log = structlog.get_logger(__name__)
_RESCUE_SECONDS = 10.0
_POLL_SECONDS = 1.0
"""Why so often: a job that was put off is announced when it is made, not when it is due."""
_STOP_SECONDS = 0.2
_CONNECT_SECONDS = 10
_GRACE_SECONDS = 60.0
"""How long a stop waits for the turn that is going on."""


class Jobs:
    """Defers calls. Implements `adapters.store.Announce`."""

    def __init__(self) -> None:
        self._app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())

    def __call__(self, connection: Connection, calls: Set[Call]) -> None:
        """Raises StoreError."""
        raw = connection.connection.driver_connection
        for call in sorted(calls, key=lambda one: (one.role, one.due_at or datetime.min.replace(tzinfo=UTC))):
            job = self._app.configure_task(
                call.role.value, queue=call.role.value, schedule_at=call.due_at, connection=raw
            )
            try:
                job.defer()
            except ConnectorException as error:
                raise StoreError(f"the database refused a job: {error.__cause__ or error}") from error


class ProcrastinateRunner:
    """Implements services.worker.JobRunner."""

    def __init__(self, url: str) -> None:
        self._conninfo = conninfo(url)

    def run(self, handlers: Mapping[Role, Callable[[], None]], stop: threading.Event) -> None:
        """Run jobs until `stop`. Raises ConnectionFailed where the database is gone; call it again then."""
        try:
            # first, because the pool of connections would try for half a minute, whether or not it is to stop
            psycopg.connect(self._conninfo, connect_timeout=_CONNECT_SECONDS).close()
            asyncio.run(self._run(handlers, stop))
        except (ConnectorException, psycopg.Error) as error:
            raise ConnectionFailed(f"the jobs of the store: {error.__cause__ or error}") from error

    async def _run(self, handlers: Mapping[Role, Callable[[], None]], stop: threading.Event) -> None:
        app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=self._conninfo, max_size=8))
        for role, handler in handlers.items():
            app.task(name=role.value, queue=role.value)(handler)
        async with app.open_async():
            workers = [
                asyncio.create_task(
                    app.run_worker_async(
                        queues=[role.value],
                        name=role.value,
                        concurrency=1,
                        install_signal_handlers=False,
                        fetch_job_polling_interval=_POLL_SECONDS,
                        delete_jobs="always",
                        shutdown_graceful_timeout=_GRACE_SECONDS,
                    )
                )
                for role in handlers
            ]
            rescuer = asyncio.create_task(_rescue(app))
            stopper = asyncio.create_task(_until(stop))
            try:
                done, _ = await asyncio.wait({stopper, rescuer, *workers}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in (rescuer, stopper, *workers):
                    one.cancel()
                await asyncio.gather(rescuer, stopper, *workers, return_exceptions=True)
            for ended in done - {stopper}:
                if (error := ended.exception()) is not None:
                    raise error


async def _until(stop: threading.Event) -> None:
    """Why looking again and again: a thread that waits for `stop` could not be told of a lost database."""
    while not stop.is_set():
        await asyncio.sleep(_STOP_SECONDS)


async def _rescue(app: procrastinate.App) -> None:
    """Jobs of workers that are gone run again. Nothing in Procrastinate does that by itself."""
    while True:
        with suppress(ConnectorException):
            for job in await app.job_manager.get_stalled_jobs():
                log.warning("job of a stopped worker runs again", role=job.task_name)
                await app.job_manager.retry_job(job)
        await asyncio.sleep(_RESCUE_SECONDS)


def conninfo(url: str) -> str:
    """The store's URL as libpq takes it."""
    parsed = make_url(url)
    options: dict[str, Any] = {
        "host": parsed.host,
        "port": parsed.port,
        "user": parsed.username,
        "password": parsed.password,
        "dbname": parsed.database,
        **parsed.query,
    }
    return psycopg.conninfo.make_conninfo(**{key: value for key, value in options.items() if value is not None})


def upgrade(engine: Engine) -> None:
    """Procrastinate's tables, made or brought to the version that is installed. Raises StoreError.

    Their version stands in a comment on the table of jobs, because Procrastinate keeps none.
    """
    wanted = procrastinate.__version__
    with engine.begin() as connection:
        found = connection.scalar(text("SELECT obj_description(to_regclass('procrastinate_jobs'))"))
        if connection.scalar(text("SELECT to_regclass('procrastinate_jobs')")) is None:
            _run_script(connection, SchemaManager.get_schema(), wanted)
            return
    if found == wanted:
        return
    for name, script in _later_than(found):
        with (
            engine.begin() as connection
        ):  # each its own: PostgreSQL lets a new value of an enum be used once committed
            _run_script(connection, script, name)
    with engine.begin() as connection:
        _run_script(connection, "", wanted)


def _run_script(connection: Connection, script: str, version: str) -> None:
    raw = connection.connection.driver_connection
    if raw is None:
        raise StoreError("the database hung up while its tables were made")
    try:
        raw.cursor().execute(script)
    except psycopg.Error as error:
        raise StoreError(f"the tables of the jobs cannot be brought to {version}: {error}") from error
    connection.execute(text(f"COMMENT ON TABLE procrastinate_jobs IS '{version}'"))


def _later_than(version: str | None) -> list[tuple[str, str]]:
    """(name, text) of Procrastinate's own migrations after `version`, in order.

    Their names begin with the version that brought them, 03.08.00_01_...; `version` may be such a name.
    """
    if version is None:
        raise StoreError("the database has tables of Procrastinate that mailflow did not make: use another schema")
    after = version if "_" in version else ".".join(f"{int(part):02}" for part in version.split(".")) + "_99"
    folder = resources.files("procrastinate.sql") / "migrations"
    scripts = [(one.name, one.read_text(encoding="utf-8")) for one in folder.iterdir() if one.name.endswith(".sql")]
    return sorted((name, script) for name, script in scripts if name > after)
