"""`mailflow classify`: the same reading, model and policy as the worker, without memory and without sending."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.services.office import PLAYBOOK, WORDS, by_words, question, reader_of

from mailflow.core.classification import Action, Classification, ClassifierInput
from mailflow.core.octets import Octets
from mailflow.core.partner import PartnerDirectory
from mailflow.core.ports import Closing, Letter, RenderedAnswer
from mailflow.core.storage import Read, Understood
from mailflow.errors import PoisonMail
from mailflow.services.triage import Preview, Triage
from mailflow.testing import DESK, FixedClassifier, FrozenClock, PlainRenderer


def triage(read: Read | None = None, of: Callable[[ClassifierInput], Classification] = by_words) -> Triage:
    return Triage(
        read=read or reader_of(DESK),
        classifier=FixedClassifier(WORDS["riddle"], of=of),
        playbook=PLAYBOOK,
        desk_addresses=frozenset({DESK}),
        clock=FrozenClock(),
    )


@pytest.mark.parametrize(
    ("content", "action"),
    [
        (question(body="How do we get a licence?"), Action.REPLY),
        (question(body="Please send a quote."), Action.REVIEW),
        (question(body="Many thanks."), Action.NONE),
        (question(auto_submitted="auto-generated"), Action.NONE),
        (question(reply_to=DESK), Action.REVIEW),
    ],
)
def test_it_says_what_the_worker_would_do(content: bytes, action: Action) -> None:
    triaged = triage().triage(content)
    assert triaged.decision.action is action
    assert triaged.decision.reasons
    assert triaged.understood.message.message_id == "q1@partner.example"


def test_an_old_mail_is_judged_as_if_it_were_new() -> None:
    """A folder of last year's mail is looked at: its age is no reason to hold it."""
    content = question(date="Mon, 06 Jan 2020 09:00:00 +0000")
    assert triage().triage(content).decision.action is Action.REPLY


def test_it_remembers_nothing() -> None:
    """No budget, no copies, no thread: the tenth look says what the first one said."""
    one = triage()
    assert len({one.triage(question()).decision for _ in range(10)}) == 1


def test_the_model_sees_what_the_worker_would_show_it() -> None:
    seen: list[ClassifierInput] = []

    def look(mail: ClassifierInput) -> Classification:
        seen.append(mail)
        return by_words(mail)

    body = "Could we get a licence for the lab?\r\n\r\nOn Monday, Bob wrote:\r\n> no"
    triage(of=look).triage(question(body=body, cc="bob@partner.example"))
    (shown,) = seen
    assert (shown.subject, shown.cc_count, shown.origin, shown.has_quote) == ("Question 1", 1, "human", True)
    assert "licence" in shown.content
    assert "> no" not in shown.content


def test_a_mail_that_cannot_be_read_is_said_to_be_so() -> None:
    def read(content: Octets, size: int | None, partners: PartnerDirectory) -> Understood:
        raise PoisonMail("reading it took longer than 20 s")

    with pytest.raises(PoisonMail):
        triage(read).triage(question())


# --- explain and preview ----------------------------------------------------------------------------------------------


def test_a_receipt_is_of_the_decision_that_is_made_now() -> None:
    found = triage().explain(question())
    assert found.decision.action is Action.REPLY
    assert found.rows[0].intent == "nfr_request"


def previewed(content: bytes, **choices: Any) -> Preview:
    return triage().preview(content, PlainRenderer(), desk_name="Help desk", **choices)


def test_a_preview_is_the_answer_as_it_would_be_sent() -> None:
    found = previewed(question())
    assert found.answer is not None and found.message is not None
    assert found.answer.text == "[nfr_request.external]"
    assert found.message.envelope.forward_path == "ann@partner1.example"
    assert found.message.subject == "Re: Question 1"
    assert b"In-Reply-To: <q1@partner.example>" in found.message.content


def test_of_a_held_mail_it_is_the_draft() -> None:
    found = previewed(question(body="Please send a quote."))
    assert found.decision.action is Action.REVIEW
    assert found.answer is not None and found.answer.text == "[quoting.external]"


def test_a_mail_without_a_path_has_no_preview() -> None:
    found = previewed(question(body="Many thanks."))
    assert (found.answer, found.message) == (None, None)


def test_the_letter_says_who_reads_it_and_in_which_language() -> None:
    letters: list[Letter] = []

    class Listening(PlainRenderer):
        def render(self, letter: Letter) -> RenderedAnswer:
            letters.append(letter)
            return super().render(letter)

    one = triage()
    one.preview(question(), Listening(), desk_name="Help desk", language="de")
    one.preview(question(body="Please send a quote."), Listening(), desk_name="Help desk")
    assert [letter.language for letter in letters] == ["de", ""], "too short to tell"
    assert [letter.closing for letter in letters] == [Closing.AUTOMATIC, Closing.PERSON]
    assert letters[0].greeting_name == "Ann Example"
