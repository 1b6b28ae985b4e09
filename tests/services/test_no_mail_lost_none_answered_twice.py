"""Whatever happens in whatever order: no mail is lost, and no mail is answered twice.

A hypothesis state machine delivers mail, breaks the connection to the mail server in every way it can break, voids all
UIDs, and cuts the power before or after any commit. After each step and at the end the promises are checked.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select
from tests.services.office import Office, memory_store, question

from mailflow.adapters.store import SqlStore, SqlUnit
from mailflow.adapters.tables import InboundRow
from mailflow.core.delivery import FINAL_INBOUND, InboundState, OutboxState
from mailflow.core.message import OutboundMessage
from mailflow.core.ports import Acceptance
from mailflow.errors import ConnectionFailed, OutcomeUnknown, PermanentRefusal, TemporaryRefusal
from mailflow.services.ingest import acknowledge, ingest
from mailflow.testing import ScriptedSubmission


class PowerCut(BaseException):
    """Not an Exception: no boundary may take it for a bad mail."""


class CuttingStore(SqlStore):
    """Cuts the power at the end of the n-th transaction from now, before or after its commit."""

    def __init__(self, store: SqlStore) -> None:
        super().__init__(store.engine)
        self.cut_in, self.after_commit = 0, False

    @contextmanager
    def unit(self) -> Iterator[SqlUnit]:
        self.cut_in -= 1
        is_last = self.cut_in == 0
        with super().unit() as unit:
            yield unit
            if is_last and not self.after_commit:
                raise PowerCut
        if is_last and self.after_commit:
            raise PowerCut


@dataclass(slots=True)
class DoubtfulSubmission(ScriptedSubmission):
    """The error `OutcomeUnknown("accepted")` is raised after the message was accepted."""

    def submit(self, message: OutboundMessage) -> Acceptance:
        if self.errors and str(self.errors[0]) == "accepted":
            self.sent.append(message)
        return ScriptedSubmission.submit(self, message)


ENDS: dict[str, Exception] = {
    "4yz": TemporaryRefusal("451"),
    "5yz": PermanentRefusal("550"),
    "no connection": ConnectionFailed("refused"),
    "unknown, not accepted": OutcomeUnknown("lost"),
    "unknown, accepted": OutcomeUnknown("accepted"),
}
MACHINE = {"auto_submitted": "auto-replied"}


@dataclass(slots=True)
class Delivered:
    """What the world put into the mailbox; `machines` are the Message-IDs of mail that no human wrote."""

    mails: list[bytes] = field(default_factory=list)
    machines: set[str] = field(default_factory=set)


class DeskMachine(RuleBasedStateMachine):
    @initialize()
    def open_the_desk(self) -> None:
        self.store = CuttingStore(memory_store())
        self.submission = DoubtfulSubmission()
        self.office = Office(self.store, submission=self.submission)
        self.delivered = Delivered()

    # ------------------------------------------------------------------ the world

    @rule(is_machine=st.booleans(), sender=st.sampled_from(["ann@one.example", "bob@one.example", "cyd@two.example"]))
    def deliver(self, is_machine: bool, sender: str) -> None:
        number = len(self.delivered.mails)
        content = question(number, sender, **(MACHINE if is_machine else {}))
        if is_machine:
            self.delivered.machines.add(f"q{number}@partner.example")
        self.delivered.mails.append(content)
        self.office.source.deliver(content)

    @rule(data=st.data(), is_traced=st.booleans())
    def deliver_one_again(self, data: st.DataObject, is_traced: bool) -> None:
        """The same octets, or the same mail over another relay."""
        if self.delivered.mails:
            again = data.draw(st.sampled_from(self.delivered.mails))
            if is_traced:
                again = b"Received: from relay.example by mx.gitlab.com; x\r\n" + again
                self.delivered.mails.append(again)
            self.office.source.deliver(again)

    @rule()
    def void_all_uids(self) -> None:
        """RFC 9051, 2.3.1.1: a new UIDVALIDITY."""
        self.office.source.uid_validity += 1

    @rule(minutes=st.integers(min_value=1, max_value=300))
    def time_passes(self, minutes: int) -> None:
        self.office.clock.advance(timedelta(minutes=minutes))

    # ------------------------------------------------------------------ the desk, in small steps and in large ones

    @rule()
    def read_the_mailbox(self) -> None:
        ingest(self.office.source, self.store, self.office.clock)

    @rule(limit=st.integers(min_value=1, max_value=3))
    def decide(self, limit: int) -> None:
        self.office.processing().turn(limit)

    @rule(end=st.sampled_from(["250", *ENDS]))
    def send(self, end: str) -> None:
        if end in ENDS:
            self.submission.errors.append(ENDS[end])
        self.office.outbox().deliver_one()
        self.submission.errors.clear()

    @rule()
    def move_on_the_server(self) -> None:
        acknowledge(self.office.source, self.store, self.office.clock)

    @rule(ends=st.lists(st.sampled_from(list(ENDS)), max_size=2))
    def work(self, ends: list[str]) -> None:
        """The first tries end like this, the others are accepted."""
        self.submission.errors += (ENDS[end] for end in ends)
        self.office.worker().run_once()
        self.submission.errors.clear()

    @rule(cut_in=st.integers(min_value=1, max_value=12), after_commit=st.booleans())
    def take_a_question_until_the_power_is_cut(self, cut_in: int, after_commit: bool) -> None:
        """One question takes about ten transactions from the mailbox to the recorded answer."""
        self.deliver(is_machine=False, sender=f"dan@d{len(self.delivered.mails)}.example")
        worker = self.office.worker()
        self.store.cut_in, self.store.after_commit = cut_in, after_commit
        try:
            worker.run_once()
        except PowerCut:
            self.office.store = self.store = CuttingStore(self.store)
            self.office.membership().join()
        finally:
            self.store.cut_in = 0

    # ------------------------------------------------------------------ what must hold after each step

    @invariant()
    def nobody_is_answered_twice(self) -> None:
        accepted = Counter(message_from_bytes(sent.content)["In-Reply-To"] for sent in self.submission.sent)
        assert max(accepted.values(), default=0) <= 1, accepted

    @invariant()
    def no_machine_is_answered(self) -> None:
        answered = {message_from_bytes(sent.content)["In-Reply-To"].strip("<>") for sent in self.submission.sent}
        assert not answered & self.delivered.machines

    @invariant()
    def what_left_the_mailbox_is_in_the_ledger_and_settled(self) -> None:
        states = self._states()
        for uid, _ in self.office.source.acknowledged:
            assert {state for (_, row_uid), state in states.items() if row_uid == uid} & FINAL_INBOUND

    @invariant()
    def the_counts_add_up_to_every_row(self) -> None:
        counts = self.office.counts()
        assert counts.received == len(self._states())
        decided = counts.answered + counts.held + counts.ignored
        assert counts.received == decided + counts.duplicates + counts.quarantined + counts.pending

    def teardown(self) -> None:
        """In the end everything works again; then every mail must have been dealt with."""
        if not hasattr(self, "office"):
            return
        for _ in range(6):
            self.office.clock.advance(timedelta(hours=2))
            self.office.worker().run_once()
        self.nobody_is_answered_twice()
        self.no_machine_is_answered()
        assert self.office.source.inbox == {}
        assert self.office.counts().pending == self.office.counts().quarantined == 0
        assert not {entry.state for entry in self.office.answers()} & {OutboxState.QUEUED, OutboxState.SENDING}
        rows = self.office.counts().received
        stored = set()
        for number in range(1, rows + 1):
            with self.store.opened(number) as content:
                stored.add(content[:])
        assert stored >= set(self.delivered.mails)
        self.store.close()

    def _states(self) -> dict[tuple[int, int], InboundState]:
        with self.store.engine.connect() as connection:
            table = InboundRow.__table__.c  # type: ignore[attr-defined] # SQLModel sets it
            rows = connection.execute(select(table.uid_validity, table.uid, table.state)).all()
        return {(row.uid_validity, row.uid): InboundState(row.state) for row in rows}


TestDesk = DeskMachine.TestCase
TestDesk.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
