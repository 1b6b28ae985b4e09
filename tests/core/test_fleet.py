"""Who is dead: by silence, or at once where the process is gone from this machine. Nobody buries himself."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.fleet import ALL_ROLES, DEAD_AFTER, HEARTBEAT, WorkerRecord, is_dead, the_dead
from mailflow.testing import NOON

SECONDS = st.integers(min_value=0, max_value=3600).map(lambda seconds: timedelta(seconds=seconds))
PIDS = st.integers(min_value=1, max_value=5)
RUNNING = st.frozensets(PIDS)
MACHINES = st.sampled_from(["here", "there"])


def worker(name: str, machine: str, pid: int, silent_for: timedelta = timedelta(0)) -> WorkerRecord:
    return WorkerRecord(name, machine, pid, ALL_ROLES, NOON - timedelta(hours=2), NOON - silent_for)


WORKERS = st.builds(worker, st.sampled_from(["a", "b", "c"]), MACHINES, PIDS, SECONDS)
ME = st.builds(worker, st.just("me"), MACHINES, PIDS)


def test_a_beat_may_be_lost_twice_before_anybody_is_buried() -> None:
    assert 3 * HEARTBEAT < DEAD_AFTER


@given(ME, SECONDS, RUNNING)
def test_nobody_buries_himself(me: WorkerRecord, silent_for: timedelta, running: frozenset[int]) -> None:
    """Not even after a long sleep, nor where its pid cannot be seen."""
    assert not is_dead(me, me, NOON + silent_for, running.__contains__)


@given(WORKERS, ME, RUNNING)
def test_whoever_was_silent_for_too_long_is_dead_wherever_it_ran(
    one: WorkerRecord, me: WorkerRecord, running: frozenset[int]
) -> None:
    assert is_dead(one, me, one.seen_at + DEAD_AFTER + timedelta(microseconds=1), running.__contains__)


@given(WORKERS, ME, SECONDS, RUNNING)
def test_within_that_time_only_this_machine_can_tell(
    one: WorkerRecord, me: WorkerRecord, silent_for: timedelta, running: frozenset[int]
) -> None:
    """A pid says nothing of another machine. One of our own pid was there before us: a container began again."""
    now = one.seen_at + min(silent_for, DEAD_AFTER)
    is_gone = one.pid == me.pid or one.pid not in running
    assert is_dead(one, me, now, running.__contains__) == (one.machine == me.machine and is_gone)


@given(st.lists(WORKERS, unique_by=lambda one: one.id), ME, SECONDS, SECONDS, RUNNING)
def test_the_dead_stay_dead(
    workers: list[WorkerRecord], me: WorkerRecord, now: timedelta, later: timedelta, running: frozenset[int]
) -> None:
    dead = the_dead([*workers, me], me, NOON + now, running.__contains__)
    assert set(dead) <= set(the_dead([*workers, me], me, NOON + now + later, running.__contains__))
    assert me.id not in dead
