"""Alembic's entry: the same revisions on SQLite and PostgreSQL, on the connection that the caller opened."""

from alembic import context
from sqlmodel import SQLModel

from mailflow.adapters import tables  # noqa: F401  (registers the tables)

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
