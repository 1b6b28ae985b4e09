"""Machines must not talk to machines for ever (RFC 3834, 1; D5): first by what mail says of itself, then by budget.

The bound, where nothing of a mail tells that a machine wrote it. Of any 24 hours, one address gets at most
`per_sender_day` answers, so in a time T

    answers to one address <= per_sender_day * (T / 24 h rounded down + 1)

and alike `per_domain_hour` and `desk_hour` for a robot that changes its address, in any hour.
The budget of the tests' playbook: 5 a day to an address, 6 an hour to a domain, 8 an hour in all.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from email import message_from_bytes

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.services.office import DEFAULTS, Office, memory_store, question

from mailflow.core.message import OutboundMessage
from mailflow.core.ports import Letter, RenderedAnswer
from mailflow.testing import DESK, PlainRenderer

BUDGET = DEFAULTS.send_budget
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OTHER_DESK = "help@vendor.example"
MARKS = ("Auto-Submitted", "X-Auto-Response-Suppress", "Precedence", "X-Mailflow-Loop", "In-Reply-To", "References")
PAUSES = st.lists(st.integers(min_value=1, max_value=600).map(lambda minutes: timedelta(minutes=minutes)), max_size=30)


def relayed(message: OutboundMessage, stripped: Sequence[str]) -> bytes:
    """As it arrives at the other side, behind a gateway that takes header fields out; asks for a licence again."""
    mail = message_from_bytes(message.content)
    for name in stripped:
        del mail[name]
    return mail.as_bytes().replace(b"\n", b"\r\n")


def rotating(addresses: int, domains: int) -> Callable[[int], str]:
    return lambda number: f"sam{number % addresses}@r{number % domains}.example"


def robot_mail(number: int, sender: str) -> bytes:
    """No word of a machine, its address included: no header, no thread, a new subject, Message-ID and text."""
    return question(number, sender, subject=f"Case {number * 7919}", body=f"A licence for lab {number}, please?")


def most_within(times: Sequence[datetime], span: timedelta) -> int:
    """The most that fell into any `span` (its end not included)."""
    return max((sum(start <= at < start + span for at in times) for start in times), default=0)


class Diary:
    """One desk, a robot that answers its answers, and when each of our answers went out to whom."""

    def __init__(self) -> None:
        self.office = Office(memory_store())
        self.sent: list[tuple[datetime, str]] = []

    def take(self, *mails: bytes) -> list[OutboundMessage]:
        before = len(self.office.submission.sent)
        self.office.work(*mails)
        new = self.office.submission.sent[before:]
        self.sent += [(self.office.clock.now(), message.envelope.forward_path) for message in new]
        return new

    def times(self, end: str = "") -> list[datetime]:
        return [at for at, to in self.sent if to.endswith(end)]


@settings(max_examples=15, deadline=None)
@given(pauses=PAUSES)
def test_a_robot_that_answers_every_mail_gets_a_bounded_number_of_answers(pauses: list[timedelta]) -> None:
    """It writes again whether it was answered or not, as a ticket system does that polls."""
    diary = Diary()
    for number, pause in enumerate(pauses):
        diary.take(robot_mail(number, "sam@vendor.example"))
        diary.office.clock.advance(pause)
    elapsed = sum(pauses, timedelta())
    assert len(diary.sent) <= BUDGET.per_sender_day * (elapsed // DAY + 1)
    assert most_within(diary.times(), DAY) <= BUDGET.per_sender_day
    assert most_within(diary.times(), 3 * HOUR) <= BUDGET.per_sender_and_intent_3_hours
    assert diary.office.counts().received == len(pauses), "what was not answered is held, never dropped"
    assert diary.office.counts().held == len(pauses) - len(diary.sent)


@settings(max_examples=15, deadline=None)
@given(
    addresses=st.integers(min_value=1, max_value=30),
    domains=st.integers(min_value=1, max_value=30),
    pauses=st.lists(st.integers(min_value=0, max_value=30).map(lambda m: timedelta(minutes=m)), max_size=30),
)
def test_a_robot_that_changes_its_address_is_bounded_too(addresses: int, domains: int, pauses: list[timedelta]) -> None:
    sender, diary = rotating(addresses, domains), Diary()
    for number, pause in enumerate(pauses):
        diary.take(robot_mail(number, sender(number)))
        diary.office.clock.advance(pause)
    assert most_within(diary.times(), HOUR) <= BUDGET.desk_hour
    for domain in range(domains):
        assert most_within(diary.times(f"@r{domain}.example"), HOUR) <= BUDGET.per_domain_hour


def test_the_budget_is_used_and_then_holds() -> None:
    """The bounds above are reached: a desk that never answers would keep them as well."""
    diary = Diary()
    for number in range(12):
        diary.take(robot_mail(number, "sam@vendor.example"))
        diary.office.clock.advance(1.5 * HOUR)
    assert len(diary.sent) == BUDGET.per_sender_day
    diary = Diary()
    for number in range(12):
        diary.take(robot_mail(number, rotating(12, 12)(number)))
    assert len(diary.sent) == BUDGET.desk_hour


def test_the_day_of_the_robot_ends() -> None:
    diary = Diary()
    for number in range(8):
        diary.take(robot_mail(number, "sam@vendor.example"))
        diary.office.clock.advance(3 * HOUR)
    assert len(diary.sent) == BUDGET.per_sender_day
    diary.office.clock.advance(DAY)
    assert len(diary.take(robot_mail(99, "sam@vendor.example"))) == 1


# ------------------------------------------------------------------ two desks


class AskingBack(PlainRenderer):
    """Each answer is itself a question that the other desk has a path for."""

    def render(self, letter: Letter) -> RenderedAnswer:
        return RenderedAnswer("Which licence do you need?", "<p>Which licence do you need?</p>")


def converse(stripped: Sequence[str], rounds: int, pause: timedelta) -> tuple[int, int]:
    """Two mailflow desks; a person asks the first one in the name of the other. How many mails each of them sent.

    Both answer everything that asks for a licence, and each answer asks for one.
    """
    desks = {address: Office(memory_store(), address=address) for address in (DESK, OTHER_DESK)}
    for office in desks.values():
        office.renderer = AskingBack()
    mails: dict[str, list[bytes]] = {DESK: [question(1, OTHER_DESK)], OTHER_DESK: []}
    for _ in range(rounds):
        for address, other in ((DESK, OTHER_DESK), (OTHER_DESK, DESK)):
            office = desks[address]
            before = len(office.submission.sent)
            office.work(*mails[address])
            mails[address] = []
            mails[other] += [relayed(message, stripped) for message in office.submission.sent[before:]]
            office.clock.advance(pause)
    return len(desks[DESK].submission.sent), len(desks[OTHER_DESK].submission.sent)


def test_two_desks_stop_after_the_first_answer() -> None:
    """The one answer says that a machine wrote it, and the other desk is silent (RFC 3834, 2)."""
    assert converse((), rounds=5, pause=HOUR) == (1, 0)


@settings(max_examples=15, deadline=None)
@given(
    stripped=st.sets(st.sampled_from(MARKS)).map(sorted),
    rounds=st.integers(min_value=1, max_value=15),
    minutes=st.integers(min_value=1, max_value=600),
)
def test_two_desks_behind_gateways_that_strip_headers_stop_too(stripped: list[str], rounds: int, minutes: int) -> None:
    """One mark that is left is enough; where none is left, the budget of each desk is the bound."""
    pause = timedelta(minutes=minutes)
    ours, theirs = converse(stripped, rounds, pause)
    if {"Auto-Submitted", "X-Auto-Response-Suppress", "Precedence", "X-Mailflow-Loop"} - set(stripped):
        assert (ours, theirs) == (1, 0)
    bound = BUDGET.per_sender_day * (rounds * pause // DAY + 1)
    assert ours <= bound
    assert theirs <= bound


def test_without_any_mark_two_desks_do_talk_until_the_budget_ends() -> None:
    """So the test above tests the budget, too: it is what stops them."""
    ours, theirs = converse(MARKS, rounds=10, pause=timedelta(minutes=1))
    assert ours == BUDGET.per_sender_and_intent_3_hours
    assert 1 <= theirs <= BUDGET.per_sender_and_intent_3_hours
