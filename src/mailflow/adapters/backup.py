"""A backup is a store of its own in one SQLite file, whichever database the desk runs on; restoring copies it back.

    backup   snapshot of the store -> FILE.partial -> integrity_check, fsync -> FILE, readable by its owner alone
    restore  FILE, checked -> copied into an empty store -> what the world may have done since is marked

Rule: a backup is made while workers go on, and of one state of the store. It holds the sums of its tables, so that a
file that rotted is found before it is trusted.
Rule: raw mail that is sealed is sealed in the backup too. Its key is not in it: keep that elsewhere.

Rule: after a restore nothing goes out by itself that may have gone out before. The world went on after the backup:
    an answer that waited or was being sent          uncertain: its copy is looked for, then a person decides
    an answer that had failed                        stays failed, and says that a person may have sent it since
    a mail that came before the restore, whether     decided, but held with its answer as a draft (guard `restored`):
    it is in the backup or is read anew              the lost store may have answered it
    a call to another system                         failed, and says why
    numbers of threads after the backup              left out: partners hold signed answers with those numbers
    sign-ins and tokens                              gone: some may have been ended since
What people decided, noted and erased since is lost; erase again what was erased.
`--resume` does none of this: for a store that stood still between backup and restore, as when a desk moves.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, create_engine, text

from mailflow.adapters import schema
from mailflow.adapters.sql.restoring import Doubted, Restoring
from mailflow.adapters.store_copy import (
    Progress,
    Sum,
    copy_store,
    make_store,
    opened,
    require_file,
    require_store,
    snapshot,
)
from mailflow.errors import StoreError

_TABLES = (
    "CREATE TABLE backup (made_at TEXT NOT NULL, mailflow TEXT NOT NULL, database TEXT NOT NULL)",
    "CREATE TABLE backup_sum (name TEXT PRIMARY KEY, number INTEGER NOT NULL, sha256 TEXT NOT NULL)",
)


@dataclass(frozen=True, slots=True)
class Made:
    """A backup: of when, by which mailflow, of what kind of database, with how many rows."""

    at: datetime
    version: str
    database: str
    rows: int


@dataclass(frozen=True, slots=True)
class Restored:
    backup: Made
    doubted: Doubted | None
    """None with --resume."""


def make_backup(
    url: str, file: Path, now: datetime, version: str, progress: Progress = lambda table, rows: None
) -> Made:
    """Write all of the store at `url` into `file`. Raises StoreError, and then there is no such file."""
    if file.exists():
        raise StoreError(f"{file} is there already; nothing was written")
    require_file(url, "the store")
    with opened(url) as engine:
        require_store(engine, "the store")
        with _partial(file) as partial:
            with opened(_sqlite_url(partial)) as copy:
                make_store(copy)
                with snapshot(engine) as old, copy.begin() as new:
                    sums = copy_store(old, new, progress)
                    made = Made(now, version, engine.dialect.name, sum(one.rows for one in sums.values()))
                    _sign(new, made, sums)
            _finish(partial)
            _check(partial)
            partial.rename(file)
    _flush(file.parent)
    return made


def restore_backup(
    url: str, file: Path, now: datetime, actor: str, *, resume: bool, progress: Progress = lambda table, rows: None
) -> Restored:
    """Copy `file` into the empty store at `url`. Raises StoreError, and then that store is as empty as before."""
    made, sums = _look_at(file)
    _check(file)
    with _of_this_revision(file) as (source, is_same), opened(url) as engine:
        make_store(engine)
        with _read_only(source) as old, engine.begin() as new:
            found = copy_store(old, new, progress)
            if is_same and found != sums:
                wrong = sorted(name for name in sums if found.get(name) != sums[name])
                raise StoreError(f"{file} is not what was written: {', '.join(wrong)} changed; nothing was restored")
            doubted = None if resume else Restoring(new).begin_anew(made.at, now, actor)
    return Restored(made, doubted)


# ---------------------------------------------------------------------- the file


def _sqlite_url(file: Path) -> str:
    return f"sqlite:///{file.absolute()}"


@contextmanager
def _partial(file: Path) -> Iterator[Path]:
    """A new file beside `file`, for its owner alone; it is gone afterwards unless it was renamed."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f"{file.name}.", suffix=".partial", dir=file.parent)
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror}") from error
    os.close(descriptor)
    partial = Path(name)
    try:
        yield partial
    finally:
        for one in (partial, Path(f"{name}-wal"), Path(f"{name}-shm")):
            one.unlink(missing_ok=True)


def _sign(connection: Connection, made: Made, sums: dict[str, Sum]) -> None:
    for statement in _TABLES:
        connection.execute(text(statement))
    connection.execute(
        text("INSERT INTO backup VALUES (:at, :version, :database)"),
        {"at": made.at.isoformat(), "version": made.version, "database": made.database},
    )
    connection.execute(
        text("INSERT INTO backup_sum VALUES (:name, :rows, :sha256)"),
        [{"name": name, "rows": one.rows, "sha256": one.sha256} for name, one in sums.items()],
    )


def _finish(partial: Path) -> None:
    """One file without a log beside it, which can be read where nothing can be written; on the disk for sure."""
    with closing(sqlite3.connect(partial)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    _flush(partial)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _look_at(file: Path) -> tuple[Made, dict[str, Sum]]:
    if not file.is_file():
        raise StoreError(f"there is no file {file}")
    try:
        with closing(sqlite3.connect(_uri(file), uri=True)) as connection:
            ((at, version, database),) = connection.execute("SELECT made_at, mailflow, database FROM backup")
            rows = connection.execute("SELECT name, number, sha256 FROM backup_sum").fetchall()
    except (sqlite3.Error, ValueError) as error:
        raise StoreError(f"{file} is no backup of mailflow: `mailflow backup` writes them") from error
    sums = {name: Sum(number, sha256) for name, number, sha256 in rows}
    return Made(datetime.fromisoformat(at), version, database, sum(one.rows for one in sums.values())), sums


def _check(file: Path) -> None:
    """Raises StoreError where SQLite finds the file damaged."""
    try:
        with closing(sqlite3.connect(_uri(file), uri=True)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        found = str(error)
    if found != "ok":
        raise StoreError(f"{file} is damaged: {found.splitlines()[0]}")


@contextmanager
def _of_this_revision(file: Path) -> Iterator[tuple[Path, bool]]:
    """The backup with the tables of this version, and whether it is the very file; an older one is upgraded as a copy.

    Raises StoreError for a backup of a later version.
    """
    with closing(sqlite3.connect(_uri(file), uri=True)) as connection:
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if revision == schema.newest_revision():
        yield file, True
        return
    with tempfile.TemporaryDirectory(prefix="mailflow-") as folder:
        copy = Path(folder) / "backup.sqlite3"
        shutil.copyfile(file, copy)
        with opened(_sqlite_url(copy)) as engine:
            schema.upgrade(engine)
        yield copy, False


@contextmanager
def _read_only(file: Path) -> Iterator[Connection]:
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(_uri(file), uri=True))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _uri(file: Path) -> str:
    return f"file:{quote(str(file.absolute()))}?mode=ro"
