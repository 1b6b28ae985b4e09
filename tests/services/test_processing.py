"""From a stored mail to a decided one: everything of a decision is committed together, one bad mail stops nobody."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from errno import ENOSPC

import pytest
from tests.services.office import WORDS, Office, by_words, question, reader_of

from mailflow.adapters.spool import SPOOLED_FROM, SpooledOctets
from mailflow.adapters.store import SqlStore
from mailflow.core.classification import Classification, ClassifierInput
from mailflow.core.delivery import MAX_ATTEMPTS, OutboxState
from mailflow.core.message import OutboundMessage
from mailflow.core.octets import Octets
from mailflow.core.partner import PartnerDirectory
from mailflow.core.ports import Disposition, Letter, RenderedAnswer
from mailflow.core.storage import Understood
from mailflow.errors import MailflowError, PoisonMail
from mailflow.reading.thread import read_token
from mailflow.services.ingest import ingest
from mailflow.services.processing import Report
from mailflow.testing import DESK, PlainRenderer

HOUR = timedelta(hours=1)
ANN = "ann@partner1.example"
QUESTION_AND_LINES = "How do we get a licence? We ask it in many lines that are all the same.\r\n"
THANKS = "Many thanks, that was all."


@pytest.fixture
def office(store: SqlStore) -> Office:
    return Office(store)


def parsed(message: OutboundMessage) -> EmailMessage:
    read = message_from_bytes(message.content, policy=policy.default)
    assert isinstance(read, EmailMessage)
    return read


def reasons_of(office: Office) -> dict[str, str]:
    return {one.message_id: one.reason for one in office.decided()}


def thread_of(office: Office, message_id: str) -> int:
    return next(one.thread_id for one in office.decided() if one.message_id == message_id)


# ------------------------------------------------------------------ what becomes of a mail


def test_a_question_with_a_path_is_answered_in_its_thread(office: Office) -> None:
    """RFC 5322, 3.6.4 and RFC 3834: to the sender alone, in the thread, marked as automatic."""
    office.work(question(1, cc="bob@partner1.example", references="<older@partner.example>"))
    (answer,) = office.submission.sent
    assert (answer.envelope.forward_path, answer.envelope.reverse_path) == (ANN, DESK)
    header = parsed(answer)
    assert (header["To"], header["Cc"]) == (ANN, None)
    assert header["In-Reply-To"] == "<q1@partner.example>"
    assert header["References"].split() == ["<older@partner.example>", "<q1@partner.example>"]
    assert header["Auto-Submitted"] == "auto-replied"
    assert header["Subject"] == "Re: Question 1"
    body = header.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == "[nfr_request.external]"
    assert [entry.state for entry in office.answers()] == [OutboxState.SENT]
    assert office.source.acknowledged == [(1, Disposition.PROCESSED)]


def test_the_answer_carries_a_token_that_only_we_can_make(office: Office) -> None:
    office.work(question(1))
    (answer,) = office.submission.sent
    assert read_token(office.store.key("reply"), answer.message_id) == thread_of(office, "q1@partner.example")
    assert read_token(b"x" * 32, answer.message_id) is None


@pytest.mark.parametrize(
    ("body", "headers", "action"),
    [
        ("How do we get a licence?", {}, "reply"),
        ("Please send a quote.", {}, "review"),
        ("A riddle.", {}, "review"),
        (THANKS, {}, "none"),
        ("How do we get a licence?", {"auto_submitted": "auto-replied"}, "none"),
        ("How do we get a licence?", {"list_id": "<partners.lists.example>"}, "review"),
        ("How do we get a licence?", {"date": "Mon, 05 Jan 2026 09:00:00 +0000"}, "review"),
    ],
)
def test_answered_held_or_ignored(office: Office, body: str, headers: dict[str, str], action: str) -> None:
    office.work(question(1, body=body, **headers))
    assert office.actions() == {"q1@partner.example": action}
    assert len(office.submission.sent) == (action == "reply")
    assert reasons_of(office)["q1@partner.example"], "the decision to stay silent has its reason too"


def test_a_held_mail_waits_in_the_queue_of_its_intent(office: Office) -> None:
    office.work(question(1, body="Please send a quote."))
    with office.store.unit() as unit:
        (thread,) = unit.threads(10)
    assert (thread.status, thread.queue, thread.requester) == ("held", "quoting queue", ANN)


# ------------------------------------------------------------------ the same mail again


def test_a_second_delivery_over_another_route_is_a_copy(office: Office) -> None:
    """Other trace fields, so other bytes; the same Message-ID, author, subject and text."""
    office.work(question(1), question(1, received="from relay.example by mx.gitlab.com; x"))
    assert len(office.submission.sent) == 1
    counts = office.counts()
    assert (counts.received, counts.answered, counts.duplicates) == (2, 1, 1)


def test_a_reused_message_id_with_another_text_is_held(office: Office) -> None:
    office.work(question(1), question(1, body="And a licence for our second lab?"))
    assert sorted(one.action for one in office.decided()) == ["reply", "review"]
    assert "Message-ID was used before" in office.decided()[1].reason
    assert len(office.submission.sent) == 1


def test_a_mail_without_message_id_fed_twice_is_one(office: Office) -> None:
    nameless = question(1, message_id="").replace(b"Message-ID: <>\r\n", b"")
    assert b"Message-ID" not in nameless
    office.work(nameless, nameless)
    office.source.uid_validity += 1
    office.work(nameless)
    assert [one.message_id.partition("@")[2] for one in office.decided()] == ["mailflow.invalid"]
    assert len(office.submission.sent) == 1
    assert office.counts().duplicates == 2


# ------------------------------------------------------------------ threads


def test_a_follow_up_joins_the_thread_and_is_held(office: Office) -> None:
    """D8: the same text twice helps nobody."""
    office.work(question(1))
    office.work(question(2, ANN, in_reply_to=office.submission.sent[0].message_id))
    assert thread_of(office, "q1@partner.example") == thread_of(office, "q2@partner.example")
    assert office.actions()["q2@partner.example"] == "review"
    assert "already has our answer" in reasons_of(office)["q2@partner.example"]


def test_a_follow_up_that_names_only_the_question_joins_too(office: Office) -> None:
    office.work(question(1))
    office.work(question(2, ANN, references="<q1@partner.example>", body=THANKS))
    assert thread_of(office, "q1@partner.example") == thread_of(office, "q2@partner.example")


def test_the_token_of_an_answer_joins_where_the_store_forgot_the_identifier(office: Office) -> None:
    """The token alone names the thread: the unique part of the identifier may be anything."""
    office.work(question(1))
    own = office.submission.sent[0].message_id
    reworded = own.replace(own.split(".")[3].partition("@")[0], "another")
    office.work(question(2, ANN, in_reply_to=reworded))
    assert thread_of(office, "q1@partner.example") == thread_of(office, "q2@partner.example")


def test_a_forged_token_joins_nothing(office: Office) -> None:
    office.work(question(1))
    thread_id = thread_of(office, "q1@partner.example")
    forged = f"mf.{thread_id}.{'a' * 16}.x@gitlab.com"
    office.work(question(2, ANN, in_reply_to=forged))
    assert thread_of(office, "q2@partner.example") != thread_id


@pytest.mark.parametrize("field", ["in_reply_to", "references"])
def test_a_stranger_with_our_message_id_opens_a_thread_of_his_own(office: Office, field: str) -> None:
    """Who got a forwarded answer knows its token; the thread still belongs to who asked."""
    office.work(question(1))
    own = office.submission.sent[0].message_id
    office.work(question(2, "mallory@evil.example", **{field: own if field == "in_reply_to" else f"<{own}>"}))
    assert thread_of(office, "q2@partner.example") != thread_of(office, "q1@partner.example")
    with office.store.unit() as unit:
        assert sorted(thread.requester for thread in unit.threads(10)) == [ANN, "mallory@evil.example"]


# ------------------------------------------------------------------ the budget


def test_two_mails_of_one_sender_in_one_batch_see_each_others_budget(office: Office) -> None:
    """Two answers in three hours on one subject are the limit of the playbook; the batch has three."""
    office.work(*(question(number, ANN) for number in (1, 2, 3)))
    assert list(office.actions().values()) == ["reply", "reply", "review"]
    assert "send budget" in reasons_of(office)["q3@partner.example"]
    assert len(office.submission.sent) == 2


def test_the_budget_is_there_again_after_three_hours(office: Office) -> None:
    office.work(*(question(number, ANN) for number in (1, 2)))
    office.clock.advance(3 * HOUR)
    office.work(question(3, ANN))
    assert office.actions()["q3@partner.example"] == "reply"


# ------------------------------------------------------------------ failures


def poisoned(content: Octets, size: int | None, partners: PartnerDirectory) -> Understood:
    if b"poison" in content[:]:
        raise PoisonMail("reading it took longer than 20 s")
    return reader_of(DESK)(content, size, partners)


def flaky(content: Octets, size: int | None, partners: PartnerDirectory) -> Understood:
    if b"poison" in content[:]:
        raise RuntimeError("out of file descriptors")
    return reader_of(DESK)(content, size, partners)


@dataclass(slots=True)
class ChokingModel:
    """Fails on every batch that holds a mail with the word `poison`."""

    version: str = "choking"
    labels: tuple[str, ...] = ()

    def classify(self, mails: Sequence[ClassifierInput]) -> list[Classification]:
        if any("poison" in mail.content for mail in mails):
            raise FloatingPointError("overflow in the third head")
        return [by_words(mail) for mail in mails]


@dataclass(slots=True)
class ShortModel:
    """Forgets the last mail of every batch."""

    version: str = "short"
    labels: tuple[str, ...] = ()

    def classify(self, mails: Sequence[ClassifierInput]) -> list[Classification]:
        return [by_words(mail) for mail in mails][: max(1, len(mails) - 1)]


class ChokingRenderer(PlainRenderer):
    """Fails on a subject with the word `poison`."""

    def render(self, letter: Letter) -> RenderedAnswer:
        if "poison" in letter.subject:
            raise KeyError("name")
        return super().render(letter)


POISON = question(2, body="How do we get a licence? poison", subject="poison")


def test_a_mail_that_cannot_be_read_is_quarantined_at_once(store: SqlStore) -> None:
    office = Office(store, read=poisoned)
    office.work(question(1), POISON, question(3))
    assert office.counts().quarantined == 1
    assert sorted(office.actions()) == ["q1@partner.example", "q3@partner.example"]
    assert office.source.acknowledged == [
        (1, Disposition.PROCESSED),
        (3, Disposition.PROCESSED),
        (2, Disposition.FAILED),
    ]
    with store.unit() as unit:
        (mail,) = unit.quarantined(10)
    assert "longer than 20 s" in mail.error
    with store.opened(mail.inbound_id) as content:
        assert content == POISON


@pytest.mark.parametrize("length", [300_000, SPOOLED_FROM])
def test_a_large_mail_is_opened_when_its_turn_comes_and_closed_after_it(store: SqlStore, length: int) -> None:
    seen: list[Octets] = []

    def watched(content: Octets, size: int | None, partners: PartnerDirectory) -> Understood:
        seen.append(content)
        return reader_of(DESK)(content, size, partners)

    office = Office(store, read=watched)
    office.work(
        question(1), question(2, body=QUESTION_AND_LINES * (length // len(QUESTION_AND_LINES) + 1)), question(3)
    )
    assert sorted(office.actions().values()) == ["reply"] * 3
    assert [len(content) > length for content in seen] == [False, True, False]
    assert isinstance(seen[1], SpooledOctets) == (length >= SPOOLED_FROM)
    if isinstance(seen[1], SpooledOctets):
        with pytest.raises(MailflowError, match="cannot be read"):
            seen[1][:]


def test_a_large_mail_for_which_there_is_no_room_waits_while_the_others_go_on(store: SqlStore) -> None:
    class FullDisk(SqlStore):
        @contextmanager
        def opened(self, inbound_id: int) -> Iterator[Octets]:
            with super().opened(inbound_id) as content:
                if len(content) > 256 << 10:
                    raise OSError(ENOSPC, "No space left on device")
                yield content

    office = Office(FullDisk(store.engine))
    office.work(question(1), question(2, body=QUESTION_AND_LINES * 5_000))
    assert office.actions() == {"q1@partner.example": "reply"}
    assert office.counts().pending == 1
    office.store = store
    office.clock.advance(HOUR)
    office.work()
    assert office.actions() == {"q1@partner.example": "reply", "q2@partner.example": "reply"}


FAILING = {
    "reading": lambda store: Office(store, read=flaky),
    "model": lambda store: Office(store, classifier=ChokingModel()),
    "renderer": lambda store: Office(store, renderer=ChokingRenderer()),
}


@pytest.mark.parametrize("where", FAILING)
def test_one_bad_mail_is_tried_five_times_while_the_others_go_on(store: SqlStore, where: str) -> None:
    """Whatever fails and with whatever exception: the batch's other mails are answered in the same turn."""
    office = FAILING[where](store)
    office.work(question(1), POISON, question(3))
    assert len(office.submission.sent) == 2
    assert office.counts().pending == 1
    for attempt in range(2, MAX_ATTEMPTS + 1):
        assert office.counts().quarantined == 0, f"before attempt {attempt}"
        office.clock.advance(HOUR * 1.2)
        office.work()
    assert (office.counts().pending, office.counts().quarantined) == (0, 1)
    with store.unit() as unit:
        (mail,) = unit.quarantined(10)
    assert mail.attempts == MAX_ATTEMPTS
    assert mail.error.startswith("gave up after 5 attempts, last: ")
    assert office.counts().answered == 2


@pytest.mark.parametrize("where", FAILING)
def test_what_failed_leaves_no_trace_but_its_error(store: SqlStore, where: str) -> None:
    office = FAILING[where](store)
    office.work(POISON)
    assert (office.decided(), office.answers()) == ([], [])
    with store.unit() as unit:
        assert unit.threads(10) == []


def test_a_postponed_mail_is_not_touched_before_its_time(store: SqlStore) -> None:
    office = Office(store, read=flaky)
    office.work(POISON)
    office.read = None
    office.work()
    assert office.counts().pending == 1
    office.clock.advance(timedelta(seconds=21))
    office.work()
    assert office.actions() == {"q2@partner.example": "reply"}


def test_a_mail_out_of_quarantine_is_answered_once(store: SqlStore) -> None:
    office = Office(store, read=poisoned)
    office.work(POISON)
    with store.unit() as unit:
        (mail,) = unit.quarantined(10)
        assert unit.retry_quarantined(mail.inbound_id, office.clock.now(), "operator")
    office.read = None
    office.work()
    assert len(office.submission.sent) == 1
    assert office.counts().quarantined == 0


def test_a_model_that_answers_too_few_mails_loses_none(store: SqlStore) -> None:
    """Answers are matched to mails by position: a short list must not shift them."""
    office = Office(store, classifier=ShortModel())
    office.work(question(1), question(2, body=THANKS), question(3))
    assert list(office.actions().values()) == ["reply", "none", "reply"]


def test_the_report_says_what_the_turn_did(store: SqlStore) -> None:
    office = Office(store, read=poisoned)
    for content in (question(1), POISON, question(1, received="from relay.example by mx.gitlab.com; x")):
        office.source.deliver(content)
    ingest(office.source, store, office.clock)
    processing = office.processing()
    assert processing.turn() == Report(decided=1, copies=1, failed=1)
    assert processing.turn() == Report()


def test_a_turn_takes_no_more_than_its_limit(office: Office) -> None:
    for number in (1, 2, 3):
        office.source.deliver(question(number))
    ingest(office.source, office.store, office.clock)
    processing = office.processing()
    assert [processing.turn(2).decided for _ in range(3)] == [2, 1, 0]


def test_a_crash_in_the_middle_of_a_turn_loses_nothing(store: SqlStore) -> None:
    """The claim is committed, the decision is not: the next start reads the mail again and answers once."""
    office = Office(store)
    office.source.deliver(question(1))
    ingest(office.source, store, office.clock)
    with store.unit() as unit:
        assert len(unit.claim_inbound(office.clock.now(), 10)) == 1
    office.clock.advance(timedelta(seconds=1))
    office.work()
    assert len(office.submission.sent) == 1
    assert WORDS["licence"].intents[0].intent in office.decided()[0].intents[0]
