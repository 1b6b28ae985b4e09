"""The workers of a desk: who is at work, who is gone, and who may do what only one may do.

    a worker beats every HEARTBEAT; it is dead when it was not heard of for DEAD_AFTER, or at once when it ran on this
    machine and its process is gone. What a dead worker had claimed is given back (mails) or in doubt (answers).

Rule: each judges the silence of another by its own clock alone, from when it saw it beat. Why: two machines whose
clocks differ would else bury each other at every beat. Only at first sight the times of two clocks are compared, and
only where they are LONG_DEAD apart: a run that ends soon cannot wait and listen.

Rule: every claim carries its worker's id, and only that worker may settle it. One that was declared dead and wakes up
again finds its claims gone and changes nothing.
Rule: a lease lives as long as its holder. Why no time in it: IDLE sits for minutes, and the heartbeat runs beside it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

HEARTBEAT = timedelta(seconds=5)
DEAD_AFTER = timedelta(seconds=30)
LONG_DEAD = timedelta(minutes=15)
"""Further apart than clocks that the doctor lets pass."""


class Role(StrEnum):
    """What a worker does; all of it, or one part on a machine of its own."""

    FETCH = "fetch"
    PROCESS = "process"
    SEND = "send"


ALL_ROLES = frozenset(Role)


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    id: str
    machine: str
    """Equal for processes that can see each other's pids, different for all others."""
    pid: int
    roles: frozenset[Role]
    started_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Buried:
    """What the dead left behind."""

    workers: int = 0
    mails: int = 0
    """To be read again."""
    answers: int = 0
    """That may or may not have gone out."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One beat of another worker."""

    seen_at: datetime
    """By its clock: only whether this changes counts."""
    at: datetime
    """When it was noticed, by ours."""


def hear(worker: WorkerRecord, before: Heard | None, now: datetime) -> Heard:
    """What is known of `worker` after a look at `now`."""
    if before is None and now - worker.seen_at > LONG_DEAD:
        return Heard(worker.seen_at, worker.seen_at)
    if before is None or before.seen_at != worker.seen_at:
        return Heard(worker.seen_at, now)
    return Heard(worker.seen_at, min(before.at, now))  # our clock may have been set back


def is_dead(worker: WorkerRecord, me: WorkerRecord, now: datetime, is_running: Callable[[int], bool]) -> bool:
    """Whether `me` may bury `worker`, whose `seen_at` is by our clock. `is_running` says whether this machine has a
    process of that pid.

    A process of our own pid under another id is the one before us in the same container.
    """
    if worker.id == me.id:
        return False
    if now - worker.seen_at > DEAD_AFTER:
        return True
    return worker.machine == me.machine and (worker.pid == me.pid or not is_running(worker.pid))


def the_dead(
    workers: Iterable[WorkerRecord], me: WorkerRecord, now: datetime, is_running: Callable[[int], bool]
) -> list[str]:
    return [worker.id for worker in workers if is_dead(worker, me, now, is_running)]
