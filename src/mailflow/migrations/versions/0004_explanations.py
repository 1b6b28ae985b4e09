"""A classification keeps its reasons: neighbours, what would flip it, what the mail names."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("classification", sa.Column("explanation", sa.JSON(), nullable=False, server_default="{}"))
