"""The loops of a running desk. The fakes drive them: what the worker waits for decides what happens next."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.services.office import Office, question, reader_of

from mailflow.adapters.store import SqlStore, SqlUnit
from mailflow.core.delivery import OutboxState
from mailflow.core.message import OutboundMessage
from mailflow.core.octets import Octets
from mailflow.core.partner import PartnerDirectory
from mailflow.core.ports import Acceptance, Batch, Cursor
from mailflow.core.storage import Outcome, Understood
from mailflow.errors import ConnectionFailed, LoginRefused, StoreError
from mailflow.services.worker import reconnect_delay
from mailflow.testing import DESK, FrozenClock, MemorySource, ScriptedSubmission

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
