"""Calls leave, are tried again later and later, and end; whatever a receiver does."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from tests.services.office import Office, memory_store, question

from mailflow.adapters.store import SqlStore
from mailflow.core.delivery import MAX_ATTEMPTS
from mailflow.core.hooks import HookCall, HookEvent, HookState, HookView, Listener
from mailflow.errors import ConnectionFailed, MailflowError
from mailflow.services.hooks import Hooks
from mailflow.services.worker import Worker


class Refused(MailflowError):
    temporary = False


@dataclass(slots=True)
class Scripted:
    """Takes every call, unless `errors` has something to raise first."""

    errors: list[Exception] = field(default_factory=list)
    calls: list[HookCall] = field(default_factory=list)
    is_closed: bool = False

    def call(self, call: HookCall, now: datetime) -> None:
        self.calls.append(call)
        if self.errors:
            raise self.errors.pop(0)

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def office() -> Office:
    store = memory_store()
    return Office(SqlStore(store.engine, listeners=(Listener("crm", frozenset(HookEvent)),)))


def hooks(office: Office, receiver: Scripted, name: str = "crm") -> Hooks:
    return Hooks(store=office.store, receivers={name: receiver}, clock=office.clock, jitter=lambda: 0.5)


def listed(office: Office) -> list[HookView]:
    with office.store.view() as unit:
        return unit.hooks(100)


def test_what_happened_is_told_once(office: Office) -> None:
    receiver = Scripted()
    office.work(question(1, body="a riddle"), question(2))
    assert hooks(office, receiver).deliver_all() == 2
    assert hooks(office, receiver).deliver_all() == 0
    assert {(one.thread_id, one.event) for one in receiver.calls} == {(1, HookEvent.HELD), (2, HookEvent.ANSWERED)}


def test_a_receiver_that_is_down_is_tried_again_later_and_later_and_given_up(office: Office) -> None:
    receiver = Scripted([ConnectionFailed("down") for _ in range(MAX_ATTEMPTS)])
    office.work(question(1, body="a riddle"))
    waits = []
    for _ in range(MAX_ATTEMPTS):
        hooks(office, receiver).deliver_all()
        (call,) = listed(office)
        waits.append((call.due_at - office.clock.now()).total_seconds())
        office.clock.at = max(call.due_at, office.clock.at)
    assert waits[:-1] == [20, 60, 180, 540]
    assert call.state is HookState.FAILED
    assert "gave up after 5 attempts" in call.error
    assert len(receiver.calls) == MAX_ATTEMPTS


def test_before_its_time_it_is_not_tried_again(office: Office) -> None:
    receiver = Scripted([ConnectionFailed("down")])
    office.work(question(1, body="a riddle"))
    hooks(office, receiver).deliver_all()
    office.clock.advance(timedelta(seconds=19))
    assert hooks(office, receiver).deliver_all() == 0
    office.clock.advance(timedelta(seconds=1))
    assert hooks(office, receiver).deliver_all() == 1


def test_a_refusal_and_an_error_that_nobody_foresaw_hold_up_no_other_call(office: Office) -> None:
    receiver = Scripted([Refused("410"), ZeroDivisionError()])
    office.work(*(question(number, body="a riddle") for number in (1, 2, 3)))
    assert hooks(office, receiver).deliver_all() == 1
    assert sorted(one.state for one in listed(office)) == [HookState.FAILED, HookState.QUEUED, HookState.SENT]


def test_a_receiver_that_was_taken_out_of_the_settings_is_told_nothing(office: Office) -> None:
    office.work(question(1, body="a riddle"))
    assert hooks(office, Scripted(), "another").deliver_all() == 0
    (call,) = listed(office)
    assert (call.state, "[hooks.crm] is not in the settings any more" in call.error) == (HookState.FAILED, True)


def test_a_stop_ends_it_between_two_calls(office: Office) -> None:
    receiver = Scripted()
    office.work(question(1, body="a riddle"), question(2, body="a riddle"))
    assert hooks(office, receiver).deliver_all(lambda: len(receiver.calls) > 0) == 1


def test_the_worker_calls_out_after_its_work(office: Office) -> None:
    receiver = Scripted()
    worker = Worker(
        sources=[office.source],
        store=office.store,
        processing=office.processing(),
        outbox=office.outbox(),
        membership=office.membership(),
        clock=office.clock,
        jitter=lambda: 0.5,
        poll=timedelta(minutes=3),
        hooks=hooks(office, receiver),
    )
    office.source.deliver(question(1, body="a riddle"))
    worker.run_once()
    assert [one.event for one in receiver.calls] == [HookEvent.HELD]
    assert receiver.is_closed
