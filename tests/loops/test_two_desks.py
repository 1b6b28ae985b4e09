"""Two mailflow desks that face each other, both always sure that an answer is right, with a gateway between them.

what the gateway leaves of our answers          answers of both desks, for ever
any mark, or the words of a shipped template    1 to a person's question
the references, nothing else                    2 to a person's question
nothing                                         per_sender_day of each desk in any 24 hours
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.loops.robots import MARKS
from tests.loops.simulation import SHIPPED, asked, pauses, playbook, surely
from tests.reading.origin_mail import origin
from tests.services.office import Office, memory_store

from mailflow.adapters.assets import english_words, load_links
from mailflow.adapters.renderer import TemplateRenderer
from mailflow.core.loop_bound import DAY, HOUR, ONE_ADDRESS, most_sends
from mailflow.core.message import OriginKind
from mailflow.core.ports import AnswerPart, Letter, RenderedAnswer, Renderer
from mailflow.testing import DESK, FrozenClock, PlainRenderer

ROOT = Path(__file__).resolve().parents[2]
OTHER_DESK = "help@vendor.example"
EXAMPLES = os.environ.get("LOOP_EXAMPLES", "")
LOOPS = settings(max_examples=int(EXAMPLES or 8), deadline=None, derandomize=not EXAMPLES)
REFERENCES = ("In-Reply-To", "References")
SHIPPED_LETTERS = TemplateRenderer(
    ROOT / "templates",
    load_links(ROOT / "classifiers"),
    english_words(SHIPPED),
    SHIPPED.defaults.answer_languages,
)


class AskingBack(PlainRenderer):
    """Each answer is a question, and no word in it tells of a machine."""

    def render(self, letter: Letter) -> RenderedAnswer:
        return RenderedAnswer("Which licence do you need?", "<p>Which licence do you need?</p>")


@dataclass(frozen=True, slots=True)
class Gateway:
    """What happens to mail between the desks."""

    strips: frozenset[str] = frozenset()
    renames: bool = False
    """Each mail gets another Message-ID."""
    retitles: bool = False

    def passes(self, content: bytes, number: int) -> bytes:
        mail = message_from_bytes(content)
        for name in self.strips:
            del mail[name]
        if self.renames:
            mail.replace_header("Message-ID", f"<g{number}@gateway.example>")
        if self.retitles:
            mail.replace_header("Subject", f"Case {number}")
        return mail.as_bytes().replace(b"\n", b"\r\n")


@dataclass(frozen=True, slots=True)
class Round:
    asks: tuple[bool, ...]
    """People who ask the one desk (True) or the other in the name of the one that it faces."""
    order: int
    copies: int
    late: int
    pause: timedelta


def rounds(most: int) -> st.SearchStrategy[list[Round]]:
    asks = st.lists(st.booleans(), max_size=2).map(tuple)
    few = st.integers(0, 2)
    one = st.builds(Round, asks=asks, order=st.integers(0, 99), copies=few, late=few, pause=pauses())
    return st.lists(one, min_size=1, max_size=most)


@dataclass(frozen=True, slots=True)
class Talk:
    asked: int
    sent: dict[str, list[datetime]]
    """When each desk sent."""

    @property
    def total(self) -> int:
        return sum(map(len, self.sent.values()))


def talk(gateway: Gateway, renderer: Renderer, happens: Sequence[Round]) -> Talk:
    clock, book = FrozenClock(), playbook(SHIPPED.defaults)
    desks = {
        address: Office(
            memory_store(), address=address, clock=clock, playbook=book, classifier=surely(3), renderer=renderer
        )
        for address in (DESK, OTHER_DESK)
    }
    faces = {DESK: OTHER_DESK, OTHER_DESK: DESK}
    on_the_way: dict[str, list[bytes]] = {DESK: [], OTHER_DESK: []}
    sent: dict[str, list[datetime]] = {DESK: [], OTHER_DESK: []}
    number = people = 0
    for one in happens:
        for is_first in one.asks:
            people += 1
            to = DESK if is_first else OTHER_DESK
            question = asked(people, faces[to], clock.now())
            on_the_way[to].append(question.replace(f"To: {DESK}".encode(), f"To: {to}".encode()))
        for address, office in desks.items():
            Random(one.order).shuffle(on_the_way[address])
            now, on_the_way[address] = on_the_way[address][one.late :], on_the_way[address][: one.late]
            before = len(office.submission.sent)
            office.work(*now, *now[: one.copies])
            for message in office.submission.sent[before:]:
                assert message.envelope.forward_path == faces[address]
                sent[address].append(clock.now())
                on_the_way[faces[address]].append(gateway.passes(message.content, number))
                number += 1
        clock.advance(one.pause)
    return Talk(people, sent)


@LOOPS
@given(
    strips=st.sets(st.sampled_from((*MARKS, *REFERENCES))).map(frozenset),
    renames=st.booleans(),
    retitles=st.booleans(),
    happens=rounds(8),
)
def test_while_a_mark_is_left_each_question_is_answered_at_most_once_and_no_answer_is(
    strips: frozenset[str], renames: bool, retitles: bool, happens: list[Round]
) -> None:
    if set(MARKS) <= strips:
        strips -= {MARKS[0]}
    found = talk(Gateway(strips, renames, retitles), AskingBack(), happens)
    assert found.total <= found.asked


@LOOPS
@given(renames=st.booleans(), retitles=st.booleans(), happens=rounds(8))
def test_the_words_of_the_shipped_templates_are_enough(renames: bool, retitles: bool, happens: list[Round]) -> None:
    """Nothing is left of the header: the answer itself says in its last paragraph that it is automatic."""
    gateway = Gateway(frozenset({*MARKS, *REFERENCES}), renames, retitles)
    found = talk(gateway, SHIPPED_LETTERS, happens)
    assert found.total <= found.asked


def shipped_answers(language: str) -> Iterator[str]:
    """The text of each answer, in each branch."""
    for name, intent in SHIPPED.intents.items():
        for audience, row in intent.audiences.items():
            for branch in intent.branches.values if intent.branches and row.template else ("",):
                if row.template:
                    part = AnswerPart(name, audience, row.template, branch)
                    yield SHIPPED_LETTERS.render(Letter((part,), "Sam", "Re: Case 1", language)).text


@pytest.mark.parametrize("above", ["", "Step 2 does not work for us.\n\n"], ids=["alone", "below a person's words"])
@pytest.mark.parametrize("language", ["en", *SHIPPED.defaults.answer_languages])
def test_each_answer_says_that_it_is_automatic_in_words_that_we_know(language: str, above: str) -> None:
    """It is held and not thrown away: a mail program that marks no quotes sends the same, and then a person wrote."""
    kinds = {origin(subject="Re: Case 1", text=above + text).kind for text in shipped_answers(language)}
    assert kinds == {OriginKind.LIST}


@LOOPS
@given(renames=st.booleans(), retitles=st.booleans(), happens=rounds(8))
def test_with_nothing_but_references_left_there_are_two_answers_to_a_question(
    renames: bool, retitles: bool, happens: list[Round]
) -> None:
    """The second desk takes the first answer for a question; its answer comes back into a thread that has one."""
    found = talk(Gateway(frozenset(MARKS), renames, retitles), AskingBack(), happens)
    assert found.total <= 2 * found.asked


@LOOPS
@given(happens=rounds(12))
def test_with_nothing_left_the_budget_of_each_desk_is_the_bound(happens: list[Round]) -> None:
    found = talk(Gateway(frozenset({*MARKS, *REFERENCES}), renames=True, retitles=True), AskingBack(), happens)
    for times in found.sent.values():
        for start in times:
            within = sum(start <= at < start + DAY for at in times)
            assert within <= most_sends(SHIPPED.defaults.send_budget, DAY, ONE_ADDRESS)


def test_these_bounds_are_reached() -> None:
    """Two desks that never answer would keep them, too."""
    once = [Round(asks=(True,), order=0, copies=0, late=0, pause=2 * HOUR)]
    later = [Round(asks=(), order=0, copies=0, late=0, pause=2 * HOUR)] * 11
    all_marks, everything = frozenset(MARKS), frozenset({*MARKS, *REFERENCES})
    assert talk(Gateway(), AskingBack(), once + later).total == 1
    assert talk(Gateway(everything, True, True), SHIPPED_LETTERS, once + later).total == 1
    assert talk(Gateway(all_marks), AskingBack(), once + later).total == 2
    most = most_sends(SHIPPED.defaults.send_budget, DAY, ONE_ADDRESS)
    found = talk(Gateway(everything, True, True), AskingBack(), once + later)
    assert sorted(map(len, found.sent.values())) == [most, most]
