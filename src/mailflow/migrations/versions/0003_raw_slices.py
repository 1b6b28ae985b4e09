"""Large mails are stored in slices. Those that are here already stay in one."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "raw_slice",
        sa.Column("sha256", sa.String(64), sa.ForeignKey("raw.sha256"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "number"),
    )
