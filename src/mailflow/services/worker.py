"""The loops of a running desk. Any of them may stop and start, here or on another machine, without loss.

    fetch    (one a mailbox, by lease)  store what is new -> move on the server what is settled -> wait (IDLE)
    process                             decide everything due -> wait until a mail was stored or is due
    send                                deliver everything due -> wait until an answer was queued or is due
    tend                                beat, bury the dead, see to what is done from time to time
    hooks                               call other systems, where there are any -> wait LOOK_AGAIN

Rule: due rows are the work; a call only shortens the wait. One that is lost costs LOOK_AGAIN (where turns are jobs:
WAKE_EVERY), never a mail.
Rule: a lost connection is normal: wait, longer each time (capped, with jitter), and connect again.
Rule: a stop request ends each loop at its next safe point; nothing is left half done that the ledger does not know.
Rule: `tend` ends last. A worker that finishes an answer for minutes must not be taken for dead meanwhile.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from mailflow.core.fleet import ALL_ROLES, HEARTBEAT, Buried, Role
from mailflow.core.health import Health
from mailflow.core.ports import Clock, Source
from mailflow.core.storage import Store
from mailflow.core.telemetry import NO_METER, Event, Meter, Stage
from mailflow.errors import LoginRefused, MailflowError
from mailflow.services.fleet import Membership
from mailflow.services.hooks import Hooks
from mailflow.services.ingest import acknowledge, ingest
from mailflow.services.measuring import timed
from mailflow.services.outbox import Outbox
from mailflow.services.processing import BATCH, Processing
from mailflow.services.reconcile import reconcile, resolve_uncertain

log = structlog.get_logger(__name__)
_FIRST_DELAY, _LONGEST_DELAY = timedelta(seconds=1), timedelta(minutes=5)
LOOK_AGAIN = timedelta(seconds=2)
"""How long a process or send loop waits at most without a call: other processes may have made something due."""
RECONCILE_EVERY, RESOLVE_EVERY = timedelta(hours=1), timedelta(minutes=2)
_ASK_TURNS_EVERY = timedelta(seconds=20)
"""How often the store is asked whether it is time for them; at each mail would cost two writes a mail."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
WAKE_EVERY = timedelta(minutes=1)
_HELD_BACK = timedelta(seconds=1)
"""When an answer that is due and may not leave yet (`per_minute`, another one to its recipient) is looked at again."""


def lease_of(source: Source) -> str:
    """Who holds it fetches from the mailbox, and nobody else."""
    return f"mailbox {source.account}/{source.mailbox}"


def reconnect_delay(failures: int, jitter: float) -> timedelta:
    """How long to wait after the `failures`-th failure in a row: 1 s doubling up to 5 minutes, times 0.8 to 1.2."""
    doubled: int = 1 << min(failures - 1, 16)
    return min(_FIRST_DELAY * doubled, _LONGEST_DELAY) * (0.8 + 0.4 * jitter)


@dataclass(slots=True)
class Signals:
    """How the loops hear of each other and of the end."""

    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    """All loops but `tend`."""
    stored: threading.Event = field(default_factory=threading.Event)
    queued: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class Loop:
    """One turn after the other until the stop."""

    name: str
    turn: Callable[[], None]
    """All that is due, and the wait for more."""
    let_go: Callable[[], None] = lambda: None
    """After a failure, and at the end."""
    longest_pause: timedelta = _LONGEST_DELAY
    kind: str = ""
    """By which health and numbers know it: fetch, process, send, tend. Its name holds the account's address."""
    until: threading.Event | None = None
    """None: the stop."""
    failures: int = 0
    """In a row."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a worker tells of itself while it works."""

    meter: Meter = NO_METER
    health: Health = field(default_factory=Health)
    """Whether its loops turn."""
    contacts: Health = field(default_factory=Health)
    """Whether it reaches its mailboxes."""


ALLOWED: Mapping[str, timedelta] = {
    "tend": timedelta(minutes=7),
    "process": timedelta(minutes=30),
    "send": timedelta(minutes=20),
}
"""How long a loop may be silent. Each is longer than its longest turn and the longest pause after a failure."""
_FETCH_ALLOWED, _CONTACT_ALLOWED = timedelta(minutes=10), timedelta(minutes=2)
"""Beyond `poll`."""


class JobRunner(Protocol):
    """Runs `process` and `send` turns as jobs of a queue that spans machines, in place of their loops."""

    def run(self, handlers: Mapping[Role, Callable[[], None]], stop: threading.Event) -> None: ...


Chore = Callable[[datetime], None]


class Worker:
    """The loops of one process, for one store."""

    def __init__(
        self,
        *,
        sources: Sequence[Source],
        store: Store,
        processing: Processing,
        outbox: Outbox,
        membership: Membership,
        clock: Clock,
        jitter: Callable[[], float],
        poll: timedelta,
        roles: frozenset[Role] = ALL_ROLES,
        runner: JobRunner | None = None,
        chores: Sequence[Chore] = (),
        hooks: Hooks | None = None,
        vitals: Vitals | None = None,
    ) -> None:
        """`chores` are called by one worker of the store about every minute."""
        self._hooks = hooks
        self._asked_turns: dict[str, datetime] = {}
        """mailbox -> when the store was asked last."""
        self._vitals = vitals or Vitals()
        self._sources, self._store, self._processing, self._outbox = sources, store, processing, outbox
        self._membership, self._clock, self._jitter, self._poll = membership, clock, jitter, poll
        self._roles, self._runner, self._chores = roles, runner, chores
        self.signals = Signals()
        self._broken: Exception | None = None
        self.loops = self._make_loops()

    def _make_loops(self) -> list[Loop]:
        # never silent for longer than that, or the others would bury this worker once the database is there again
        loops = [Loop("tend", self._tend, longest_pause=HEARTBEAT, kind="tend", until=self.signals.ended)]
        if Role.FETCH in self._roles:
            loops += [
                Loop(f"fetch {one.account} {one.mailbox}", partial(self._fetch, one), one.close, kind="fetch")
                for one in self._sources
            ]
        if self._runner is None and Role.PROCESS in self._roles:
            loops.append(Loop("process", self._process, kind="process"))
        if self._runner is None and Role.SEND in self._roles:
            loops.append(Loop("send", self._send, kind="send"))
        if self._hooks is not None:
            loops.append(Loop("hooks", self._call_others, self._hooks.close))
        return loops

    def run(self) -> None:
        """Work until `stop` is called. Raises what ended a loop, if it was not a stop."""
        self._tell(self._membership.join())
        tending, *others = threads = [
            threading.Thread(target=self._until_stopped, args=(loop,), name=loop.name, daemon=True)
            for loop in self.loops
        ]
        for thread in threads:
            thread.start()
        try:
            if (runner := self._runner) is not None:
                self._until_stopped(Loop("jobs", lambda: runner.run(self._handlers(), self.signals.stop)))
            else:
                self.signals.stop.wait()
        finally:
            self.stop()
            for thread in others:
                thread.join()
            self.signals.ended.set()
            tending.join()
            self._end()
        if self._broken is not None:
            raise self._broken

    def run_once(self) -> None:
        """Deal with all that is there now, undo window included, then return.

        What `per_minute` holds back, and what is tried again later, is left to the next run.
        Raises ConnectionFailed, LoginRefused, StoreError.
        """
        self._tell(self._membership.join())
        try:
            for source in self._sources:
                self._store_new(source)
            self._decide_all()
            for source in self._sources:
                acknowledge(source, self._store, self._clock)
            self._deliver_all()
            self._wait_out_undo()
            if self._hooks is not None:
                self._hooks.deliver_all(self.signals.stop.is_set)
        finally:
            for source in self._sources:
                source.close()
            self._outbox.close()
            if self._hooks is not None:
                self._hooks.close()
        self._membership.leave()

    def stop(self) -> None:
        """End all loops soon. May be called from any thread and from a signal handler."""
        self.signals.stop.set()
        self.signals.stored.set()
        self.signals.queued.set()
        self._call_fetchers()

    def _end(self) -> None:
        """The last things, once all loops have ended."""
        for loop, source in zip(
            (one for one in self.loops if one.name.startswith("fetch")), self._sources, strict=False
        ):
            with suppress(MailflowError):
                if not loop.failures and self._holds_lease(source):
                    acknowledge(source, self._store, self._clock)
            source.close()
        self._outbox.close()
        if self._hooks is not None:
            self._hooks.close()
        with suppress(MailflowError):
            self._membership.leave()

    def _until_stopped(self, loop: Loop) -> None:
        health, kind, end = self._vitals.health, loop.kind, loop.until or self.signals.stop
        if kind:
            health.expect(kind, ALLOWED.get(kind, self._poll + _FETCH_ALLOWED), self._clock.now())
        while not end.is_set():
            try:
                loop.turn()
                loop.failures = 0
            except MailflowError as error:
                loop.failures += 1
                health.turned(kind, self._clock.now())
                self._vitals.meter.count(Event.CONNECTIONS_LOST, loop=kind, error=type(error).__name__)
                self._pause(loop, error, end)
            except Exception as error:  # noqa: BLE001 - the edge of a loop: a desk with half of its loops must not go on
                self._break(loop.name, error)
                break
            health.turned(kind, self._clock.now())
        health.ended(kind)

    def _break(self, name: str, error: Exception) -> None:
        log.error("loop broken", loop=name, error=f"{type(error).__name__}: {error}")
        self._broken = error
        self.stop()

    def _pause(self, loop: Loop, error: MailflowError, end: threading.Event) -> None:
        with suppress(MailflowError):
            loop.let_go()
        delay = min(reconnect_delay(loop.failures, self._jitter()), loop.longest_pause)
        tell = log.error if isinstance(error, LoginRefused) or loop.failures > 3 else log.warning
        tell("loop failed", loop=loop.name, error=f"{type(error).__name__}: {error}", next_try_s=delay.total_seconds())
        end.wait(delay.total_seconds())

    # ------------------------------------------------------------------ fetch

    def _fetch(self, source: Source) -> None:
        mailbox = f"{source.account}/{source.mailbox}"
        is_ours = self._holds_lease(source) or self._takes_lease(source)
        contacts, meter = self._vitals.contacts, self._vitals.meter
        if not is_ours:
            source.close()
            contacts.ended(mailbox)
            self.signals.stop.wait(HEARTBEAT.total_seconds())
            return
        contacts.expect(mailbox, self._poll + _CONTACT_ALLOWED, self._clock.now())
        with timed(meter, Stage.FETCH):
            self._store_new(source)
        with timed(meter, Stage.ACKNOWLEDGE):
            acknowledge(source, self._store, self._clock)
        contacts.turned(mailbox, self._clock.now())
        self._compare(source, mailbox)
        if not self.signals.stop.is_set():
            source.wait(self._poll)

    def _holds_lease(self, source: Source) -> bool:
        with self._store.view() as unit:
            return unit.holds_lease(lease_of(source))

    def _takes_lease(self, source: Source) -> bool:
        with self._store.unit() as unit:
            return unit.take_lease(lease_of(source))

    def _store_new(self, source: Source) -> None:
        recorded = ingest(source, self._store, self._clock, self.signals.stop.is_set)
        self._vitals.meter.count(Event.MAILS_RECEIVED, recorded.new)
        self._vitals.meter.count(Event.MAILS_COPIES, recorded.copies)
        if recorded.new or recorded.copies:
            log.info("stored", mails=recorded.new, copies=recorded.copies)
            self.signals.stored.set()

    def _compare(self, source: Source, mailbox: str) -> None:
        now = self._clock.now()
        if abs(now - self._asked_turns.get(mailbox, _LONG_AGO)) < _ASK_TURNS_EVERY:
            return
        self._asked_turns[mailbox] = now
        with self._store.unit() as unit:
            compares = unit.take_turn(f"reconcile {mailbox}", RECONCILE_EVERY, now)
            resolves = unit.take_turn(f"resolve {mailbox}", RESOLVE_EVERY, now)
        for gap in reconcile(source, self._store, self._clock) if compares else ():
            log.warning(
                "mailbox and ledger differ", kind=gap.kind, uid=gap.uid, what=gap.sentence, mended=gap.is_mended
            )
        if resolves and (proved := resolve_uncertain(source, self._store, self._clock)):
            log.info("uncertain answers found sent", answers=proved)
            self._vitals.meter.count(Event.ANSWERS_RESOLVED, proved)

    def _call_fetchers(self) -> None:
        for source in self._sources:
            source.interrupt()

    # ------------------------------------------------------------------ process

    def _process(self) -> None:
        self._decide_all()
        self._wait_for(self.signals.stored, Role.PROCESS)

    def _decide_all(self) -> None:
        while not self.signals.stop.is_set():
            self._tell(self._membership.keep_up())
            report = self._processing.turn(BATCH)
            self._vitals.health.turned("process", self._clock.now())
            if report.mails:
                log.info("decided", mails=report.decided, copies=report.copies, failed=report.failed)
                self.signals.queued.set()
                self._call_fetchers()
            if not report.mails or not report.is_full:
                return

    # ------------------------------------------------------------------ send

    def _send(self) -> None:
        self._deliver_all()
        self._wait_for(self.signals.queued, Role.SEND)

    def _deliver_all(self) -> None:
        while not self.signals.stop.is_set():
            self._tell(self._membership.keep_up())
            with timed(self._vitals.meter, Stage.SUBMIT):
                state = self._outbox.deliver_one()
            if state is None:
                return
            self._vitals.health.turned("send", self._clock.now())
            self._vitals.meter.count(Event.ANSWERS, state=state.value)
            log.info("answer", state=state.value)

    def _wait_out_undo(self) -> None:
        end = self._clock.now() + self._processing.undo
        while not self.signals.stop.is_set():
            due, now = self._next_due(Role.SEND), self._clock.now()
            if due is None or not now < due <= end:
                return
            self.signals.stop.wait((due - now).total_seconds())
            self._deliver_all()

    # ------------------------------------------------------------------ hooks

    def _call_others(self) -> None:
        if self._hooks is not None:
            self._hooks.deliver_all(self.signals.stop.is_set)
        self.signals.stop.wait(LOOK_AGAIN.total_seconds())

    # ------------------------------------------------------------------ all

    def _tend(self) -> None:
        self._tell(self._membership.tend())
        if not self.signals.stop.is_set():
            self._do_chores(self._clock.now())
            self.signals.stop.wait(HEARTBEAT.total_seconds())
        else:
            self.signals.ended.wait(HEARTBEAT.total_seconds())

    def _do_chores(self, now: datetime) -> None:
        with self._store.unit() as unit:
            is_ours = unit.take_turn("tend", WAKE_EVERY, now)
            if is_ours:
                unit.wake(now)
        for chore in self._chores if is_ours else ():
            chore(now)

    def _tell(self, buried: Buried) -> None:
        self._vitals.meter.count(Event.WORKERS_BURIED, buried.workers)
        if buried.mails or buried.answers:
            log.warning(
                "taken over from a stopped worker",
                workers=buried.workers,
                mails_to_read_again=buried.mails,
                answers_uncertain=buried.answers,
            )

    def _wait_for(self, call: threading.Event, role: Role) -> None:
        call.wait(self._until_due(role).total_seconds())
        call.clear()  # after the wait: what came in between is looked for in the next turn

    def _until_due(self, role: Role) -> timedelta:
        due, now = self._next_due(role), self._clock.now()
        if due is None:
            return LOOK_AGAIN
        return min(LOOK_AGAIN, due - now if due > now else _HELD_BACK)

    def _next_due(self, role: Role) -> datetime | None:
        with self._store.view() as unit:
            return unit.next_due(role)

    def _handlers(self) -> dict[Role, Callable[[], None]]:
        """What a job of each role runs. Each is called by one thread at a time."""
        turns = {Role.FETCH: self._call_fetchers, Role.PROCESS: self._decide_all, Role.SEND: self._deliver_all}
        return {role: self._as_job(role, turns[role]) for role in Role if role in self._roles}

    def _as_job(self, role: Role, turn: Callable[[], None]) -> Callable[[], None]:
        def job() -> None:
            try:
                turn()
            except MailflowError as error:  # its rows are still due: `wake` calls again
                log.warning("loop failed", loop=role.value, error=f"{type(error).__name__}: {error}")
            except Exception as error:  # noqa: BLE001 - the edge of a loop, as in `_until_stopped`
                self._break(role.value, error)

        return job
