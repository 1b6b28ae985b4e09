"""The loops of a running desk. The fakes drive them: what the worker waits for decides what happens next."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.services.office import Office, question, reader_of

from mailflow.adapters.store import SqlStore, SqlUnit
from mailflow.core.delivery import OutboxState
from mailflow.core.fleet import HEARTBEAT, Role
from mailflow.core.message import OutboundMessage
from mailflow.core.octets import Octets
from mailflow.core.partner import PartnerDirectory
from mailflow.core.ports import Acceptance, Batch, Cursor
from mailflow.core.storage import Outcome, Understood
from mailflow.errors import ConnectionFailed, LoginRefused, OutcomeUnknown, StoreError, TemporaryRefusal
from mailflow.services.ingest import ingest
from mailflow.services.worker import WAKE_EVERY, Worker, lease_of, reconnect_delay
from mailflow.testing import DESK, NOON, FrozenClock, MemorySource, ScriptedSubmission

PATIENCE = 20.0
"""Seconds after which a test that waits for another thread has failed."""
NO_WAIT = -2.0
"""A jitter outside of its range: it makes the pause before a new connection zero (0.8 + 0.4 x -2)."""


@dataclass(slots=True)
class DrivenSource(MemorySource):
    """Each `wait` runs the next step; each `fetch` first raises the next failure."""

    failures: list[Exception] = field(default_factory=list)
    steps: list[Callable[[], object]] = field(default_factory=list)
    timeouts: list[timedelta] = field(default_factory=list)
    closed: int = 0

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        if self.failures:
            raise self.failures.pop(0)
        return MemorySource.fetch(self, cursor)

    def wait(self, timeout: timedelta) -> bool:
        self.timeouts.append(timeout)
        self.steps.pop(0)()
        return True

    def close(self) -> None:
        self.closed += 1


@dataclass(slots=True)
class TellingSubmission(ScriptedSubmission):
    """Lets another thread wait until a message was accepted."""

    accepted: threading.Event = field(default_factory=threading.Event)

    def submit(self, message: OutboundMessage) -> Acceptance:
        acceptance = ScriptedSubmission.submit(self, message)
        self.accepted.set()
        return acceptance

    def await_accepted(self) -> None:
        assert self.accepted.wait(PATIENCE), "nothing was sent"
        self.accepted.clear()


def driven(store: SqlStore) -> tuple[Office, DrivenSource, TellingSubmission]:
    source, submission = DrivenSource(), TellingSubmission()
    return Office(store, source=source, submission=submission, jitter=NO_WAIT), source, submission


# ------------------------------------------------------------------ once


def test_run_once_deals_with_all_that_is_there(store: SqlStore) -> None:
    office, source, submission = driven(store)
    for number in (1, 2, 3):
        source.deliver(question(number))
    office.worker().run_once()
    assert len(submission.sent) == 3
    assert source.inbox == {}
    assert source.closed == 1
    assert source.timeouts == [], "it does not wait for more"


@pytest.mark.parametrize("error", [ConnectionFailed("refused"), LoginRefused("bad credentials"), StoreError("locked")])
def test_run_once_says_what_is_wrong(store: SqlStore, error: Exception) -> None:
    office, source, _ = driven(store)
    source.failures.append(error)
    with pytest.raises(type(error), match=str(error)):
        office.worker().run_once()


def test_a_start_takes_up_what_a_crash_left(store: SqlStore) -> None:
    office, source, submission = driven(store)
    office.jitter = 0.5
    office.work(question(1), question(2))
    source.deliver(question(3))
    office.submission.errors.append(ConnectionFailed("refused"))
    office.worker().run_once()
    office.clock.advance(timedelta(hours=1))
    crashed = office.beside(office.machine)
    crashed.membership().join()
    with crashed.store.unit() as unit:
        assert unit.claim_outbox(office.clock.now()) is not None
    with capture_logs() as logged:
        office.worker().run_once()
    (told,) = (line for line in logged if line["log_level"] == "warning")
    assert (told["workers"], told["mails_to_read_again"], told["answers_uncertain"]) == (1, 0, 1)
    assert [answer.state for answer in office.answers()] == [OutboxState.SENT, OutboxState.SENT, OutboxState.UNCERTAIN]
    assert len(submission.sent) == 2


class RealClock(FrozenClock):
    def now(self) -> datetime:
        return datetime.now(UTC)


def test_run_once_waits_for_the_undo_window(store: SqlStore) -> None:
    office, source, submission = driven(store)
    office.clock, office.undo = RealClock(), timedelta(seconds=0.2)
    source.deliver(question(1, date=format_datetime(datetime.now(UTC))))
    office.worker().run_once()
    (answer,) = office.answers()
    assert (answer.state, len(submission.sent)) == (OutboxState.SENT, 1)
    assert answer.finished_at is not None
    assert answer.finished_at >= answer.due_at > answer.queued_at


@pytest.mark.parametrize("what", ["held back", "refused for now"])
def test_run_once_leaves_to_the_next_run_what_cannot_leave_now(store: SqlStore, what: str) -> None:
    office, source, submission = driven(store)
    office.jitter = 0.5
    if what == "held back":
        office.per_minute = 1
    else:
        submission.errors.append(TemporaryRefusal("451"))
    for number in (1, 2):
        source.deliver(question(number))
    office.worker().run_once()
    assert sorted(answer.state for answer in office.answers()) == [OutboxState.QUEUED, OutboxState.SENT]
    office.clock.advance(timedelta(minutes=2))
    office.worker().run_once()
    assert [answer.state for answer in office.answers()] == [OutboxState.SENT, OutboxState.SENT]


# ------------------------------------------------------------------ until stopped


def test_a_running_worker_answers_what_arrives_until_it_is_stopped(store: SqlStore) -> None:
    office, source, submission = driven(store)
    worker = office.worker()
    source.deliver(question(1))
    source.steps = [
        submission.await_accepted,
        lambda: source.deliver(question(2)),
        submission.await_accepted,
        worker.stop,
    ]
    worker.run()
    assert [answer.state for answer in office.answers()] == [OutboxState.SENT, OutboxState.SENT]
    assert source.inbox == {}
    assert source.closed == 1
    left = {thread.name.split()[0] for thread in threading.enumerate()}
    assert not left & {"fetch", "process", "send", "tend"}
    with store.view() as unit:
        assert unit.workers() == []


def test_a_stop_ends_the_wait_for_mail(store: SqlStore) -> None:
    """`stop` comes from another thread while the intake sits in IDLE."""
    office, _, _ = driven(store)
    waiting, interrupted = threading.Event(), threading.Event()

    class Idling(DrivenSource):
        def wait(self, timeout: timedelta) -> bool:
            waiting.set()
            return interrupted.wait(PATIENCE)

        def interrupt(self) -> None:
            interrupted.set()

    office.source = Idling()
    worker = office.worker()
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert waiting.wait(PATIENCE)
    worker.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_signal_handler_may_stop_the_worker(store: SqlStore) -> None:
    """As `mailflow run` does on SIGTERM: the handler runs in the thread that waits for the end."""
    office, source, submission = driven(store)
    worker = office.worker()
    source.deliver(question(1))
    source.steps = [
        submission.await_accepted,
        lambda: os.kill(os.getpid(), signal.SIGTERM),
        lambda: worker.signals.stop.wait(PATIENCE),
    ]
    before = signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    try:
        worker.run()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert worker.signals.stop.is_set()
    assert office.answers()[0].state is OutboxState.SENT


def test_a_worker_that_was_stopped_before_it_ran_does_nothing(store: SqlStore) -> None:
    office, source, submission = driven(store)
    source.deliver(question(1))
    worker = office.worker()
    worker.stop()
    worker.run()
    assert (submission.sent, len(source.inbox)) == ([], 1)


def test_a_lost_connection_is_made_again(store: SqlStore) -> None:
    office, source, submission = driven(store)
    worker = office.worker()
    source.deliver(question(1))
    source.failures = [ConnectionFailed("connection refused"), ConnectionFailed("timed out")]
    source.steps = [submission.await_accepted, worker.stop]
    with capture_logs() as logged:
        worker.run()
    assert len(submission.sent) == 1
    assert source.closed == 3, "let go after each failure, and at the end"
    assert [line["error"] for line in logged if line["log_level"] == "warning"] == [
        "ConnectionFailed: connection refused",
        "ConnectionFailed: timed out",
    ]


def test_refused_credentials_are_an_error_in_the_log_at_once(store: SqlStore) -> None:
    office, source, _ = driven(store)
    worker = office.worker()
    source.failures = [LoginRefused("bad credentials")]
    source.steps = [worker.stop]
    with capture_logs() as logged:
        worker.run()
    assert [line["error"] for line in logged if line["log_level"] == "error"] == ["LoginRefused: bad credentials"]


def test_a_stop_ends_the_pause_before_a_new_connection(store: SqlStore) -> None:
    """The pause after a failure is minutes long; a stop must not wait for its end."""
    office, _, _ = driven(store)
    failed = threading.Event()

    class Failing(DrivenSource):
        def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
            failed.set()
            raise ConnectionFailed("connection refused")

    office.source, office.jitter = Failing(), 1000.0
    worker = office.worker()
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert failed.wait(PATIENCE)
    worker.stop()
    thread.join(PATIENCE)
    assert not thread.is_alive()


class RunningClock(FrozenClock):
    """Ten seconds pass each time that somebody asks."""

    def now(self) -> datetime:
        self.advance(timedelta(seconds=10))
        return self.at


def test_a_postponed_mail_is_read_again_while_nothing_arrives(store: SqlStore) -> None:
    """IDLE says nothing of a mail that is due again in 20 seconds."""
    office, source, submission = driven(store)
    office.jitter, office.clock = 0.5, RunningClock()
    failures = [RuntimeError("out of memory")]

    def fail_once(content: Octets, size: int | None, partners: PartnerDirectory) -> Understood:
        if failures:
            raise failures.pop()
        return reader_of(DESK)(content, size, partners)

    office.read = fail_once
    worker = office.worker()
    source.deliver(question(1))
    source.steps = [submission.await_accepted, worker.stop]
    worker.run()
    assert [answer.state for answer in office.answers()] == [OutboxState.SENT]


def test_a_running_worker_compares_its_mailbox_and_looks_for_what_is_in_doubt(store: SqlStore) -> None:
    office, source, submission = driven(store)
    submission.errors.append(OutcomeUnknown("the connection was lost"))
    office.work(question(1))
    source.inbox[1] = question(1)
    source.sent = frozenset({office.answers()[0].message_id})
    worker = office.worker()
    source.steps = [worker.stop]
    with capture_logs() as logged:
        worker.run()
    assert [line["kind"] for line in logged if line["event"] == "mailbox and ledger differ"] == ["left behind"]
    assert source.inbox == {}
    assert [answer.state for answer in office.answers()] == [OutboxState.SENT]


# ------------------------------------------------------------------ parts of the work


def kinds(worker: Worker) -> list[str]:
    return [loop.name.split()[0] for loop in worker.loops]


def test_a_worker_has_the_loops_of_its_roles_and_one_that_tends(store: SqlStore) -> None:
    office, _, _ = driven(store)
    assert kinds(office.worker()) == ["tend", "fetch", "process", "send"]
    assert kinds(office.worker(roles=frozenset({Role.FETCH}))) == ["tend", "fetch"]
    assert kinds(office.worker(roles=frozenset({Role.PROCESS}))) == ["tend", "process"]
    assert kinds(office.worker(roles=frozenset({Role.SEND}))) == ["tend", "send"]


@dataclass(slots=True)
class OneAfterTheOther:
    """Runs each job once, and has the worker end then."""

    ran: list[Role] = field(default_factory=list)

    def run(self, handlers: Mapping[Role, Callable[[], None]], stop: threading.Event) -> None:
        for role, handler in handlers.items():
            handler()
            self.ran.append(role)
        stop.set()


def test_where_turns_are_jobs_no_loop_decides_or_sends(store: SqlStore) -> None:
    office, source, submission = driven(store)
    source.deliver(question(1))
    ingest(source, store, office.clock)
    runner = OneAfterTheOther()
    worker = office.worker(runner=runner)
    assert kinds(worker) == ["tend", "fetch"]
    source.steps = [lambda: worker.signals.stop.wait(PATIENCE)] * 3
    worker.run()
    assert runner.ran == [Role.FETCH, Role.PROCESS, Role.SEND]
    assert len(submission.sent) == 1


def test_a_job_that_failed_is_told_and_the_worker_goes_on(store: SqlStore) -> None:
    office, source, _ = driven(store)
    source.deliver(question(1))
    ingest(source, store, office.clock)
    office.store = RefusingStore(office)
    runner = OneAfterTheOther()
    with capture_logs() as logged:
        office.worker(roles=frozenset({Role.PROCESS, Role.SEND}), runner=runner).run()
    assert runner.ran == [Role.PROCESS, Role.SEND]
    (told,) = (line for line in logged if line["event"] == "loop failed")
    assert (told["loop"], told["error"]) == ("process", "StoreError: the database refused: database is locked")


class BreakingOnce(SqlStore):
    """Breaks in the next transaction of the main thread, where the jobs of these tests run."""

    is_armed = False

    @contextmanager
    def unit(self) -> Iterator[SqlUnit]:
        if self.is_armed and threading.current_thread() is threading.main_thread():
            self.is_armed = False
            raise Broken("a bug")
        with super().unit() as unit:
            yield unit


def test_a_job_that_broke_ends_the_worker(store: SqlStore) -> None:
    office, _, _ = driven(store)
    office.store = breaking = BreakingOnce(store.engine)

    class Arming(OneAfterTheOther):
        def run(self, handlers: Mapping[Role, Callable[[], None]], stop: threading.Event) -> None:
            breaking.is_armed = True
            handlers[Role.PROCESS]()
            assert stop.wait(PATIENCE)

    worker = office.worker(roles=frozenset({Role.PROCESS}), runner=Arming())
    with pytest.raises(Broken), capture_logs() as logged:
        worker.run()
    assert [line["loop"] for line in logged if line["event"] == "loop broken"] == ["process"]


def test_one_mailbox_is_read_by_one_worker(store: SqlStore) -> None:
    """The other one lets go of its connection, and takes over when the first has ended."""
    office, _, _ = driven(store)
    closed = threading.Event()

    class Closing(DrivenSource):
        def close(self) -> None:
            closed.set()

    source = office.source = Closing()
    source.deliver(question(1))
    first, second = office.beside(), office
    first.membership().join()
    with first.store.unit() as unit:
        assert unit.take_lease(lease_of(source))
    worker = second.worker(roles=frozenset({Role.FETCH}))
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert closed.wait(PATIENCE)
    worker.stop()
    thread.join(PATIENCE)
    assert (office.counts().received, source.timeouts) == (0, [])


def test_only_who_holds_the_mailbox_moves_mail_at_its_end(store: SqlStore) -> None:
    office, source, _ = driven(store)
    first = office.beside()
    first.membership().join()
    with first.store.unit() as unit:
        assert unit.take_lease(lease_of(source))
    source.deliver(question(1))
    ingest(source, store, office.clock)
    first.processing().turn()
    worker = office.worker(roles=frozenset({Role.FETCH}))
    worker.stop()
    worker.run()
    assert source.acknowledged == []


class Impatient(threading.Event):
    """Nobody waits for it."""

    def wait(self, timeout: float | None = None) -> bool:
        return self.is_set()


def test_a_chore_is_called_by_one_worker_about_every_minute(store: SqlStore) -> None:
    office, _, _ = driven(store)
    called: list[datetime] = []

    def tend(desk: Office) -> None:
        worker = desk.worker(chores=[called.append])
        worker.signals.stop = Impatient()
        worker.loops[0].turn()

    tend(office)
    tend(office.beside())
    assert called == [NOON]
    office.clock.advance(WAKE_EVERY)
    tend(office.beside())
    tend(office)
    assert called == [NOON, NOON + WAKE_EVERY]


def test_a_worker_beats_until_its_last_answer_is_out(store: SqlStore) -> None:
    """And does no chores any more. Whoever stops beating at the stop is taken for dead while the server thinks."""
    office, source, _ = driven(store)
    source.steps = [lambda: worker.signals.stop.wait(PATIENCE)]
    beat, chores = threading.Event(), list[bool]()

    class Slow(ScriptedSubmission):
        def submit(self, message: OutboundMessage) -> Acceptance:
            worker.stop()
            assert beat.wait(PATIENCE), "the worker does not beat"
            return ScriptedSubmission.submit(self, message)

    office.submission = Slow()
    worker = office.worker(chores=[lambda now: chores.append(worker.signals.stop.is_set())])
    tending = worker.loops[0]
    tend = tending.turn

    def tend_and_tell() -> None:
        tend()
        if worker.signals.stop.is_set():
            beat.set()

    tending.turn, tending.until = tend_and_tell, worker.signals.ended
    worker.signals.ended.wait = lambda timeout=None: False  # type: ignore[method-assign] # nobody waits for it
    office.source.deliver(question(1))
    worker.run()
    assert len(office.submission.sent) == 1
    assert True not in chores
    assert [answer.state for answer in office.answers()] == [OutboxState.SENT]


def test_a_worker_that_cannot_beat_tries_again_as_often_as_it_should_beat(store: SqlStore) -> None:
    """Else the others, whose database is there again sooner, would bury it for minutes to come."""
    office, _, _ = driven(store)
    office.jitter = 0.5
    told = threading.Event()

    class Gone(SqlStore):
        @contextmanager
        def unit(self) -> Iterator[SqlUnit]:
            if threading.current_thread().name == "tend":
                told.set()
                raise StoreError("the database refused: it is gone")
            with super().unit() as unit:
                yield unit

    office.store = Gone(store.engine)
    worker = office.worker(roles=frozenset({Role.SEND}))
    worker.loops[0].failures = 40
    thread = threading.Thread(target=worker.run)
    with capture_logs() as logged:
        thread.start()
        assert told.wait(PATIENCE)
        worker.stop()
        thread.join(PATIENCE)
    (line,) = (line for line in logged if line["event"] == "loop failed")
    assert (line["loop"], line["next_try_s"]) == ("tend", HEARTBEAT.total_seconds())


# ------------------------------------------------------------------ what must not stop the desk


class NotingUnit(SqlUnit):
    """Knows whether a decision was saved in it."""

    has_saved = False

    def save(self, outcome: Outcome, now: datetime) -> None:
        super().save(outcome, now)
        self.has_saved = True


class RefusingStore(SqlStore):
    """Refuses to commit the first decision, after a second: a lock that was held too long."""

    def __init__(self, office: Office) -> None:
        super().__init__(office.store.engine)
        self.clock, self.has_refused = office.clock, False

    @contextmanager
    def unit(self) -> Iterator[SqlUnit]:
        with self.engine.begin() as connection:
            unit = NotingUnit(connection, self.holder)
            yield unit
            if unit.has_saved and not self.has_refused:
                self.has_refused = True
                self.clock.advance(timedelta(seconds=1))
                raise StoreError("the database refused: database is locked")


def test_a_mail_is_not_left_claimed_when_the_store_refuses_its_decision(store: SqlStore) -> None:
    """The claim stands, the decision does not: the running desk must come back to it, not only the next start."""
    office, source, submission = driven(store)
    office.store = refusing = RefusingStore(office)
    worker = office.worker()

    source.deliver(question(1))
    source.steps = [submission.await_accepted, worker.stop]
    worker.run()
    assert refusing.has_refused
    assert office.counts().pending == 0
    assert len(office.answers()) == 1


class Broken(Exception):
    """Nothing that mailflow raises on purpose."""


class BreakingStore(SqlStore):
    """Breaks in the thread that sends."""

    @contextmanager
    def unit(self) -> Iterator[SqlUnit]:
        if threading.current_thread().name == "send":
            raise Broken("a bug")
        with super().unit() as unit:
            yield unit


def test_a_loop_that_broke_ends_the_worker(store: SqlStore) -> None:
    """A desk that reads and decides but sends nothing looks as if it worked."""
    office, source, _ = driven(store)
    office.store = BreakingStore(store.engine)
    worker = office.worker()
    source.steps = [lambda: worker.signals.stop.wait(PATIENCE)]
    with pytest.raises(Broken), capture_logs() as logged:
        worker.run()
    assert [(line["event"], line["loop"]) for line in logged if line["log_level"] == "error"] == [
        ("loop broken", "send")
    ]


# ------------------------------------------------------------------ how long it waits


@given(st.integers(min_value=1, max_value=10_000), st.floats(min_value=0, max_value=1, exclude_max=True))
def test_the_pause_is_a_second_at_first_and_minutes_at_most(failures: int, jitter: float) -> None:
    pause = reconnect_delay(failures, jitter)
    assert timedelta(seconds=0.8) <= pause <= timedelta(minutes=6)
    assert reconnect_delay(failures + 1, jitter) >= pause


def test_the_pauses_double() -> None:
    seconds = [reconnect_delay(failures, 0.5).total_seconds() for failures in range(1, 12)]
    assert seconds == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
