"""The review desk: what people filter by and change, their accounts, corrections, and full-text search."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_STATES = "status IN ('open', 'answered', 'held', 'ignored', 'closed')"
_AT = sa.DateTime(timezone=True)
_PARTIAL = (
    ("ix_thread_trouble", "thread", ["due_at", "id"], "trouble <> ''"),
    ("ix_thread_assignee", "thread", ["assignee", "status", "due_at", "id"], "assignee <> ''"),
    ("ix_thread_snoozed", "thread", ["status", "snoozed_until", "id"], "snoozed_until IS NOT NULL"),
    ("ix_hook_due", "hook", ["due_at", "id"], "state = 'queued'"),
)


def _text(name: str, *, default: str | None = None, long: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text() if long else sa.String(), nullable=False, server_default=default)


def _at(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, _AT, nullable=nullable)


def _key() -> sa.Column[int]:
    return sa.Column("id", BigId, autoincrement=True, nullable=False, primary_key=True)


def _reference(name: str) -> sa.Column[int]:
    return sa.Column(name, BigId, nullable=False)


def upgrade() -> None:
    op.drop_index("ix_thread_updated", "thread")
    with op.batch_alter_table("thread") as thread:
        thread.add_column(sa.Column("version", sa.Integer(), nullable=False, server_default="0"))
        for name in ("intent", "reason", "role", "trust", "partner", "trouble", "assignee"):
            thread.add_column(_text(name, default=""))
        thread.add_column(sa.Column("has_draft", sa.Boolean(), nullable=False, server_default=sa.false()))
        thread.add_column(_at("due_at", nullable=True))
        thread.add_column(_at("snoozed_until", nullable=True))
        thread.drop_constraint("ck_thread_status", type_="check")
        thread.create_check_constraint("ck_thread_status", _STATES)
    op.create_index("ix_thread_updated", "thread", ["updated_at", "id"])
    op.create_index("ix_thread_due", "thread", ["status", "due_at", "id", "snoozed_until", "has_draft"])
    op.create_index("ix_thread_status", "thread", ["status", "updated_at", "id"])
    op.create_index("ix_thread_intent", "thread", ["intent", "updated_at", "id"])
    op.execute("UPDATE thread SET due_at = updated_at WHERE status = 'held'")
    op.add_column("message", _text("author", default=""))

    op.create_table("note", _key(), _reference("thread_id"), _text("author"), _at("at"), _text("text", long=True))
    op.create_index("ix_note_thread_id", "note", ["thread_id"])
    op.create_table(
        "draft",
        sa.Column("thread_id", BigId, nullable=False, primary_key=True, autoincrement=False),
        _text("author"),
        _at("at"),
        _text("markdown", long=True),
        _text("canned"),
    )
    op.create_table(
        "correction",
        _key(),
        _reference("message_id"),
        _reference("thread_id"),
        _text("author"),
        _at("at"),
        sa.Column("intents", sa.JSON(), nullable=False),
        _text("action"),
        _text("role"),
        _text("why", long=True),
        sa.Column("predicted", sa.JSON(), nullable=False),
        _text("predicted_action"),
    )
    op.create_index("ix_correction_message_id", "correction", ["message_id"])
    op.create_index("ix_correction_thread_id", "correction", ["thread_id"])
    op.create_table("saved_view", _key(), _text("account"), _text("name"), _text("query", long=True))
    op.create_index("ix_saved_view_account", "saved_view", ["account"])
    op.create_table(
        "presence",
        sa.Column("thread_id", BigId, nullable=False, primary_key=True, autoincrement=False),
        sa.Column("account", sa.String(), nullable=False, primary_key=True),
        _at("seen_at"),
    )
    op.create_table(
        "account",
        sa.Column("name", sa.String(), nullable=False, primary_key=True),
        _text("display_name"),
        _text("role"),
        _text("password_hash"),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        _text("time_zone"),
        _at("created_at"),
    )
    op.create_table(
        "sign_in",
        sa.Column("token_sha256", sa.String(64), nullable=False, primary_key=True),
        _text("kind"),
        _text("account"),
        _text("name"),
        _at("created_at"),
        _at("seen_at"),
        _at("expires_at"),
    )
    op.create_index("ix_sign_in_account", "sign_in", ["account"])
    op.create_table("sign_in_attempt", _key(), _text("key"), _at("at"))
    op.create_index("ix_attempt_key", "sign_in_attempt", ["key", "at"])
    op.create_table(
        "hook",
        _key(),
        _text("receiver"),
        _text("event"),
        _reference("thread_id"),
        sa.Column("body", sa.JSON(), nullable=False),
        _text("state"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _at("at"),
        _at("due_at"),
        _text("claimed_by"),
        _text("error", long=True),
        sa.CheckConstraint("state IN ('queued', 'sending', 'sent', 'failed')", name="ck_hook_state"),
    )
    for name, table, columns, condition in _PARTIAL:
        where = sa.text(condition)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
    _make_search()


def _make_search() -> None:
    """Text is folded before it comes here (core/search.py), so both databases take words as they are."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("CREATE VIRTUAL TABLE message_search USING fts5(body, tokenize = 'unicode61 remove_diacritics 0')")
        return
    op.execute("CREATE TABLE message_search (message_id BIGINT PRIMARY KEY, body tsvector NOT NULL)")
    op.execute("CREATE INDEX ix_message_search ON message_search USING gin (body)")
