"""What people look at: counts, threads, stories, lists. Reads only."""

from sqlalchemy import func, select

from mailflow.adapters.rows import decided_mail, mail_ref, message_view, outbox_view, thread_summary
from mailflow.adapters.sql.session import (
    AUDIT,
    CLASSIFICATION,
    DECISION,
    INBOUND,
    MESSAGE,
    OUTBOX,
    RAW,
    THREAD,
    Session,
    says,
)
from mailflow.core.classification import Action
from mailflow.core.delivery import InboundState, OutboxState
from mailflow.core.storage import (
    Counts,
    DecidedMail,
    OutboxView,
    QuarantineView,
    StoryLine,
    ThreadStory,
    ThreadSummary,
)


class Views(Session):
    def counts(self) -> Counts:
        states = self._tally(INBOUND.c.state)
        actions = self._tally(DECISION.c.action)
        return Counts(
            received=sum(states.values()),
            answered=actions.get(Action.REPLY, 0),
            held=actions.get(Action.REVIEW, 0),
            ignored=actions.get(Action.NONE, 0),
            duplicates=states.get(InboundState.DUPLICATE, 0),
            quarantined=states.get(InboundState.QUARANTINED, 0),
            pending=states.get(InboundState.RECEIVED, 0) + states.get(InboundState.PROCESSING, 0),
        )

    def decided(self, after: int, limit: int) -> list[DecidedMail]:
        # which ones first, and no index on the state: a planner would begin with all mails that are done
        is_done = func.coalesce(INBOUND.c.state, "") == InboundState.DONE
        wanted = select(DECISION.c.message_id).where(DECISION.c.message_id > after)
        wanted = wanted.order_by(DECISION.c.message_id).limit(limit)
        rows = self._db.execute(
            select(
                MESSAGE,
                CLASSIFICATION.c.intents,
                DECISION.c.action,
                DECISION.c.reasons,
                DECISION.c.decided_at,
                INBOUND.c.received_at,
                OUTBOX.c.state.label("answer_state"),
                OUTBOX.c.finished_at,
                OUTBOX.c.message_id.label("answer_message_id"),
            )
            .join(DECISION, DECISION.c.message_id == MESSAGE.c.id)
            .join(CLASSIFICATION, CLASSIFICATION.c.message_id == MESSAGE.c.id)
            .join(INBOUND, (INBOUND.c.message_id == MESSAGE.c.id) & is_done)
            .outerjoin(OUTBOX, OUTBOX.c.decision_id == DECISION.c.id)
            .where(MESSAGE.c.id.in_(wanted))
            .order_by(MESSAGE.c.id)
        )
        return [decided_mail(row) for row in rows]

    def threads(self, limit: int, status: str | None = None) -> list[ThreadSummary]:
        query = select(THREAD).order_by(THREAD.c.updated_at.desc(), THREAD.c.id.desc()).limit(limit)
        if status is not None:
            query = query.where(THREAD.c.status == status)
        return [thread_summary(row) for row in self._db.execute(query)]

    def story(self, thread_id: int) -> ThreadStory | None:
        thread = self._db.execute(select(THREAD).where(THREAD.c.id == thread_id)).first()
        if thread is None:
            return None
        messages = self._db.execute(
            select(MESSAGE, CLASSIFICATION.c.intents, DECISION.c.action, DECISION.c.reasons)
            .outerjoin(CLASSIFICATION, CLASSIFICATION.c.message_id == MESSAGE.c.id)
            .outerjoin(DECISION, DECISION.c.message_id == MESSAGE.c.id)
            .where(MESSAGE.c.thread_id == thread_id)
            .order_by(MESSAGE.c.id)
        )
        lines = self._db.execute(select(AUDIT).where(AUDIT.c.thread_id == thread_id).order_by(AUDIT.c.id))
        return ThreadStory(
            thread_summary(thread),
            tuple(message_view(row) for row in messages),
            tuple(StoryLine(row.at, row.actor, row.kind, row.sentence) for row in lines),
        )

    def outbox(self, limit: int, state: OutboxState | None = None) -> list[OutboxView]:
        query = select(OUTBOX).order_by(OUTBOX.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(OUTBOX.c.state == state)
        return [outbox_view(row) for row in self._db.execute(query)]

    def quarantined(self, limit: int) -> list[QuarantineView]:
        rows = self._db.execute(
            select(INBOUND, RAW.c.size)
            .join(RAW, RAW.c.sha256 == INBOUND.c.sha256)
            .where(says(INBOUND.c.state, InboundState.QUARANTINED))
            .order_by(INBOUND.c.id.desc())
            .limit(limit)
        )
        return [
            QuarantineView(row.id, mail_ref(row), row.received_at, row.attempts, row.size, row.error) for row in rows
        ]
