"""The workers of the store, what they alone hold, and what they do from time to time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from mailflow.adapters.sql.ledger import Ledger
from mailflow.adapters.sql.outbox import Outbox
from mailflow.adapters.sql.session import CHORE, INBOUND, LEASE, OUTBOX, WORKER, Call
from mailflow.core.delivery import LONGEST_AHEAD
from mailflow.core.fleet import Buried, Role, WorkerRecord

_DECIDING = 4_937_283_001
"""The advisory lock of whoever decides. Any number that nobody else takes."""


class Fleet(Ledger, Outbox):
    def beat(self, worker: WorkerRecord) -> bool:
        values = {
            "machine": worker.machine,
            "pid": worker.pid,
            "roles": ",".join(sorted(worker.roles)),
            "started_at": worker.started_at,
            "seen_at": worker.seen_at,
        }
        if self._run(update(WORKER).where(WORKER.c.id == worker.id).values(seen_at=worker.seen_at)):
            return True
        self._db.execute(self._insert(WORKER).values(id=worker.id, **values).on_conflict_do_nothing())
        return False

    def workers(self) -> list[WorkerRecord]:
        return [
            WorkerRecord(
                row.id, row.machine, row.pid, frozenset(map(Role, row.roles.split(","))), row.started_at, row.seen_at
            )
            for row in self._db.execute(select(WORKER).order_by(WORKER.c.started_at, WORKER.c.id))
        ]

    def bury(self, worker_ids: Sequence[str], now: datetime) -> Buried:
        buried = self._run(delete(WORKER).where(WORKER.c.id.in_(worker_ids))) if worker_ids else 0
        on_the_roll = select(WORKER.c.id)
        self._db.execute(delete(LEASE).where(LEASE.c.holder.not_in(on_the_roll)))
        mails = self._take_up(INBOUND.c.claimed_by.not_in(on_the_roll), now)
        answers = self._doubt(OUTBOX.c.claimed_by.not_in(on_the_roll), now)
        return Buried(buried, mails, answers)

    def take_lease(self, name: str) -> bool:
        if self._lease_holder(name) is None:
            self._db.execute(self._insert(LEASE).values(name=name, holder=self._holder).on_conflict_do_nothing())
        return self.holds_lease(name)

    def holds_lease(self, name: str) -> bool:
        return self._lease_holder(name) == self._holder

    def _lease_holder(self, name: str) -> str | None:
        return self._db.scalar(select(LEASE.c.holder).where(LEASE.c.name == name))

    def take_turn(self, chore: str, every: timedelta, now: datetime) -> bool:
        taken = self._insert(CHORE).values(name=chore, done_at=now)
        # far ahead: by a clock that was wrong and has been set right; it must not keep the chore waiting till then
        is_due = (CHORE.c.done_at <= now - every) | (CHORE.c.done_at > now + every)
        return bool(
            self._run(taken.on_conflict_do_update(index_elements=["name"], set_={"done_at": now}, where=is_due))
        )

    def serialize(self) -> None:
        self._lock(_DECIDING)

    def wake(self, now: datetime) -> None:
        due = self.next_due()
        if due is not None and not now < due <= now + LONGEST_AHEAD:
            self.calls |= {Call(Role.PROCESS), Call(Role.SEND)}
