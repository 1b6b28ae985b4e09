"""Calls to other systems in the store: queued with what they tell of, claimed once, given back. On both databases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.databases import database_url
from tests.services.office import Office, question

from mailflow.adapters import schema
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.core.delivery import OutboxState
from mailflow.core.fleet import ALL_ROLES, WorkerRecord
from mailflow.core.hooks import HookEvent, HookState, Listener
from mailflow.core.message import FailedRecipient, Origin, OriginKind
from mailflow.core.review import ThreadChanged
from mailflow.errors import OutcomeUnknown
from mailflow.services.ingest import ingest
from mailflow.testing import NOON

LISTENERS = (
    Listener("crm", frozenset(HookEvent)),
    Listener("pager", frozenset({HookEvent.ESCALATED})),
)


@pytest.fixture(params=["sqlite", "postgresql"])
def office(request: pytest.FixtureRequest) -> Iterator[Office]:
    engine = open_engine(database_url(request))
    schema.upgrade(engine)
    yield Office(SqlStore(engine, listeners=LISTENERS))
    engine.dispose()


def queued(office: Office) -> list[tuple[str, str, int]]:
    """(receiver, event, thread), oldest first."""
    with office.store.view() as unit:
        return [(one.receiver, one.event.value, one.thread_id) for one in reversed(unit.hooks(100))]


def test_a_thread_that_begins_to_wait_is_told_once(office: Office) -> None:
    office.work(question(1, body="a riddle"))
    office.work(question(2, body="another riddle", In_Reply_To="q1@partner.example", sender="ann@partner1.example"))
    assert queued(office) == [("crm", "held", 1)]


def test_an_answer_is_told_when_the_mail_server_took_it_and_not_before(office: Office) -> None:
    office.undo = timedelta(seconds=20)
    office.source.deliver(question(1))
    ingest(office.source, office.store, office.clock)
    office.processing().turn()
    assert queued(office) == []
    office.clock.advance(timedelta(seconds=21))
    assert office.outbox().deliver_one() is OutboxState.SENT
    assert queued(office) == [("crm", "answered", 1)]


def test_an_answer_of_which_nobody_knows_is_told_when_a_person_says_that_it_arrived(office: Office) -> None:
    office.submission.errors = [OutcomeUnknown("lost")]
    office.work(question(1))
    assert queued(office) == []
    with office.store.unit() as unit:
        (entry,) = unit.outbox(1)
        unit.confirm_outbox(entry.id, NOON, "sam")
    assert queued(office) == [("crm", "answered", 1)]


def test_an_answer_that_came_back_makes_its_thread_wait(office: Office) -> None:
    office.work(question(1))
    with office.store.unit() as unit:
        bounce = Origin(OriginKind.BOUNCE, "", bounced=(FailedRecipient("ann@partner1.example", is_permanent=True),))
        unit.record_bounce(bounce, NOON)
    assert queued(office) == [("crm", "answered", 1), ("crm", "held", 1)]


def test_what_is_urgent_is_told_to_each_that_wants_to_know(office: Office) -> None:
    office.work(question(1, body="a riddle"))
    with office.store.unit() as unit:
        unit.escalate(1, None, "they wait since Monday", "sam", NOON)
    assert queued(office)[1:] == [("crm", "escalated", 1), ("pager", "escalated", 1)]


def test_what_did_not_happen_is_not_told(office: Office) -> None:
    """The call is in the transaction of what it tells of."""
    office.work(question(1, body="a riddle"))
    with pytest.raises(ThreadChanged), office.store.unit() as unit:
        unit.escalate(1, None, "urgent", "sam", NOON)
        unit.escalate(1, 0, "urgent", "sam", NOON)
    assert queued(office) == [("crm", "held", 1)]


def test_a_call_says_nothing_of_the_mail_and_nobody_s_name(office: Office) -> None:
    office.work(question(1, body="a riddle about ocelots", Subject="Ocelots"))
    with office.store.unit() as unit:
        unit.escalate(1, None, "ocelots are waiting", "sam", NOON)
        bodies = [call.body for _ in range(3) if (call := unit.claim_hook(NOON))]
    assert len(bodies) == 3
    for body in bodies:
        assert body["thread"]["id"] == 1
        for word in ("celot", "ann", "partner1", "sam"):
            assert word not in str(body)


def test_where_nobody_listens_nothing_is_queued(office: Office) -> None:
    office.store = SqlStore(office.store.engine)
    office.work(question(1, body="a riddle"), question(2))
    assert queued(office) == []


def test_a_call_is_claimed_by_one_and_settled_by_nobody_else(office: Office) -> None:
    office.work(question(1, body="a riddle"))
    other = SqlStore(office.store.engine)
    with office.store.unit() as unit:
        call = unit.claim_hook(NOON)
    assert call is not None
    assert call.attempts == 1
    with other.unit() as unit:
        assert unit.claim_hook(NOON) is None
        assert not unit.finish_hook(call, None, "", NOON)
    with office.store.unit() as unit:
        assert unit.finish_hook(call, None, "", NOON)
        assert [one.state for one in unit.hooks(10)] == [HookState.SENT]


def test_a_call_of_a_worker_that_is_gone_is_made_again_and_that_of_one_at_work_is_not(office: Office) -> None:
    office.work(question(1, body="a riddle"))
    other = SqlStore(office.store.engine)
    with office.store.unit() as unit:
        call = unit.claim_hook(NOON)
        unit.beat(WorkerRecord(office.store.holder, "here", 1, ALL_ROLES, NOON, NOON))
    with other.unit() as unit:
        assert unit.free_hooks() == 0
        unit.bury([office.store.holder], NOON)
        assert unit.free_hooks() == 1
        again = unit.claim_hook(NOON)
    assert call is not None
    assert again == replace(call, attempts=2)


def test_a_failed_call_is_told_in_the_trail_and_made_again_by_hand(office: Office) -> None:
    office.work(question(1, body="a riddle"))
    with office.store.unit() as unit:
        call = unit.claim_hook(NOON)
        assert call is not None
        unit.finish_hook(call, None, "webhook crm answered 410", NOON)
        view = unit.thread_view(1, NOON)
        assert view is not None
        assert view.trail[-1].sentence == "crm was not told `held`: webhook crm answered 410"
        assert unit.claim_hook(NOON) is None
        assert unit.retry_hook(call.id, NOON)
        assert not unit.retry_hook(call.id, NOON)
        assert unit.claim_hook(NOON) is not None
