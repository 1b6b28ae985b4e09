"""Several workers on one store: what a dead one held is taken over, and one that only seemed dead changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from tests.services.office import Office, question, reader_of

from mailflow.adapters.store import SqlStore
from mailflow.core.delivery import InboundState, OutboxState
from mailflow.core.fleet import ALL_ROLES, DEAD_AFTER, HEARTBEAT, LONG_DEAD, Buried, Role, WorkerRecord
from mailflow.core.message import OutboundMessage
from mailflow.core.octets import Octets
from mailflow.core.partner import PartnerDirectory
from mailflow.core.ports import Acceptance
from mailflow.core.storage import Understood
from mailflow.errors import IllegalTransition
from mailflow.services.fleet import Membership
from mailflow.services.ingest import ingest
from mailflow.testing import DESK, NOON, FrozenClock, ScriptedSubmission

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def one(either_store: SqlStore) -> Office:
    return Office(either_store)


@pytest.fixture
def other(one: Office) -> Office:
    """A worker of the same desk on another machine."""
    return one.beside()


def on_the_roll(office: Office) -> set[str]:
    with office.store.view() as unit:
        return {worker.id for worker in unit.workers()}


def receive(office: Office, *mails: bytes) -> None:
    for content in mails:
        office.source.deliver(content)
    ingest(office.source, office.store, office.clock)


def claim_mails(office: Office) -> int:
    """A turn that does not come to its end."""
    with office.store.unit() as unit:
        return len(unit.claim_inbound(office.clock.now(), 50))


def claim_answer(office: Office) -> int | None:
    with office.store.unit() as unit:
        entry = unit.claim_outbox(office.clock.now())
    return entry.id if entry else None


def beat_on(membership: Membership, clock: FrozenClock, time: timedelta) -> Buried:
    """What the last of the beats of `time` has buried; the ones before buried nobody."""
    for _ in range(time // HEARTBEAT):
        clock.advance(HEARTBEAT)
        buried = membership.tend()
    return buried


def states_of_mails(office: Office) -> list[InboundState]:
    source = office.source
    with office.store.view() as unit:
        found = unit.states(source.account, source.mailbox, source.uid_validity, range(1, source.last_uid + 1))
    return [found[uid].state for uid in sorted(found)]


# ------------------------------------------------------------------ one dies


def test_mails_that_a_dead_worker_had_claimed_are_dealt_with_by_another(one: Office, other: Office) -> None:
    receive(one, question(1), question(2))
    beating = other.membership()
    one.membership().join()
    beating.join()
    assert claim_mails(one) == 2
    assert beat_on(beating, one.clock, DEAD_AFTER) == Buried(), "it may still be at it"
    one.clock.advance(SECOND)
    assert beating.tend() == Buried(workers=1, mails=2)
    assert states_of_mails(one) == [InboundState.RECEIVED] * 2
    other.work()
    assert [answer.state for answer in one.answers()] == [OutboxState.SENT] * 2


def test_an_answer_that_a_dead_worker_was_sending_is_uncertain_and_never_sent_by_another(
    one: Office, other: Office
) -> None:
    receive(one, question(1))
    one.membership().join()
    one.processing().turn()
    assert claim_answer(one)
    one.clock.advance(LONG_DEAD + SECOND)
    assert other.membership().join() == Buried(workers=1, answers=1)
    one.clock.advance(HOUR)
    other.work()
    assert one.submission.sent == []
    (answer,) = one.answers()
    assert answer.state is OutboxState.UNCERTAIN
    assert answer.thread_id is not None
    with one.store.view() as unit:
        story = unit.story(answer.thread_id)
    assert story is not None
    assert story.lines[-1].kind == "uncertain"
    assert "may or may not have gone out" in story.lines[-1].sentence


def test_a_worker_that_ends_in_order_leaves_nothing_behind(one: Office, other: Office) -> None:
    receive(one, question(1))
    membership = one.membership()
    membership.join()
    with one.store.unit() as unit:
        assert unit.take_lease("mailbox")
    assert on_the_roll(one) == {one.store.holder}
    membership.leave()
    assert on_the_roll(one) == set()
    assert other.membership().join() == Buried()
    with other.store.unit() as unit:
        assert unit.take_lease("mailbox")


def test_where_the_process_is_gone_from_this_machine_nobody_waits(either_store: SqlStore) -> None:
    clock, running = FrozenClock(), {7, 8}

    def member(pid: int, machine: str = "here") -> tuple[SqlStore, Membership]:
        store = SqlStore(either_store.engine)
        me = WorkerRecord(store.holder, machine, pid, ALL_ROLES, NOON, NOON)
        return store, Membership(store=store, me=me, clock=clock, is_running=running.__contains__)

    (dying, first), (_, beside), (far_away, far) = member(7), member(8), member(7, "there")
    for one in (first, beside, far):
        one.join()
    running.discard(7)
    assert beside.tend() == Buried(workers=1)
    with either_store.view() as unit:
        left = {worker.id for worker in unit.workers()}
    assert dying.holder not in left
    assert far_away.holder in left, "its pid says nothing of ours"


# ------------------------------------------------------------------ one only seems to be dead


def bury(office: Office) -> None:
    """`office` finds every other worker dead."""
    office.clock.advance(LONG_DEAD + SECOND)
    office.membership().join()


def test_a_worker_that_wakes_up_after_its_burial_decides_nothing(one: Office, other: Office) -> None:
    """It was slow in reading; meanwhile its mails were given to another, who has decided them."""
    by_the_other: list[int] = []

    def slow(content: Octets, size: int | None, partners: PartnerDirectory) -> Understood:
        if not by_the_other:
            bury(other)
            by_the_other.extend(other.processing().turn().decided for _ in range(2))
        return reader_of(DESK)(content, size, partners)

    receive(one, question(1), question(2))
    one.read = slow
    one.membership().join()
    with pytest.raises(IllegalTransition, match="another worker has it"):
        one.processing().turn()
    assert by_the_other == [1, 1], "what was tried before is tried alone"
    assert len(one.answers()) == 2
    assert states_of_mails(one) == [InboundState.DONE] * 2


@pytest.mark.parametrize("is_taken_again", [False, True])
def test_one_mail_that_was_taken_away_undoes_the_whole_turn(one: Office, other: Office, is_taken_again: bool) -> None:
    """Whoever comes second changes nothing, also where the mail only waits again."""

    def slow(content: Octets, size: int | None, partners: PartnerDirectory) -> Understood:
        bury(other)
        if is_taken_again:
            claim_mails(other)
        return reader_of(DESK)(content, size, partners)

    receive(one, question(1))
    one.read = slow
    one.membership().join()
    processing = one.processing()
    with pytest.raises(IllegalTransition):
        processing.turn()
    assert (one.answers(), one.decided()) == ([], [])
    assert states_of_mails(one) == [InboundState.PROCESSING if is_taken_again else InboundState.RECEIVED]


@dataclass(slots=True)
class Interfering(ScriptedSubmission):
    """Lets somebody act between the acceptance and its record."""

    act: Callable[[], object] = lambda: None

    def submit(self, message: OutboundMessage) -> Acceptance:
        acceptance = ScriptedSubmission.submit(self, message)
        self.act()
        return acceptance


def test_a_worker_that_wakes_up_after_its_burial_tells_what_it_heard(one: Office, other: Office) -> None:
    receive(one, question(1))
    one.membership().join()
    one.processing().turn()
    one.submission = Interfering(act=lambda: bury(other))
    outbox = one.outbox()
    outbox.deliver_one()
    assert [answer.state for answer in one.answers()] == [OutboxState.SENT], "a person may be looking at it"
    assert outbox.deliver_one() is None
    assert len(one.submission.sent) == 1


def test_a_worker_that_wakes_up_finishes_no_answer_that_another_has_in_its_hands(one: Office, other: Office) -> None:
    def send_again() -> None:
        bury(other)
        with other.store.unit() as unit:
            assert unit.retry_outbox(1, one.clock.now(), "sam")
        assert claim_answer(other) == 1

    receive(one, question(1))
    one.membership().join()
    one.processing().turn()
    one.submission = Interfering(act=send_again)
    one.outbox().deliver_one()
    assert [answer.state for answer in one.answers()] == [OutboxState.SENDING]
    with other.store.unit() as unit:
        assert unit.finish_outbox(1, OutboxState.SENT, one.clock.now(), due_at=None, reply_code=250, error="")


def test_a_worker_that_was_buried_by_mistake_is_back_with_its_next_beat(one: Office, other: Office) -> None:
    membership, beating = one.membership(), other.membership()
    membership.join()
    one.clock.advance(LONG_DEAD + SECOND)
    beating.join()
    assert on_the_roll(one) == {other.store.holder}
    membership.keep_up()
    assert on_the_roll(one) == {one.store.holder, other.store.holder}
    receive(one, question(1))
    assert claim_mails(one) == 1
    assert beating.tend() == Buried()


def test_what_a_worker_claims_off_the_roll_is_taken_from_it(one: Office, other: Office) -> None:
    """Buried, awake again, and dead for good before its next beat: nobody would ever find it on the roll."""
    receive(one, question(1))
    beating = other.membership()
    beating.join()
    assert claim_mails(one) == 1
    assert beating.tend() == Buried(mails=1)


def test_keeping_up_beats_only_where_a_beat_is_overdue(one: Office) -> None:
    def beaten_at() -> object:
        with one.store.view() as unit:
            return unit.workers()[0].seen_at

    membership = one.membership()
    membership.join()
    one.clock.advance(2 * HEARTBEAT)
    membership.keep_up()
    assert beaten_at() == NOON
    one.clock.advance(SECOND)
    membership.keep_up()
    assert beaten_at() == NOON + 2 * HEARTBEAT + SECOND


def test_after_an_outage_of_the_database_nobody_is_buried_for_his_silence(one: Office, other: Office) -> None:
    """All were silent, because nobody could beat. Who is really dead is found a little later."""
    first, second = one.membership(), other.membership()
    first.join()
    second.join()
    one.clock.advance(10 * DEAD_AFTER)
    assert first.tend() == Buried()
    one.clock.advance(HEARTBEAT)
    assert second.tend() == Buried()
    assert beat_on(first, one.clock, DEAD_AFTER) == Buried(), "the second one has beaten once since then"
    assert beat_on(first, one.clock, 2 * HEARTBEAT) == Buried(workers=1)


@pytest.mark.parametrize("ahead", [HOUR, LONG_DEAD, 45 * SECOND, -45 * SECOND, -HOUR])
def test_two_whose_clocks_differ_leave_each_other_alone(one: Office, other: Office, ahead: timedelta) -> None:
    """At most one burial, at first sight, and only where the clocks are worse than the doctor lets pass."""
    other.clock = FrozenClock(one.clock.now() + ahead)
    first, second = one.membership(), other.membership()
    for membership in (first, second):
        membership.join()
    for number in range(20):
        for office, membership in ((one, first), (other, second)):
            office.clock.advance(HEARTBEAT)
            membership.tend()
            if number > 0:
                assert on_the_roll(one) == {one.store.holder, other.store.holder}
    assert beat_on(first, one.clock, DEAD_AFTER + 2 * HEARTBEAT) == Buried(workers=1), "one that is silent is found"


def test_a_worker_that_never_beat_while_we_listened_is_dead_after_that_time(one: Office, other: Office) -> None:
    receive(one, question(1))
    one.membership().join()
    claim_mails(one)
    one.clock.advance(DEAD_AFTER + SECOND)
    beating = other.membership()
    assert beating.join() == Buried(), "its clock may be slow"
    assert beat_on(beating, one.clock, DEAD_AFTER) == Buried()
    assert beat_on(beating, one.clock, HEARTBEAT) == Buried(workers=1, mails=1)


def test_a_clock_that_is_set_back_hides_no_death(one: Office, other: Office) -> None:
    one.membership().join()
    beating = other.membership()
    beating.join()
    one.clock.advance(-HOUR)
    assert beating.tend() == Buried()
    assert beat_on(beating, one.clock, DEAD_AFTER) == Buried()
    assert beat_on(beating, one.clock, HEARTBEAT) == Buried(workers=1)


# ------------------------------------------------------------------ what only one may do


def test_a_lease_has_one_holder_and_ends_with_it(one: Office, other: Office) -> None:
    def takes(office: Office, name: str = "mailbox desk/INBOX") -> bool:
        with office.store.unit() as unit:
            return unit.take_lease(name)

    one.membership().join()
    beating = other.membership()
    beating.join()
    assert takes(one)
    assert takes(one), "again and again"
    assert not takes(other)
    assert takes(other, "mailbox desk/Sales")
    assert beat_on(beating, one.clock, DEAD_AFTER + HEARTBEAT) == Buried(workers=1)
    assert takes(other)
    assert not takes(one), "it wakes up too late"


def test_a_chore_is_done_by_one_and_again_when_its_time_has_come(one: Office, other: Office) -> None:
    def has_turn(office: Office, chore: str = "tend") -> bool:
        with office.store.unit() as unit:
            return unit.take_turn(chore, HOUR, office.clock.now())

    assert [has_turn(office) for office in (one, other, one)] == [True, False, False]
    assert has_turn(other, "reconcile")
    one.clock.advance(HOUR - SECOND)
    assert not has_turn(other)
    one.clock.advance(SECOND)
    assert [has_turn(office) for office in (other, one)] == [True, False]


def test_the_roll_tells_what_each_worker_does(either_store: SqlStore) -> None:
    roles = frozenset({Role.FETCH, Role.SEND})
    me = WorkerRecord(either_store.holder, "here", 7, roles, NOON, NOON)
    Membership(store=either_store, me=me, clock=FrozenClock(), is_running=lambda pid: True).join()
    with either_store.view() as unit:
        assert unit.workers() == [me]


def test_two_workers_in_turn_answer_every_mail_once(one: Office, other: Office) -> None:
    for office in (one, other):
        office.membership().join()
    for number in range(6):
        receive(one, question(number))
        (one, other)[number % 2].processing().turn(1)
        (other, one)[number % 2].outbox().deliver_one()
    assert [answer.state for answer in one.answers()] == [OutboxState.SENT] * 6
    assert len({message.message_id for message in one.submission.sent}) == 6
