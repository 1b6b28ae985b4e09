"""Which revision a store has, told without what changes schemas."""

import subprocess
import sys
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import text

from mailflow.adapters import schema
from mailflow.adapters.store import open_engine


def test_the_revisions_by_the_files_names_are_those_of_the_files() -> None:
    scripts = ScriptDirectory.from_config(schema._config())
    assert schema.known_revisions() == [one.revision for one in reversed(list(scripts.walk_revisions()))]
    assert schema.newest_revision() == scripts.get_current_head()


def test_an_empty_store_has_no_revision_and_comes_to_the_newest_once(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'm.sqlite3'}")
    assert schema.revision(engine) is None
    assert schema.upgrade(engine) == (None, schema.newest_revision())
    assert schema.upgrade(engine) == (schema.newest_revision(), schema.newest_revision())
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    assert schema.revision(engine) is None
    engine.dispose()


A_WORKER = """
import sys
from mailflow.adapters import schema
from mailflow.adapters.store import open_engine

engine = open_engine(sys.argv[1])
schema.upgrade(engine)
schema.require_newest(engine)
print("alembic" in sys.modules)
"""


def test_a_store_that_is_the_newest_is_opened_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'm.sqlite3'}"
    for wanted in ("True", "False"):
        done = subprocess.run([sys.executable, "-c", A_WORKER, url], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == wanted
