"""Which threads went into one: whoever looks at it reads their trails too."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_MERGED = sa.text("merged_into IS NOT NULL")


def upgrade() -> None:
    op.create_index("ix_thread_merged", "thread", ["merged_into"], sqlite_where=_MERGED, postgresql_where=_MERGED)
