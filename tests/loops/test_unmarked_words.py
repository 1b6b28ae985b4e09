"""What programs write without any mark is known by its words, in each language of partners; people are left alone."""

import pytest
from tests.loops.away_notes import NOTES
from tests.loops.away_notes import PEOPLE as PEOPLE_WHO_GO_AWAY
from tests.loops.notices import ACKNOWLEDGEMENTS, CHALLENGES, PEOPLE
from tests.reading.origin_mail import origin

from mailflow.core.message import OriginKind

ALL_NOTES = [
    pytest.param(note, id=f"{language} {number}")
    for language, notes in NOTES.items()
    for number, note in enumerate(notes, 1)
]
NUMBER = 41_017


@pytest.mark.parametrize("note", ALL_NOTES)
def test_an_out_of_office_note_is_no_question(note: str) -> None:
    found = origin(subject="Re: NFR licence", text=note)
    assert found.kind is OriginKind.AUTO_REPLIED
    assert found.evidence.startswith("the text says: ")


@pytest.mark.parametrize("language", PEOPLE_WHO_GO_AWAY)
def test_who_goes_away_and_wants_something_is_a_person(language: str) -> None:
    assert origin(text=PEOPLE_WHO_GO_AWAY[language]).kind is OriginKind.HUMAN


@pytest.mark.parametrize("text", ACKNOWLEDGEMENTS)
@pytest.mark.parametrize("subject", ["Your question", f"[#{NUMBER}] Your question"])
def test_the_acknowledgement_of_a_ticket_system_is_no_question(subject: str, text: str) -> None:
    assert origin(subject=subject, text=text.format(NUMBER)).kind is OriginKind.AUTO_REPLIED


@pytest.mark.parametrize("text", CHALLENGES)
def test_a_challenge_to_the_sender_is_no_question(text: str) -> None:
    assert origin(subject="Please confirm", text=text.format(NUMBER)).kind is OriginKind.AUTO_REPLIED


@pytest.mark.parametrize("text", PEOPLE)
def test_people_who_write_of_tickets_and_receipt_are_people(text: str) -> None:
    assert origin(subject="NFR licence", text=text).kind is OriginKind.HUMAN
