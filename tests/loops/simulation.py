"""A desk among robots: real reading, policy, processing and SQL; the model is always sure that an answer is right.

    step: people write -> what is on its way is shuffled, copied, held up -> the desk works -> robots get what it sent
          and write -> time passes

The model is the worst that there is, so that nothing here rests on its help.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes
from email.utils import format_datetime
from pathlib import Path
from random import Random
from zlib import crc32

from hypothesis import strategies as st
from tests.loops.robots import Robot, State, step
from tests.services.office import Office, memory_store, question

from mailflow.adapters.assets import load_playbook
from mailflow.core.classification import Classification, ClassifierInput
from mailflow.core.loop_bound import REACHES, Reach, most_sends
from mailflow.core.playbook import Defaults, Playbook, SendBudget
from mailflow.testing import FixedClassifier, classification, defaults

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = load_playbook(ROOT / "classifiers").as_if_live()
"""The real rows and the real budget, as on a desk that went live."""
ALWAYS_ANSWERED = ("certification", "deal_registration", "nfr_request", "sales_assistance", "technical_support")
"""Intents whose row says `send` and that nothing holds."""
LANGUAGES = tuple("en de fr es pt ja it nl pl cs ru uk bg sv da no fi tr hu ro el zh ko ar he vi id".split())
"""A desk that reads them all: no robot is stopped because its language is not understood."""
PERSON = "sam@person.example"
HELD = "held@person.example"
"""The Message-ID of PERSON's mail that nobody but a person can answer."""
OPENING = question(0, to="sam@robot.example", message_id="mf.1.aaaaaaaaaaaaaaaa.0123456789abcdef@gitlab.com")
"""What a robot reacts to that has got nothing from us yet."""


def playbook(settings: Defaults, budget: SendBudget | None = None) -> Playbook:
    """The shipped rows with other settings."""
    changes = {"read_languages": LANGUAGES} | ({"send_budget": budget} if budget else {})
    return SHIPPED.model_copy(update={"defaults": settings.model_copy(update=changes)})


def surely(intents: int) -> FixedClassifier:
    """Always sure that an answer is right, to one of so many intents; of a riddle alone it knows nothing."""

    def look(mail: ClassifierInput) -> Classification:
        if "riddle" in mail.subject:
            return classification(abstained="unlike any mail it knows")
        intent = ALWAYS_ANSWERED[crc32(f"{mail.subject}{mail.content}".encode()) % intents]
        return classification((intent, 1.0), reply=1.0, review=0.0, none=0.0)

    return FixedClassifier(classification(), of=look)


@dataclass(frozen=True, slots=True)
class Step:
    """What happens next, drawn by hypothesis; numbers choose among what there is."""

    asks: tuple[int, ...]
    """Robots in whose name a person asks something, so that the answer reaches the robot."""
    prods: tuple[int, ...]
    """Robots that react once more to the last mail that they got."""
    order: int
    copies: int
    """Mails on their way that arrive twice."""
    late: int
    """Mails on their way that wait for the next step."""
    pause: timedelta


def pauses() -> st.SearchStrategy[timedelta]:
    """Seconds to days."""
    units = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
    return st.tuples(st.integers(0, 30), st.sampled_from(units)).map(lambda drawn: drawn[0] * drawn[1])


def steps(most: int) -> st.SearchStrategy[list[Step]]:
    some = st.lists(st.integers(0, 99), min_size=1, max_size=3).map(tuple)
    few = st.integers(0, 2)
    one = st.builds(Step, asks=some, prods=some, order=st.integers(0, 99), copies=few, late=few, pause=pauses())
    return st.lists(one, min_size=3, max_size=most)


def budgets() -> st.SearchStrategy[SendBudget]:
    """Small ones, so that each limit is reached; with a zero nothing is sent (tests/core/test_loop_bound.py)."""
    few = st.sampled_from((1, 2, 3, 5, 8))
    return st.builds(
        SendBudget,
        per_thread=few,
        per_sender_and_intent_3_hours=few,
        per_sender_day=few,
        per_domain_hour=few,
        per_template_hour=few,
        desk_hour=few,
    )


@dataclass(frozen=True, slots=True)
class Send:
    """An automatic answer as the store has it."""

    at: datetime
    thread: int
    recipient: str
    intent: str
    answers: str
    """The Message-ID of the mail that it answers."""

    @property
    def domain(self) -> str:
        return self.recipient.rpartition("@")[2]


@dataclass(slots=True)
class Simulation:
    office: Office
    robots: Sequence[Robot]
    states: dict[str, State] = field(default_factory=dict)
    last: dict[str, bytes] = field(default_factory=dict)
    """The last mail of ours that each robot got."""
    wrote: dict[str, str] = field(default_factory=dict)
    """Message-ID -> name of the robot that wrote it."""
    on_the_way: list[bytes] = field(default_factory=list)
    asked: int = 0

    def run(self, steps: Iterable[Step]) -> "Simulation":
        self.office.work(question(0, PERSON, subject="A riddle for you", message_id=HELD))
        for one in steps:
            self._take(one)
        self._work(self.on_the_way)
        return self

    def _take(self, one: Step) -> None:
        for robot in self._chosen(one.asks):
            self.asked += 1
            self.on_the_way.append(asked(self.asked, robot.address, self.office.clock.now()))
        for robot in self._chosen(one.prods):
            if robot.begins or robot.name in self.last:
                self._react(robot, self.last.get(robot.name, OPENING))
        Random(one.order).shuffle(self.on_the_way)
        now, self.on_the_way = self.on_the_way[one.late :], self.on_the_way[: one.late]
        self._work([*now, *now[: one.copies]])
        self.office.clock.advance(one.pause)

    def _chosen(self, numbers: Iterable[int]) -> list[Robot]:
        return [self.robots[number % len(self.robots)] for number in numbers]

    def _work(self, mails: Iterable[bytes]) -> None:
        before = len(self.office.submission.sent)
        self.office.work(*mails)
        for message in self.office.submission.sent[before:]:
            for robot in self.robots:
                if robot.owns(message.envelope.forward_path):
                    self._react(robot, message.content)

    def _react(self, robot: Robot, mail: bytes) -> None:
        state = self.states.get(robot.name, State())
        self.last[robot.name] = mail
        self.states[robot.name], written = step(robot, state, mail, self.office.clock.now(), f"<{HELD}>")
        self.on_the_way += written
        self.wrote |= {message_id_of(one): robot.name for one in written}

    # ------------------------------------------------------------------ looking

    def sends(self) -> list[Send]:
        """Oldest first."""
        answered = {one.answer_message_id: one for one in self.office.decided() if one.action == "reply"}
        return [
            Send(
                at=answer.queued_at,
                thread=answer.thread_id or 0,
                recipient=answer.recipient,
                intent=answered[answer.message_id].intents[0][0],
                answers=answered[answer.message_id].message_id,
            )
            for answer in self.office.answers()
        ]

    def sends_to(self, robot: Robot) -> list[Send]:
        """Those that answer what the robot wrote, not what people wrote in its name."""
        return [one for one in self.sends() if self.wrote.get(one.answers) == robot.name]


def asked(number: int, sender: str, at: datetime) -> bytes:
    """A person's question, another one for each number."""
    return question(number, sender, message_id=f"p{number}@person.example", date=format_datetime(at))


def message_id_of(mail: bytes) -> str:
    return (message_from_bytes(mail)["Message-ID"] or "").strip("<> ")


def simulation(
    robots: Sequence[Robot], *, intents: int = 1, settings: Defaults | None = None, budget: SendBudget | None = None
) -> Simulation:
    book = playbook(settings or defaults(), budget)
    return Simulation(Office(memory_store(), playbook=book, classifier=surely(intents)), robots)


# ---- bounds -------------------------------------------------------------------------------------------------


def span(sends: Sequence[Send]) -> timedelta:
    """From the first to the last, both inside."""
    return sends[-1].at - sends[0].at + timedelta.resolution if sends else timedelta(0)


def excess(sends: Sequence[Send], budget: SendBudget, reach: Reach) -> str:
    """The stretch of `sends` (oldest first) that is more than `reach` allows; '' where there is none."""
    for start in range(len(sends)):
        for end in range(start + 1, len(sends) + 1):
            part = sends[start:end]
            if len(part) > (most := most_sends(budget, span(part), reach)):
                return f"{len(part)} answers in {span(part)}, at most {most}: {part}"
    return ""


def grouped(sends: Sequence[Send], by: Callable[[Send], object]) -> list[list[Send]]:
    groups: dict[object, list[Send]] = {}
    for one in sends:
        groups.setdefault(by(one), []).append(one)
    return list(groups.values())


COUNTED_BY: dict[str, Callable[[Send], object]] = {
    "a thread": lambda one: one.thread,
    "an address": lambda one: one.recipient,
    "an address and an intent": lambda one: (one.recipient, one.intent),
    "a domain": lambda one: one.domain,
    "mails of one intent": lambda one: one.intent,
    "anybody": lambda one: "",
}
BOUNDS = {name: (by, REACHES[name]) for name, by in COUNTED_BY.items()}
"""What is counted together, and how far that may come."""
