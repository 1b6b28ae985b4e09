"""A store in a file: several threads may use it, and it outlives a worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailflow.adapters import schema
from mailflow.adapters.store import SqlStore, open_engine


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    engine = open_engine(f"sqlite:///{tmp_path / 'mailflow.sqlite3'}")
    schema.upgrade(engine)
    yield SqlStore(engine)
    engine.dispose()
