"""Threads that merge, rest and point at each other; answers that bounced and muted addresses; the partner directory."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_STATES = "state IN ('queued', 'sending', 'sent', 'failed', 'uncertain', 'cancelled', 'bounced')"


def upgrade() -> None:
    with op.batch_alter_table("thread") as thread:
        thread.add_column(sa.Column("subject_key", sa.Text(), nullable=False, server_default=""))
        thread.add_column(sa.Column("language", sa.String(), nullable=False, server_default=""))
        thread.add_column(sa.Column("merged_into", BigId, nullable=True))
        thread.create_index("ix_thread_requester", ["requester", "subject_key"])
    with op.batch_alter_table("message") as message:
        message.add_column(sa.Column("suggested_thread_id", BigId, nullable=True))
    with op.batch_alter_table("outbox") as outbox:
        outbox.drop_constraint("ck_outbox_state", type_="check")
        outbox.create_check_constraint("ck_outbox_state", _STATES)
    op.create_table(
        "mute",
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("address"),
    )
    op.create_table(
        "partner",
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("domain", "company", "tier", "kind", "region", "route", "distributor")
        ),
        sa.PrimaryKeyConstraint("domain"),
    )
    op.create_table(
        "partner_import",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("domains", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
