"""One worker among others: on the roll while it lives, and burying those that do not. Rules: core/fleet.py."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from mailflow.core.fleet import DEAD_AFTER, HEARTBEAT, Buried, Heard, WorkerRecord, hear, the_dead
from mailflow.core.ports import Clock
from mailflow.core.storage import Store, Unit


class Membership:
    def __init__(self, *, store: Store, me: WorkerRecord, clock: Clock, is_running: Callable[[int], bool]) -> None:
        """`is_running`: whether this machine has a process of that pid."""
        self._store, self._me, self._clock, self._is_running = store, me, clock, is_running
        self._beaten_at: datetime | None = None
        self._heard: dict[str, Heard] = {}
        """By worker."""
        self._listens_since = datetime.min.replace(tzinfo=UTC)

    def join(self) -> Buried:
        """Begin. What a worker of our own name left behind counts as left behind: nothing of ours is going on yet."""
        now = self._clock.now()
        with self._store.unit() as unit:
            buried = unit.bury([*self._dead(unit, now), self._me.id], now)
            unit.beat(replace(self._me, seen_at=now))
        self._beaten_at = now
        return buried

    def tend(self) -> Buried:
        """Beat, and take up what the dead left behind. Call it every HEARTBEAT.

        Why even where nobody died: one that was buried by mistake may have claimed before it could beat again.
        """
        now = self._clock.now()
        if self._beaten_at is None or now - self._beaten_at > DEAD_AFTER / 2:
            self._listens_since = now
        with self._store.unit() as unit:
            unit.beat(replace(self._me, seen_at=now))  # first, so that what this one claims stays its own
            buried = unit.bury(self._dead(unit, now), now)
        self._beaten_at = now
        return buried

    def keep_up(self) -> Buried:
        """Tend, if that is overdue. Call it before each claim: what a worker off the roll claims is taken from it."""
        is_overdue = self._beaten_at is None or self._clock.now() - self._beaten_at > 2 * HEARTBEAT
        return self.tend() if is_overdue else Buried()

    def leave(self) -> None:
        with self._store.unit() as unit:
            unit.bury([self._me.id], self._clock.now())

    def _dead(self, unit: Unit, now: datetime) -> list[str]:
        """Who could not beat itself for a while (the database was gone) lets the others beat before it judges them."""
        workers = unit.workers()
        self._heard = heard = {one.id: hear(one, self._heard.get(one.id), now) for one in workers}
        by_our_clock = [replace(one, seen_at=max(heard[one.id].at, self._listens_since)) for one in workers]
        return the_dead(by_our_clock, self._me, now, self._is_running)
