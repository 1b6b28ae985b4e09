"""Stored mails through two desks: what differs is told, and what people said is held against both."""

from collections.abc import Callable
from dataclasses import replace

from tests.services.office import PLAYBOOK, Office, by_words, question, reader_of

from mailflow.adapters.store import SqlStore
from mailflow.core.classification import Classification, ClassifierInput
from mailflow.core.replay import Change
from mailflow.core.review import Correction
from mailflow.services.replay import replay
from mailflow.services.triage import Triage
from mailflow.testing import DESK, NOON, FixedClassifier, FrozenClock, classification


def desk(of: Callable[[ClassifierInput], Classification]) -> Triage:
    return Triage(
        read=reader_of(DESK),
        classifier=FixedClassifier(classification(), of),
        playbook=PLAYBOOK,
        desk_addresses=frozenset({DESK}),
        clock=FrozenClock(),
    )


def bolder(mail: ClassifierInput) -> Classification:
    """Another model: it takes riddles for licence questions, and licence questions for riddles."""
    swapped = {"riddle": "licence", "licence": "riddle"}
    word = next((word for word in swapped if word in mail.content), "")
    return by_words(replace(mail, content=mail.content.replace(word, swapped[word])) if word else mail)


def test_every_decision_that_would_change_is_a_row(store: SqlStore) -> None:
    office = Office(store)
    office.work(
        question(1),
        question(2, body="a riddle"),
        question(3, body="thanks"),
        question(4, body="a quote"),
        question(5, auto_submitted="auto-generated"),
    )
    with store.unit() as unit:
        held = next(mail for mail in unit.stored_mails(None, 10) if mail.subject == "Question 2")
        unit.correct(Correction(held.message_id, ("nfr_request",), "reply", "partner", ""), "sam", NOON)
    found = replay(store, desk(by_words), desk(bolder), since=None, limit=100)
    assert found.mails == 5
    assert {row.subject: row.change for row in found.rows} == {
        "Question 1": Change.LOSES,
        "Question 2": Change.GAINS,
    }
    assert (found.corrected, found.agreed_before, found.agreed_after, found.loops) == (1, 0, 1, 0)


def test_only_the_newest_are_replayed_and_progress_is_told(store: SqlStore) -> None:
    office = Office(store)
    office.work(question(1), question(2), question(3))
    told: list[tuple[float, float]] = []
    found = replay(
        store, desk(by_words), desk(by_words), since=None, limit=2, progress=lambda done, of: told.append((done, of))
    )
    assert (found.mails, found.rows, told) == (2, (), [(0, 2), (1, 2)])
