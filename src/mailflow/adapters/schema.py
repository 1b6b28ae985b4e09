"""The schema of a store: which revision it has, and the way to the newest (Alembic).

Rule: a store that is newer than this program is refused; an older one is upgraded by `mailflow db upgrade`
(by `mailflow run` too on SQLite, where one process owns the file).
Rule: Alembic is imported only where a schema changes. Why: a store that is the newest needs one SELECT, not 15 MB.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text
from sqlmodel import SQLModel

from mailflow.errors import StoreError

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def _config(connection: Connection | None = None) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    if connection is not None:
        config.attributes["connection"] = connection
    return config


def known_revisions() -> list[str]:
    """The oldest first. By the files' names: each begins with its revision, and they are numbered."""
    return sorted(file.name.partition("_")[0] for file in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def newest_revision() -> str:
    return known_revisions()[-1]


def revision(engine: Engine) -> str | None:
    """The store's revision, None for an empty one."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return found


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Bring the store to the newest revision. Returns (before, after). Raises StoreError for a store of the future."""
    before, newest = revision(engine), newest_revision()
    if before == newest:
        return before, newest
    from alembic import command
    from alembic.util import CommandError

    with engine.begin() as connection:
        try:
            command.upgrade(_config(connection), "head")
        except CommandError as error:
            raise StoreError(
                f"the store has revision {before}, which this mailflow does not know: upgrade mailflow"
            ) from error
    return before, newest


def require_newest(engine: Engine) -> None:
    """Raises StoreError with the command to run, unless the store has the newest revision."""
    if (found := revision(engine)) != (newest := newest_revision()):
        raise StoreError(f"the store has revision {found}, needed is {newest}: run `mailflow db upgrade`")


def drift(engine: Engine) -> list[object]:
    """What the migrated store and tables.py disagree on; empty if nothing."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with engine.connect() as connection:
        options = {"compare_type": True, "include_name": _is_ours}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, SQLModel.metadata))


def _is_ours(name: str | None, kind: str, _: object) -> bool:
    """Not those of full-text search, which each database makes its own way, nor Procrastinate's."""
    return kind != "table" or not (name or "").startswith(("message_search", "procrastinate_"))
