"""What is measured of the store: how much waits, and when mail came. Reads only; each query has its index.

Why states are written into the statements and not given as parameters: only so does SQLite see that a partial index
holds what is asked for, and a scrape costs what waits, not what was ever done.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Table, func, literal_column, select, text

from mailflow.adapters.sql.session import INBOUND, OUTBOX, WORKER, Session
from mailflow.core.alarms import Arrivals
from mailflow.core.delivery import InboundState, OutboxState
from mailflow.core.fleet import DEAD_AFTER
from mailflow.core.telemetry import Backlog


class Gauges(Session):
    def backlog(self, now: datetime) -> Backlog:
        mails = [self._waiting(INBOUND, state, now) for state in (InboundState.RECEIVED, InboundState.PROCESSING)]
        answers = [self._waiting(OUTBOX, state, now) for state in (OutboxState.QUEUED, OutboxState.SENDING)]
        open_ = self._open_answers()
        return Backlog(
            mails_waiting=sum(count for count, _ in mails),
            oldest_mail_due_at=min((due for _, due in mails if due), default=None),
            answers_queued=sum(count for count, _ in answers),
            oldest_answer_due_at=min((due for _, due in answers if due), default=None),
            answers_failed=open_.get(OutboxState.FAILED, 0),
            answers_uncertain=open_.get(OutboxState.UNCERTAIN, 0),
            mails_quarantined=self._number(INBOUND, _is(INBOUND, InboundState.QUARANTINED)),
            workers_alive=self._number(WORKER, WORKER.c.seen_at >= now - DEAD_AFTER),
        )

    def arrivals(self, since: datetime) -> Arrivals:
        """Of the mails that were stored from `since` on."""
        at = INBOUND.c.received_at
        if self._db.dialect.name == "postgresql":
            hour = func.to_char(func.timezone("UTC", at), "YYYY-MM-DD HH24")
        else:
            hour = func.substr(at, 1, 13)
        rows = self._db.execute(select(hour, func.count()).where(at >= since).group_by(hour))
        by_hour = {datetime.strptime(row[0], "%Y-%m-%d %H").replace(tzinfo=UTC): row[1] for row in rows}
        first_at, last_at = self._db.execute(select(func.min(at), func.max(at)).where(at >= since)).one()
        return Arrivals(by_hour, first_at, last_at)

    def revision(self) -> str | None:
        """The schema's, for whoever asks often whether the store is there and the right one."""
        revision: str | None = self._db.scalar(text("SELECT version_num FROM alembic_version"))
        return revision

    def _waiting(self, table: Table, state: StrEnum, now: datetime) -> tuple[int, datetime | None]:
        """How many are in `state`, and when the first of those that are due became it."""
        is_due = _is(table, state) & (table.c.due_at <= now)
        return self._number(table, _is(table, state)), self._db.scalar(select(func.min(table.c.due_at)).where(is_due))

    def _open_answers(self) -> dict[str, int]:
        state = OUTBOX.c.state
        is_open = state.in_([_word(OutboxState.FAILED), _word(OutboxState.UNCERTAIN)])
        rows = self._db.execute(select(state, func.count()).where(is_open).group_by(state))
        return {row[0]: row[1] for row in rows}

    def _number(self, table: Table, condition: ColumnElement[bool]) -> int:
        return self._db.scalar(select(func.count()).select_from(table).where(condition)) or 0


def _is(table: Table, state: StrEnum) -> ColumnElement[bool]:
    return table.c.state == _word(state)


def _word(state: StrEnum) -> ColumnElement[Any]:
    return literal_column(f"'{state.value}'")
