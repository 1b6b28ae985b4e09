"""Calls to other systems on their way out: claimed, settled by whoever claimed them, given back by the dead.

They are queued by `Session._call_out`, beside what they tell of.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, Update, select, update

from mailflow.adapters.sql.session import HOOK, WORKER, Session, is_due, says
from mailflow.core.hooks import HookCall, HookEvent, HookState, HookView


class Hooks(Session):
    def claim_hook(self, now: datetime) -> HookCall | None:
        """The next due call, its row `sending`, the attempt counted. None where nothing is due."""
        row = self._db.execute(
            select(HOOK)
            .where(says(HOOK.c.state, HookState.QUEUED), is_due(HOOK.c.due_at, now))
            .order_by(HOOK.c.due_at, HOOK.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).first()
        if row is None:
            return None
        values = {"state": HookState.SENDING.value, "attempts": row.attempts + 1, "claimed_by": self._holder}
        is_queued = (HOOK.c.id == row.id) & (HOOK.c.state == HookState.QUEUED)
        if not self._run(update(HOOK).where(is_queued).values(values)):
            return None
        return HookCall(row.id, row.receiver, HookEvent(row.event), row.thread_id, row.attempts + 1, row.body)

    def finish_hook(self, call: HookCall, due_at: datetime | None, error: str, now: datetime) -> bool:
        """Sent where there is no `error`; else due again at `due_at`, or failed. False: it is not ours any more."""
        to = HookState.SENT if not error else HookState.FAILED if due_at is None else HookState.QUEUED
        values = {"state": to.value, "error": error} | ({"due_at": due_at} if due_at is not None else {})
        is_ours = (HOOK.c.id == call.id) & (HOOK.c.state == HookState.SENDING) & (HOOK.c.claimed_by == self._holder)
        if not self._run(update(HOOK).where(is_ours).values(values)):
            return False
        if to is HookState.FAILED:
            sentence = f"{call.receiver} was not told `{call.event}`: {error}"
            self._tell(now, "worker", "call failed", sentence, call.thread_id, None)
        return True

    def free_hooks(self) -> int:
        """What workers had claimed that are gone, or this one before its turn broke off, is due again."""
        gone = HOOK.c.claimed_by.not_in(select(WORKER.c.id)) | (HOOK.c.claimed_by == self._holder)
        return self._run(self._requeued(says(HOOK.c.state, HookState.SENDING) & gone))

    def retry_hook(self, hook_id: int, now: datetime) -> bool:
        is_failed = (HOOK.c.id == hook_id) & (HOOK.c.state == HookState.FAILED)
        return bool(self._run(self._requeued(is_failed).values(attempts=0, due_at=now, error="")))

    def _requeued(self, which: ColumnElement[bool]) -> Update:
        return update(HOOK).where(which).values(state=HookState.QUEUED.value, claimed_by="")

    def hooks(self, limit: int, state: HookState | None = None) -> list[HookView]:
        """Newest first."""
        query = select(HOOK).order_by(HOOK.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(HOOK.c.state == state)
        return [
            HookView(
                row.id,
                row.receiver,
                HookEvent(row.event),
                row.thread_id,
                HookState(row.state),
                row.attempts,
                row.at,
                row.due_at,
                row.error,
            )
            for row in self._db.execute(query)
        ]
