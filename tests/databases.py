"""Databases for tests: SQLite in a temporary folder, PostgreSQL as a private server, one database a test."""

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

_number = itertools.count()


@dataclass(frozen=True, slots=True)
class PostgresServer:
    port: int

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"mailflow_{next(_number)}"
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url(name)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://mailflow@127.0.0.1:{self.port}/{database}"


def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database of the kind that the parameter of `request` names."""
    if request.param == "sqlite":
        folder: Path = request.getfixturevalue("tmp_path")
        return f"sqlite:///{folder / 'mailflow.sqlite3'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


def postgres_programs() -> Path | None:
    """The folder of initdb and postgres, None where PostgreSQL is not installed."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


@contextmanager
def running_postgres(programs: Path) -> Iterator[PostgresServer]:
    """A server of our own: empty, on a free port, without waiting for disks. As root it runs as `postgres`."""
    folder = Path(tempfile.mkdtemp(prefix="mfpg-"))
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    port = _free_port()
    initdb: list[str | Path] = [
        *as_user,
        programs / "initdb",
        "-D",
        data,
        "-U",
        "mailflow",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-sync",
    ]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=60"
    control: list[str | Path] = [*as_user, programs / "pg_ctl", "-D", data, "-w"]
    subprocess.run([*control, "-l", folder / "log", "-o", options, "start"], check=True, stdout=subprocess.DEVNULL)
    try:
        yield PostgresServer(port)
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(folder)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
