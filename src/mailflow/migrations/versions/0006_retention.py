"""Retention: to be filled in by whoever writes it. Later revisions build on this one."""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    pass
