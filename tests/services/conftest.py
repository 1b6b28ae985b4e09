"""Stores that several threads may use, and that outlive a worker: in a file, and on either database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.databases import database_url

from mailflow.adapters import schema
from mailflow.adapters.store import SqlStore, open_engine


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    engine = open_engine(f"sqlite:///{tmp_path / 'mailflow.sqlite3'}")
    schema.upgrade(engine)
    yield SqlStore(engine)
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def either_store(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    """For what two workers do to each other, where the databases differ."""
    engine = open_engine(database_url(request))
    schema.upgrade(engine)
    yield SqlStore(engine)
    engine.dispose()
