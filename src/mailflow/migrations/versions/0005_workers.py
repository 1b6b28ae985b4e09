"""More than one worker: who is at work, who claimed what, and indexes that hold only what somebody waits for."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_KINDS = "kind IN ('automatic', 'person', 'digest')"
_DECIDED = "kind <> 'automatic' OR decision_id IS NOT NULL"


def upgrade() -> None:
    op.drop_index("ix_inbound_due", "inbound")
    op.drop_index("ix_inbound_unacknowledged", "inbound")
    op.drop_index("ix_outbox_due", "outbox")
    with op.batch_alter_table("inbound") as inbound:
        inbound.add_column(sa.Column("claimed_by", sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("outbox") as outbox:
        outbox.add_column(sa.Column("claimed_by", sa.String(), nullable=False, server_default=""))
        outbox.add_column(sa.Column("kind", sa.String(), nullable=False, server_default="automatic"))
        outbox.alter_column("decision_id", existing_type=BigId, nullable=True)
        outbox.alter_column("thread_id", existing_type=BigId, nullable=True)
        outbox.create_check_constraint("ck_outbox_kind", _KINDS)
        outbox.create_check_constraint("ck_outbox_decision", _DECIDED)
    op.create_index("ix_inbound_due", "inbound", ["state", "due_at", "id"])
    op.create_index("ix_outbox_due", "outbox", ["state", "due_at", "id"])
    waiting = sa.text("acknowledged_at IS NULL")
    op.create_index(
        "ix_inbound_unacknowledged",
        "inbound",
        ["account", "mailbox", "id"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    # no worker runs while the schema changes: what is `sending` was left behind
    op.execute(
        "UPDATE outbox SET state = 'uncertain', finished_at = claimed_at,"
        " error = 'the worker stopped while sending: it may or may not have gone out' WHERE state = 'sending'"
    )
    sending = sa.text("state = 'sending'")
    op.create_index(
        "uq_outbox_sending", "outbox", ["recipient"], unique=True, sqlite_where=sending, postgresql_where=sending
    )
    op.create_index("ix_outbox_claimed", "outbox", ["claimed_at"])
    op.create_index("ix_inbound_received", "inbound", ["received_at"])
    op.create_table(
        "worker",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("machine", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("roles", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("ix_lease_holder", "lease", ["holder"])
    op.create_table(
        "chore",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
