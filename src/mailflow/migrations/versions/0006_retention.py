"""Retention: what may be blanked, the hashes of what was, receipts; raw mail names the key that it is sealed with.

The audit trail stays append-only but for one way: in a transaction that holds a row of `retention_permit` a sentence
may be replaced by one of two fixed words. Such a row can never be committed: its key refers, deferred, to one that the
CHECKs forbid. Nothing else of an event can be changed, and none can be deleted.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_AT = sa.DateTime(timezone=True)
_SAME = " AND ".join(
    [
        *(f"NEW.{name} = OLD.{name}" for name in ("id", "at", "actor", "kind")),
        *(f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in ("thread_id", "inbound_id")),
        "NEW.sentence IN ('(erased)', '(purged)')",
        "EXISTS (SELECT 1 FROM retention_permit)",
    ]
)


def upgrade() -> None:
    op.add_column("raw", sa.Column("key_id", sa.String(16), nullable=False, server_default=""))
    op.add_column("raw", sa.Column("emptied_at", _AT, nullable=True))
    op.add_column("raw_slice", sa.Column("key_id", sa.String(16), nullable=False, server_default=""))
    op.create_table(
        "tombstone",
        sa.Column("dedup_key", sa.String(64), nullable=False),
        sa.Column("message_id_sha256", sa.String(64), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("dedup_key"),
    )
    op.create_index("ix_tombstone_message_id", "tombstone", ["message_id_sha256"])
    op.create_table(
        "receipt",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("address_hmac", sa.String(64), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_receipt_address", "receipt", ["address_hmac"])
    op.create_table(
        "retention_permit",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("ends_with", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("id = 1", name="ck_permit_id"),
        sa.CheckConstraint("ends_with = 0", name="ck_permit_end"),
        sa.ForeignKeyConstraint(
            ["ends_with"], ["retention_permit.id"], name="fk_permit_end", deferrable=True, initially="DEFERRED"
        ),
    )
    _let_sentences_be_blanked()


def _let_sentences_be_blanked() -> None:
    if op.get_bind().dialect.name == "sqlite":
        refuse = "BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END"
        same = _SAME.replace("IS NOT DISTINCT FROM", "IS")
        op.execute("DROP TRIGGER audit_event_no_update")
        op.execute(f"CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event WHEN NOT ({same}) {refuse}")
        # INSERT OR REPLACE takes the old row away without asking the trigger on DELETE
        known = "EXISTS (SELECT 1 FROM audit_event WHERE id = NEW.id)"
        op.execute(f"CREATE TRIGGER audit_event_no_replace BEFORE INSERT ON audit_event WHEN {known} {refuse}")
        return
    op.execute(
        f"CREATE OR REPLACE FUNCTION audit_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'UPDATE' THEN IF {_SAME} THEN RETURN NEW; END IF; END IF; "
        f"RAISE EXCEPTION 'audit_event is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_append_only()"
    )
