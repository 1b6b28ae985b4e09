"""`mailflow classify`: the same reading, model and policy as the worker, without memory and without sending."""

from collections.abc import Callable

import pytest
from tests.services.office import PLAYBOOK, WORDS, by_words, question, reader_of

from mailflow.core.classification import Action, Classification, ClassifierInput
from mailflow.core.octets import Octets
from mailflow.core.partner import PartnerDirectory
from mailflow.core.storage import Read, Understood
from mailflow.errors import PoisonMail
from mailflow.services.triage import Triage
from mailflow.testing import DESK, FixedClassifier, FrozenClock


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
