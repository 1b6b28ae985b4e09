"""What happened, as rows for the numbers (core/numbers.py). Reads only, by the index on when mail came."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select

from mailflow.adapters.sql.session import CLASSIFICATION, DECISION, INBOUND, MESSAGE, OUTBOX, THREAD, Session, says
from mailflow.core.delivery import InboundState, OutboxKind, OutboxState
from mailflow.core.numbers import PastMail, PersonsAnswer

MOST_ROWS = 100_000
"""The newest of the time; more would make the page slow and change no picture."""
_AT_ONCE = 500


class Past(Session):
    def past_mails(self, since: datetime) -> list[PastMail]:
        """Decided mails that came since, oldest first, at most MOST_ROWS of the newest."""
        is_done = func.coalesce(INBOUND.c.state, "") == InboundState.DONE
        is_sent = (OUTBOX.c.decision_id == DECISION.c.id) & (OUTBOX.c.state == OutboxState.SENT)
        rows = self._db.execute(
            select(
                INBOUND.c.received_at,
                DECISION.c.action,
                DECISION.c.reasons,
                CLASSIFICATION.c.primary_intent,
                CLASSIFICATION.c.intents,
                OUTBOX.c.finished_at,
                MESSAGE.c.thread_id,
            )
            .join(MESSAGE, MESSAGE.c.id == INBOUND.c.message_id)
            .join(DECISION, DECISION.c.message_id == INBOUND.c.message_id)
            .join(CLASSIFICATION, CLASSIFICATION.c.message_id == INBOUND.c.message_id)
            .outerjoin(OUTBOX, is_sent)
            .where(INBOUND.c.received_at >= since, is_done)
            .order_by(INBOUND.c.received_at.desc())
            .limit(MOST_ROWS)
        )
        return [
            PastMail(
                row.thread_id,
                row.received_at,
                row.action,
                row.primary_intent,
                row.intents[0]["confidence"] if row.intents else 0.0,
                row.reasons[0]["code"] if row.reasons else "",
                row.finished_at,
            )
            for row in rows
        ][::-1]

    def persons_answers(self, since: datetime) -> list[PersonsAnswer]:
        """Without those that were cancelled: nobody has got them."""
        rows = self._db.execute(
            select(OUTBOX.c.thread_id, OUTBOX.c.queued_at, OUTBOX.c.finished_at)
            .where(
                OUTBOX.c.queued_at >= since,
                OUTBOX.c.kind == OutboxKind.PERSON,
                OUTBOX.c.state != OutboxState.CANCELLED,
            )
            .limit(MOST_ROWS)
        )
        return [PersonsAnswer(row.thread_id, row.queued_at, row.finished_at) for row in rows]

    def held_since(self) -> list[datetime]:
        """When each thread that waits for a person last changed."""
        return list(self._db.scalars(select(THREAD.c.updated_at).where(says(THREAD.c.status, "held")).limit(MOST_ROWS)))

    def first_confidences(self, message_ids: Sequence[int]) -> dict[int, float]:
        """Of the first intent of each of these mails that has one."""
        found: dict[int, float] = {}
        for start in range(0, len(message_ids), _AT_ONCE):
            part = message_ids[start : start + _AT_ONCE]
            rows = self._db.execute(
                select(CLASSIFICATION.c.message_id, CLASSIFICATION.c.intents).where(
                    CLASSIFICATION.c.message_id.in_(part)
                )
            )
            found |= {row.message_id: row.intents[0]["confidence"] for row in rows if row.intents}
        return found
