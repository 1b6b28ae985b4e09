"""Looks at the store for the doctor: what is it, how old is its schema, can it be written.

Rule: nothing stays behind. A database that is not there is not made, none is upgraded, what is written is taken back.
"""

import os
import shutil
import sqlite3
from datetime import datetime
from functools import reduce
from operator import or_
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from mailflow.adapters import schema
from mailflow.adapters.sql.session import SECRET
from mailflow.adapters.store import open_engine
from mailflow.core.findings import StoreFacts
from mailflow.errors import StoreError


def look_at_store(url: str) -> tuple[StoreFacts, datetime | None]:
    """The facts, and the clock of a database server. Raises StoreError where there is no way in."""
    parsed = _parsed(url)
    folder = _folder_of(parsed)
    if folder is not None and not Path(parsed.database or "").exists():
        error = "" if os.access(folder, os.W_OK) else "its folder is not there, or nothing can be written into it"
        free = shutil.disk_usage(folder).free if folder.is_dir() else None
        return StoreFacts("sqlite", str(parsed.database), exists=False, write_error=error, free_octets=free), None
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            version, journal, now = _of_the_server(connection)
        revision = schema.revision(engine)
        facts = StoreFacts(
            engine.dialect.name,
            _place(parsed),
            exists=True,
            version=version,
            revision=revision,
            newest_revision=schema.newest_revision(),
            is_known=revision is None or revision in schema.known_revisions(),
            journal=journal,
            write_error=_write_error(engine, is_empty=revision is None),
            free_octets=shutil.disk_usage(folder).free if folder else None,
            mode=_mode_of(str(parsed.database)) if folder else 0,
        )
    except SQLAlchemyError as error:
        raise StoreError(f"{_place(parsed)}: {getattr(error, 'orig', None) or error}") from error
    finally:
        engine.dispose()
    return facts, now


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        # from None: the message repeats the URL, which may hold a password
        raise StoreError("[store] url is not a database URL, try sqlite:///mailflow.sqlite3") from None


def _folder_of(url: URL) -> Path | None:
    """Where SQLite's file lies; None for other databases and those in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database)).absolute().parent


def _mode_of(file: str) -> int:
    """The permissions of SQLite's file and of the two beside it, together."""
    found = (Path(file + end) for end in ("", "-wal", "-shm"))
    return reduce(or_, (one.stat().st_mode & 0o7777 for one in found if one.exists()), 0)


def _place(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return url.database or ":memory:"
    return f"{url.host or 'local socket'}/{url.database}"


def _of_the_server(connection: Connection) -> tuple[str, str, datetime | None]:
    """Version, journal mode, time."""
    if connection.dialect.name == "sqlite":
        return sqlite3.sqlite_version, str(connection.scalar(text("PRAGMA journal_mode"))), None
    version = str(connection.scalar(text("SHOW server_version"))).split()[0]
    return version, "", connection.scalar(text("SELECT clock_timestamp()"))


def _write_error(engine: Engine, *, is_empty: bool) -> str:
    """What the database says to a write, which is taken back at once; '' if it took it."""
    with engine.connect() as connection:
        try:
            transaction = connection.begin()
            if is_empty:
                connection.execute(text("CREATE TABLE mailflow_doctor (id INTEGER)"))
            else:
                connection.execute(insert(SECRET).values(name="doctor", value=b""))
            transaction.rollback()
        except SQLAlchemyError as error:
            return str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    return ""
