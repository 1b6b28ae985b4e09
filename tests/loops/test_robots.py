"""No robot draws more from the desk than is stated, whatever it does and whatever the model says (RFC 3834, 1; D5).

The bounds are those of `core.loop_bound`, told in docs/architecture.md. LOOP_EXAMPLES=2000 looks further than the
examples of each run, and at other ones each time.
"""

import os
import re
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.loops.robots import BY_NAME, ROBOTS, SILENT, Received, Robot
from tests.loops.simulation import (
    ALWAYS_ANSWERED,
    BOUNDS,
    HELD,
    OPENING,
    PERSON,
    SHIPPED,
    Simulation,
    Step,
    asked,
    budgets,
    excess,
    grouped,
    simulation,
    steps,
)
from tests.services.office import Office

from mailflow.core.loop_bound import DAY, HOUR, ONE_ADDRESS, Reach, most_sends
from mailflow.core.playbook import SendBudget
from mailflow.core.policy import GUARDS, Outcome
from mailflow.core.storage import ThreadSummary
from mailflow.testing import defaults

EXAMPLES = os.environ.get("LOOP_EXAMPLES", "")
LOOPS = settings(
    max_examples=int(EXAMPLES or 12),
    deadline=None,
    derandomize=not EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow],
)
SETTINGS = {"as shipped": SHIPPED.defaults, "of a live desk": defaults()}


COMPANIES = [ROBOTS[first::4] for first in range(4)]
"""Each robot is in one of them, each with robots of every kind."""


def assert_bounded(one: Simulation, budget: SendBudget, intents: int) -> None:
    sends = one.sends()
    for name, (by, reach) in BOUNDS.items():
        for group in grouped(sends, by):
            assert not (found := excess(group, budget, reach)), f"{name}: {found}"
    for robot in one.robots:
        drawn = one.sends_to(robot)
        if isinstance(robot.reach, int):
            assert len(drawn) <= robot.reach, f"{robot.name}: {drawn}"
        else:
            reach = Reach(None, robot.reach.addresses, robot.reach.domains, intents)
            assert not (found := excess(drawn, budget, reach)), f"{robot.name}: {found}"
    assert len(sends) == len(one.office.submission.sent)


def assert_nothing_is_lost_and_nobody_is_woken(one: Simulation) -> None:
    counts = one.office.counts()
    assert counts.pending == counts.quarantined == 0
    assert counts.received == counts.answered + counts.held + counts.ignored + counts.duplicates
    held = next(mail for mail in one.office.decided() if mail.message_id == HELD)
    with one.office.store.unit() as unit:
        story = unit.story(held.thread_id)
    assert story is not None
    assert (story.summary.status, story.summary.updated_at) == ("held", held.decided_at)
    assert [message.message_id for message in story.messages] == [HELD]


@LOOPS
@given(
    company=st.sampled_from(COMPANIES), days=steps(10), intents=st.integers(1, len(ALWAYS_ANSWERED)), budget=budgets()
)
def test_any_robots_in_any_order_draw_no_more_than_the_budget(
    company: Sequence[Robot], days: list[Step], intents: int, budget: SendBudget
) -> None:
    one = simulation(company, intents=intents, budget=budget).run(days)
    assert_bounded(one, budget, intents)
    assert_nothing_is_lost_and_nobody_is_woken(one)


@LOOPS
@given(
    company=st.sampled_from(COMPANIES),
    days=steps(10),
    name=st.sampled_from(sorted(SETTINGS)),
    intents=st.integers(1, 3),
)
def test_with_the_budget_of_a_real_desk_too(
    company: Sequence[Robot], days: list[Step], name: str, intents: int
) -> None:
    chosen = SETTINGS[name]
    one = simulation(company, intents=intents, settings=chosen).run(days)
    assert_bounded(one, chosen.send_budget, intents)
    assert_nothing_is_lost_and_nobody_is_woken(one)


# ---- each robot for itself ----------------------------------------------------------------------------------

MINUTE = timedelta(minutes=1)
REAL = SHIPPED.defaults.send_budget


def prods(times: int, pause: timedelta) -> list[Step]:
    """A person asks once, then the robot writes `times` times, whether it was answered or not."""
    first = Step(asks=(0,), prods=(), order=0, copies=0, late=0, pause=pause)
    return [first, *[Step(asks=(), prods=(0,), order=0, copies=0, late=0, pause=pause)] * times]


def alone(name: str, times: int, pause: timedelta, intents: int = 1) -> Simulation:
    return simulation([BY_NAME[name]], intents=intents, settings=SHIPPED.defaults).run(prods(times, pause))


def stated_guards(robot: Robot) -> set[str]:
    return set(re.findall(r"`(\w+)`", robot.stops))


def guards_that_stopped(one: Simulation) -> set[str]:
    reasons = [mail.reason for mail in one.office.decided() if mail.message_id in one.wrote]
    return {guard.name for guard in GUARDS for reason in reasons if reason.endswith(guard.why)}


@pytest.mark.parametrize("robot", SILENT, ids=lambda robot: robot.name)
def test_nothing_that_a_known_robot_writes_is_answered_for_the_stated_reason(robot: Robot) -> None:
    one = alone(robot.name, 8, 5 * HOUR)
    assert len(one.wrote) >= 1
    assert one.sends_to(robot) == []
    assert len(one.office.submission.sent) == 1, "the person's question was answered"
    stated = stated_guards(robot)
    assert guards_that_stopped(one) <= stated
    assert stated - guards_that_stopped(one) <= {"held_thread"}, "which comes behind follow_up"


def test_who_uses_one_message_id_for_everything_is_answered_once() -> None:
    one = alone("replayer", 12, 2 * HOUR)
    assert len(one.sends_to(BY_NAME["replayer"])) == 1


@pytest.mark.parametrize(
    ("name", "times", "pause", "intents", "over", "expected"),
    [
        ("stranger", 20, MINUTE, 1, 3 * HOUR, REAL.per_sender_and_intent_3_hours),
        ("stranger", 40, 30 * MINUTE, 5, 24 * HOUR, REAL.per_sender_day),
        ("shouter", 20, MINUTE, 1, 3 * HOUR, REAL.per_sender_and_intent_3_hours),
        ("burst", 20, MINUTE, 1, 3 * HOUR, REAL.per_sender_and_intent_3_hours),
        ("chorus", 20, MINUTE, 5, 24 * HOUR, 3 * REAL.per_sender_day),
        ("many-names", 30, MINUTE, 5, HOUR, REAL.per_domain_hour),
        ("details", 30, MINUTE, 5, HOUR, REAL.per_domain_hour),
        ("reply-elsewhere", 30, MINUTE, 5, HOUR, REAL.per_domain_hour),
        ("many-domains", 40, MINUTE, 1, HOUR, REAL.per_template_hour),
        ("subdomains", 40, MINUTE, 1, HOUR, REAL.per_template_hour),
        ("many-domains", 115, MINUTE / 2, 5, HOUR, REAL.desk_hour),
    ],
)
def test_the_stated_bound_is_reached_and_holds(
    name: str, times: int, pause: timedelta, intents: int, over: timedelta, expected: int
) -> None:
    """A desk that never answers would keep every bound."""
    reach = BY_NAME[name].reach
    assert isinstance(reach, Reach)
    assert most_sends(REAL, over, Reach(None, reach.addresses, reach.domains, intents)) == expected
    one = alone(name, times, pause, intents)
    assert len(one.sends()) == expected


def test_a_robot_that_goes_on_for_ever_gets_as_much_each_day_and_no_more() -> None:
    one = alone("stranger", 10 * 12, 2 * HOUR, intents=5)
    sends = one.sends()
    first_days = [send for send in sends if send.at < sends[0].at + 10 * DAY]
    assert len(first_days) == most_sends(REAL, 10 * DAY, ONE_ADDRESS) == 10 * REAL.per_sender_day
    counts = one.office.counts()
    assert counts.held == counts.received - len(sends), "the rest waits for a person"


# ---- people's threads ---------------------------------------------------------------------------------------


def summary_of(office: Office, message_id: str) -> ThreadSummary:
    thread_id = next(mail.thread_id for mail in office.decided() if mail.message_id == message_id)
    with office.store.unit() as unit:
        story = unit.story(thread_id)
    assert story is not None
    return story.summary


def is_known(robot: Robot) -> bool:
    """Whether what it writes is known as a machine's, so that nobody need look at it."""
    stated = stated_guards(robot)
    return any(guard.name in stated and guard.outcome is Outcome.IGNORE for guard in GUARDS)


@pytest.mark.parametrize("is_signed", [False, True], ids=["by the person's id", "by our signed id"])
@pytest.mark.parametrize("robot", ROBOTS, ids=lambda robot: robot.name)
def test_a_robot_in_a_persons_thread_closes_nothing_and_reopens_nothing_unseen(robot: Robot, is_signed: bool) -> None:
    """It writes from the person's own domain, most of them from his address, as his out-of-office does.

    What is known as a robot's changes nothing, save that an answer which came back makes its thread wait for a person;
    what nothing gives away waits for a person. Neither is answered in the thread.
    """
    office = simulation([robot]).run([]).office
    office.work(asked(1, PERSON, office.clock.now()))
    (answer,) = office.submission.sent
    held, answered = summary_of(office, HELD), summary_of(office, "p1@person.example")
    assert (held.status, answered.status) == ("held", "answered")
    office.clock.advance(HOUR)
    seen, reference = (answer.content, answer.message_id) if is_signed else (OPENING, HELD)
    domain = PERSON.rpartition("@")[2]
    written = [robot.write(Received(seen, office.clock.now(), number, domain)) for number in range(3)]
    office.work(*[f"References: <{reference}>\r\n".encode() + mail for mail in written])
    threads = [one.thread_id for one in office.answers()]
    assert (threads.count(held.id), threads.count(answered.id)) == (0, 1)
    held_now, answered_now = summary_of(office, HELD), summary_of(office, "p1@person.example")
    assert held_now.status == "held"
    if is_known(robot):
        came_back = is_signed and "bounce" in stated_guards(robot)
        assert held_now == held
        assert answered_now == answered or (came_back and answered_now.status == "held")
        assert {mail.action for mail in office.decided()[2:]} == {"none"}
    else:
        assert answered_now.status in ("answered", "held")
