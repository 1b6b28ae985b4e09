"""One worker among others: on the roll while it lives, and burying those that do not. Rules: core/fleet.py."""

from collections.abc import Callable
from dataclasses import replace

from mailflow.core.fleet import Buried, WorkerRecord, the_dead
from mailflow.core.ports import Clock
from mailflow.core.storage import Store


class Membership:
    def __init__(self, *, store: Store, me: WorkerRecord, clock: Clock, is_running: Callable[[int], bool]) -> None:
        """`is_running`: whether this machine has a process of that pid."""
        self._store, self._me, self._clock, self._is_running = store, me, clock, is_running

    def join(self) -> Buried:
        """Begin. What a worker of our own name left behind counts as left behind: nothing of ours is going on yet."""
        return self._tend(begins=True)

    def tend(self) -> Buried:
        """Beat, and take up what the dead left behind. Call it every HEARTBEAT."""
        return self._tend(begins=False)

    def leave(self) -> None:
        with self._store.unit() as unit:
            unit.bury([self._me.id], self._clock.now())

    def _tend(self, *, begins: bool) -> Buried:
        now = self._clock.now()
        with self._store.unit() as unit:
            dead = the_dead(unit.workers(), self._me, now, self._is_running)
            buried = unit.bury([*dead, *([self._me.id] if begins else [])], now) if dead or begins else Buried()
            unit.beat(replace(self._me, seen_at=now))
        return buried
