"""Three workers on one store, in any order of their steps, dying or only seeming dead in the middle of any of them.

No mail is lost, none is answered twice, and in doubt is only what was really on its way when somebody was taken for
dead. The machine of test_no_mail_lost_none_answered_twice.py has one worker and more ways for mail to arrive.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import text
from tests.services.office import Office, memory_store, question, reader_of

from mailflow.adapters.store import SqlStore, SqlUnit
from mailflow.core.delivery import MAX_ATTEMPTS, OutboxState
from mailflow.core.fleet import LONG_DEAD
from mailflow.core.message import OutboundMessage
from mailflow.core.octets import Octets
from mailflow.core.partner import PartnerDirectory
from mailflow.core.ports import Acceptance
from mailflow.core.storage import Understood
from mailflow.errors import ConnectionFailed, IllegalTransition, OutcomeUnknown, PermanentRefusal, TemporaryRefusal
from mailflow.services.fleet import Membership
from mailflow.services.ingest import acknowledge, ingest
from mailflow.services.outbox import Outbox
from mailflow.services.processing import Processing
from mailflow.services.reconcile import reconcile
from mailflow.testing import DESK, FrozenClock, MemorySource, ScriptedSubmission

SECOND = timedelta(seconds=1)
WORKERS = st.integers(min_value=0, max_value=2)
SENDERS = ["", "", "", "ann@one.example", "bob@one.example"]
"""'': somebody who has not written before; the others share the budget of their domain."""
ENDS: dict[str, Exception | None] = {
    "250": None,
    "4yz": TemporaryRefusal("451"),
    "5yz": PermanentRefusal("550"),
    "no connection": ConnectionFailed("refused"),
    "unknown": OutcomeUnknown("lost"),
}
END = st.sampled_from(["250"] * 4 + list(ENDS))
MEANWHILE = ["nothing"] * 3 + ["it dies", "another takes it for dead", "another works"]


class Dies(BaseException):
    """kill -9. Not an Exception: no boundary may take it for a bad mail."""


class DyingStore(SqlStore):
    """Its worker dies at the end of the n-th transaction from now, before or after its commit."""

    def __init__(self, store: SqlStore) -> None:
        super().__init__(store.engine)
        self.die_in, self.after_commit = 0, False

    @contextmanager
    def unit(self) -> Iterator[SqlUnit]:
        self.die_in -= 1
        is_last = self.die_in == 0
        with super().unit() as unit:
            yield unit
            if is_last and not self.after_commit:
                raise Dies
        if is_last and self.after_commit:
            raise Dies


@dataclass(slots=True)
class Wire(ScriptedSubmission):
    """Of one worker, to the mail server of all. Something may happen before the server answers."""

    meanwhile: Callable[[OutboundMessage], None] = lambda message: None

    def submit(self, message: OutboundMessage) -> Acceptance:
        self.meanwhile(message)
        return ScriptedSubmission.submit(self, message)


@dataclass(slots=True)
class WorkerProcess:
    """What a process has in memory."""

    store: DyingStore
    office: Office
    wire: Wire
    membership: Membership = field(init=False)
    processing: Processing = field(init=False)
    outbox: Outbox = field(init=False)
    while_reading: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.office.read = self.read
        self.membership = self.office.membership()
        self.processing, self.outbox = self.office.processing(), self.office.outbox()
        self.membership.join()

    def read(self, content: Octets, size: int | None, partners: PartnerDirectory) -> Understood:
        meanwhile, self.while_reading = self.while_reading, lambda: None
        meanwhile()
        return reader_of(DESK)(content, size, partners)


class Fleet(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.store, self.clock, self.source = memory_store(), FrozenClock(), MemorySource()
        self.accepted: list[OutboundMessage] = []
        self.delivered: list[bytes] = []
        self.doubted: set[str] = set()
        """Message-IDs of what was on its way when something happened to its worker."""
        self.workers: list[WorkerProcess | None] = [None, None, None]
        for number in range(3):
            self.start(number)

    # ------------------------------------------------------------------ the world

    @rule(sender=st.sampled_from(SENDERS), number=WORKERS)
    def a_question_comes(self, sender: str, number: int) -> None:
        number_of_it = len(self.delivered)
        content = question(number_of_it, sender or f"ann@partner{number_of_it}.example")
        self.delivered.append(content)
        self.source.deliver(content)
        self.see_to_the_mailbox(number, "fetch")

    @rule(what=st.sampled_from(["a mail comes again", "all UIDs are void", "time passes"]), data=st.data())
    def something_happens(self, what: str, data: st.DataObject) -> None:
        if what == "time passes":
            self.clock.advance(data.draw(st.sampled_from([1, 5, 20, 40, 600, 7200])) * SECOND)
        elif what == "all UIDs are void":
            self.source.uid_validity += 1
        elif self.delivered:
            self.source.deliver(data.draw(st.sampled_from(self.delivered)))

    @rule()
    def a_person_looks_at_what_is_left(self) -> None:
        """At answers in doubt, with the log of the mail server, where nothing is on its way now; and at quarantine."""
        accepted = {message.message_id for message in self.accepted}
        with self.store.unit() as unit:
            for mail in unit.quarantined(100):
                assert mail.attempts == MAX_ATTEMPTS
                assert unit.retry_quarantined(mail.inbound_id, self.clock.now(), "sam")
            for answer in unit.outbox(100, OutboxState.UNCERTAIN):
                settle = unit.confirm_outbox if answer.message_id in accepted else unit.retry_outbox
                assert settle(answer.id, self.clock.now(), "sam")

    # ------------------------------------------------------------------ processes

    @rule(number=WORKERS, what=st.sampled_from(["dies", "ends in order", "beats"]))
    def a_process(self, number: int, what: str) -> None:
        """Where there is none one starts, whatever was to be."""
        worker = self.workers[number]
        if worker is None:
            self.start(number)
        elif what == "beats":
            worker.membership.tend()
        elif what == "dies":
            self.die(number)
        else:
            worker.membership.leave()
            self.workers[number] = None

    def _ensure(self, number: int) -> None:
        if self.workers[number] is None:
            self.start(number)

    def start(self, number: int) -> None:
        store, wire = DyingStore(self.store), Wire(sent=self.accepted)
        office = Office(store, clock=self.clock, source=self.source, submission=wire, machine=f"machine {number}")
        self.workers[number] = WorkerProcess(store, office, wire)

    def die(self, number: int) -> None:
        if worker := self.workers[number]:
            self._doubt_what_is_on_its_way(worker)
            self.workers[number] = None

    # ------------------------------------------------------------------ their steps

    @rule(number=WORKERS, what=st.sampled_from(["fetch", "fetch without the lease", "move", "compare"]))
    def see_to_the_mailbox(self, number: int, what: str) -> None:
        """Without the lease: it sat in IDLE while it was taken for dead."""
        if (worker := self.workers[number]) is None:
            return
        if what == "move":
            acknowledge(self.source, worker.store, self.clock)
        elif what == "compare":
            reconcile(self.source, worker.store, self.clock)
        else:
            with worker.store.unit() as unit:
                is_ours = unit.take_lease("mailbox")
            if is_ours or what == "fetch without the lease":
                ingest(self.source, worker.store, self.clock)

    @rule(number=WORKERS, limit=st.integers(1, 3), meanwhile=st.sampled_from(MEANWHILE), data=st.data())
    def decide(self, number: int, limit: int, meanwhile: str, data: st.DataObject) -> None:
        if worker := self.workers[number]:
            other = self._another(number, data)
            worker.while_reading = lambda: self._happen(meanwhile, other)
            self._step(number, lambda: worker.processing.turn(limit))
            worker.while_reading = lambda: None

    @rule(number=WORKERS, end=END, meanwhile=st.sampled_from(MEANWHILE), data=st.data())
    def send(self, number: int, end: str, meanwhile: str, data: st.DataObject) -> None:
        if worker := self.workers[number]:
            other, error = self._another(number, data), ENDS[end]
            worker.wire.errors[:] = [error] if error else []

            def happen(message: OutboundMessage) -> None:
                worker.wire.meanwhile = lambda message: None
                if meanwhile != "nothing" or end == "unknown":
                    self.doubted.add(message.message_id)
                self._happen(meanwhile, other)

            worker.wire.meanwhile = happen
            self._step(number, worker.outbox.deliver_one)
            worker.wire.errors.clear()
            worker.wire.meanwhile = lambda message: None

    @rule(
        sender=st.sampled_from(SENDERS),
        reads=st.sampled_from(MEANWHILE),
        sends=st.sampled_from(MEANWHILE),
        end=END,
        data=st.data(),
    )
    def a_question_goes_all_the_way(self, sender: str, reads: str, sends: str, end: str, data: st.DataObject) -> None:
        """Each step by any worker, with something in the middle of it."""
        first, second, third = data.draw(st.tuples(WORKERS, WORKERS, WORKERS))
        self.a_question_comes(sender, first)
        self._ensure(first)
        self.see_to_the_mailbox(first, "fetch without the lease")
        self._ensure(second)
        self.decide(second, 3, reads, data)
        self._ensure(third)
        self.send(third, end, sends, data)

    @rule(number=WORKERS, die_in=st.integers(1, 5), after_commit=st.booleans(), sends=st.booleans())
    def die_at_a_commit(self, number: int, die_in: int, after_commit: bool, sends: bool) -> None:
        if worker := self.workers[number]:
            worker.store.die_in, worker.store.after_commit = die_in, after_commit
            for _ in range(3):
                if self.workers[number] is not None:
                    self._step(number, worker.outbox.deliver_one if sends else worker.processing.turn)
            worker.store.die_in = 0

    def _step(self, number: int, step: Callable[[], object]) -> None:
        """One that was taken for dead changes nothing and goes on; one that dies is gone."""
        worker = self.workers[number]
        assert worker is not None
        try:
            step()
        except IllegalTransition:
            worker.membership.tend()
        except Dies:
            self.die(number)

    def _another(self, number: int, data: st.DataObject) -> WorkerProcess | None:
        others = [worker for n, worker in enumerate(self.workers) if n != number and worker is not None]
        return others[data.draw(st.integers(0, len(others) - 1))] if others else None

    def _happen(self, what: str, other: WorkerProcess | None) -> None:
        if what == "it dies":
            raise Dies
        if what == "another takes it for dead" and other is not None:
            self.clock.advance(LONG_DEAD + SECOND)
            other.office.membership().join()
        if what == "another works" and other is not None:
            other.processing.turn(2)
            other.outbox.deliver_one()

    def _doubt_what_is_on_its_way(self, worker: WorkerProcess) -> None:
        asked = text("SELECT message_id FROM outbox WHERE state = 'sending' AND claimed_by = :holder")
        with self.store.engine.connect() as connection:
            self.doubted |= set(connection.execute(asked, {"holder": worker.store.holder}).scalars())

    # ------------------------------------------------------------------ what must hold after each step

    @invariant()
    def nobody_is_answered_twice(self) -> None:
        answered = Counter(message_from_bytes(message.content)["In-Reply-To"] for message in self.accepted)
        assert max(answered.values(), default=0) <= 1, answered

    @invariant()
    def in_doubt_is_only_what_was_on_its_way(self) -> None:
        with self.store.view() as unit:
            uncertain = {answer.message_id for answer in unit.outbox(100, OutboxState.UNCERTAIN)}
        assert uncertain <= self.doubted

    @invariant()
    def no_step_leaves_anything_on_its_way_but_by_death(self) -> None:
        living = {worker.store.holder for worker in self.workers if worker is not None}
        with self.store.engine.connect() as connection:
            claimed = connection.execute(text("SELECT claimed_by FROM outbox WHERE state = 'sending'")).scalars()
            assert not set(claimed) & living
            claimed = connection.execute(text("SELECT claimed_by FROM inbound WHERE state = 'processing'")).scalars()
            assert not set(claimed) & living

    @invariant()
    def the_counts_add_up_to_every_row(self) -> None:
        with self.store.view() as unit:
            counts = unit.counts()
        decided = counts.answered + counts.held + counts.ignored
        assert counts.received == decided + counts.duplicates + counts.quarantined + counts.pending

    def teardown(self) -> None:
        """In the end one worker is left, and everything works again; then every mail must have been dealt with."""
        if not hasattr(self, "workers"):
            return
        for number in range(3):
            self.die(number)
        office = Office(SqlStore(self.store.engine), clock=self.clock, source=self.source)
        office.submission.sent = self.accepted
        for _ in range(6):
            self.clock.advance(timedelta(hours=2))
            office.worker().run_once()
            self.a_person_looks_at_what_is_left()
        self.nobody_is_answered_twice()
        assert self.source.inbox == {}
        assert office.counts().pending == office.counts().quarantined == 0
        states = Counter(answer.state for answer in office.answers())
        assert set(states) <= {OutboxState.SENT, OutboxState.FAILED}
        assert states[OutboxState.SENT] == len(self.accepted)
        self.store.close()


TestFleet = Fleet.TestCase
TestFleet.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
