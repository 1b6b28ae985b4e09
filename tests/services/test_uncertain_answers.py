"""Answers of which nobody knows whether they went out: what shows that they did, and what a person may do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from tests.services.office import Office, question

from mailflow.adapters.store import SqlStore
from mailflow.core.delivery import PROOF_WINDOW, OutboxState
from mailflow.core.message import OutboundMessage
from mailflow.core.ports import Acceptance
from mailflow.core.storage import OutboxView
from mailflow.errors import OutcomeUnknown
from mailflow.services.ingest import ingest
from mailflow.services.reconcile import resolve_uncertain, whose_turn
from mailflow.testing import DESK, MemorySource, ScriptedSubmission

HOUR = timedelta(hours=1)
ANN = "ann@partner1.example"


@dataclass(slots=True)
class Doubtful(ScriptedSubmission):
    """The server takes the first message, and the connection is lost before it can say so."""

    def submit(self, message: OutboundMessage) -> Acceptance:
        acceptance = ScriptedSubmission.submit(self, message)
        if len(self.sent) == 1:
            raise OutcomeUnknown("the connection was lost")
        return acceptance


@pytest.fixture
def office(either_store: SqlStore) -> Office:
    """With one answer in doubt, which really went out."""
    office = Office(either_store, submission=Doubtful())
    office.work(question(1))
    assert entry(office).state is OutboxState.UNCERTAIN
    assert trouble(office) == "uncertain"
    return office


def entry(office: Office) -> OutboxView:
    return office.answers()[0]


def trouble(office: Office) -> str:
    """What the review desk shows of its thread."""
    with office.store.engine.connect() as connection:
        found: str = connection.execute(text("SELECT trouble FROM thread WHERE id = 1")).scalar_one()
    return found


def told(office: Office) -> tuple[str, str]:
    """Who said last what of the answer."""
    with office.store.view() as unit:
        story = unit.story(1)
    assert story is not None
    line = [line for line in story.lines if line.sentence.startswith(f"answer to {ANN}")][-1]
    return line.actor, line.sentence


# ------------------------------------------------------------------ what shows that it went out


def test_our_own_copy_that_comes_in_shows_it(office: Office) -> None:
    """As with `[smtp] bcc` to the desk's own mailbox."""
    office.work(office.submission.sent[0].content)
    assert (entry(office).state, trouble(office)) == (OutboxState.SENT, "")
    assert told(office) == ("worker", f"answer to {ANN}: our own copy of it came in")
    assert len(office.submission.sent) == 1, "our own mail is answered by nobody"


@pytest.mark.parametrize("end", ["the reply is lost", "the worker dies"])
def test_our_own_copy_may_come_in_before_anybody_is_in_doubt(either_store: SqlStore, end: str) -> None:
    """It is here within a second; a timeout is ten minutes, and a death is noticed after half a minute."""

    class Slow(ScriptedSubmission):
        def submit(self, message: OutboundMessage) -> Acceptance:
            ScriptedSubmission.submit(self, message)
            other.source.deliver(message.content)
            ingest(other.source, other.store, other.clock)
            other.processing().turn()
            assert entry(other).state is OutboxState.SENDING
            if end == "the worker dies":
                other.clock.advance(HOUR)
                assert other.membership().join().answers == 1
            raise OutcomeUnknown("lost")

    office = Office(either_store)
    office.membership().join()
    other = office.beside()
    office.source.deliver(question(1))
    ingest(office.source, office.store, office.clock)
    office.processing().turn()
    office.submission = Slow()
    office.outbox().deliver_one()
    assert (entry(office).state, trouble(office)) == (OutboxState.SENT, "")
    assert told(office) == ("worker", f"answer to {ANN}: our own copy of it came in")


@pytest.mark.parametrize("field", ["in_reply_to", "references"])
def test_a_mail_that_refers_to_it_shows_it(office: Office, field: str) -> None:
    own = entry(office).message_id
    office.work(
        question(2, ANN, body="Thanks, but which edition?", **{field: f"<{own}>" if field == "references" else own})
    )
    assert (entry(office).state, trouble(office)) == (OutboxState.SENT, "")
    assert told(office) == ("worker", f"answer to {ANN}: a mail came in that refers to it")


def test_a_bounce_shows_that_it_went_out_and_came_back(office: Office) -> None:
    own = office.submission.sent[0]
    head = own.content.partition(b"\r\n\r\n")[0].decode()
    report = (
        f"From: MAILER-DAEMON@mx.gitlab.com\r\nTo: {DESK}\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        "Return-Path: <>\r\nMessage-ID: <b1@mx.gitlab.com>\r\nMIME-Version: 1.0\r\n"
        "Date: Mon, 02 Mar 2026 11:59:00 +0000\r\nAuto-Submitted: auto-replied\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nIt came back.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.gitlab.com\r\n\r\n"
        f"Final-Recipient: rfc822; {ANN}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        f"\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{head}\r\n\r\n--b--\r\n"
    )
    office.work(report.encode())
    assert (entry(office).state, trouble(office)) == (OutboxState.BOUNCED, "bounced")


def test_a_copy_among_the_sent_mail_shows_it(office: Office) -> None:
    office.source.sent = frozenset({entry(office).message_id})
    assert resolve_uncertain(office.source, office.store, office.clock) == 1
    assert (entry(office).state, trouble(office)) == (OutboxState.SENT, "")
    assert "folder of sent mail" in told(office)[1]
    assert resolve_uncertain(office.source, office.store, office.clock) == 0


def test_what_is_shown_to_have_gone_out_is_never_sent_again(office: Office) -> None:
    office.work(office.submission.sent[0].content)
    with office.store.unit() as unit:
        assert not unit.retry_outbox(1, office.clock.now(), "sam")
        assert not unit.cancel_outbox(1, office.clock.now(), "sam")
    office.clock.advance(HOUR)
    office.work()
    assert len(office.submission.sent) == 1


# ------------------------------------------------------------------ what shows nothing


@pytest.mark.parametrize(
    "mail",
    [
        question(2, ANN),
        question(2, ANN, in_reply_to="q1@partner.example"),
        question(2, ANN, in_reply_to="mf.1.aaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbb@gitlab.com"),
    ],
    ids=["a further mail", "a reply to the question", "a Message-ID that looks like ours"],
)
def test_no_other_mail_shows_anything(office: Office, mail: bytes) -> None:
    office.work(mail)
    assert (entry(office).state, trouble(office)) == (OutboxState.UNCERTAIN, "uncertain")


@dataclass(slots=True)
class Asked(MemorySource):
    """Notes what was looked for among the sent mail."""

    asked: list[Sequence[str]] = field(default_factory=list)

    def find_sent(self, message_ids: Sequence[str]) -> frozenset[str]:
        self.asked.append(message_ids)
        return MemorySource.find_sent(self, message_ids)


def test_that_no_copy_is_found_proves_nothing_and_after_two_days_nobody_looks(office: Office) -> None:
    source = Asked()
    assert resolve_uncertain(source, office.store, office.clock) == 0
    assert entry(office).state is OutboxState.UNCERTAIN
    assert source.asked == [[entry(office).message_id]]
    office.clock.advance(PROOF_WINDOW)
    source.sent = frozenset({entry(office).message_id})
    assert resolve_uncertain(source, office.store, office.clock) == 0
    assert len(source.asked) == 1


@given(st.integers(1, 200), st.datetimes(timezones=st.just(UTC), min_value=datetime(2020, 1, 1)))
def test_each_of_many_answers_in_doubt_is_looked_for_again_and_again(count: int, now: datetime) -> None:
    ids = [f"m{number}" for number in range(count)]
    minutes = range(-(-count // 20))
    looked_for = [one for minute in minutes for one in whose_turn(ids, now + minute * timedelta(minutes=1))]
    assert sorted(looked_for) == sorted(ids)


def test_where_nothing_is_in_doubt_the_server_is_not_asked(office: Office) -> None:
    with office.store.unit() as unit:
        assert unit.confirm_outbox(1, office.clock.now(), "sam")
    source = Asked()
    assert resolve_uncertain(source, office.store, office.clock) == 0
    assert source.asked == []


# ------------------------------------------------------------------ what a person may do


def test_a_person_says_that_it_arrived(office: Office) -> None:
    with office.store.unit() as unit:
        assert unit.confirm_outbox(1, office.clock.now(), "sam")
        assert not unit.confirm_outbox(1, office.clock.now(), "sam"), "once"
    assert (entry(office).state, trouble(office)) == (OutboxState.SENT, "")
    assert told(office) == ("sam", f"answer to {ANN}: a person says that it arrived")


def test_a_person_sends_it_again_under_the_same_identifier(office: Office) -> None:
    with office.store.unit() as unit:
        assert unit.retry_outbox(1, office.clock.now(), "sam")
    assert (entry(office).state, trouble(office)) == (OutboxState.QUEUED, "")
    office.work()
    first, second = office.submission.sent
    assert (first.message_id, first.content) == (second.message_id, second.content)
    assert entry(office).state is OutboxState.SENT


def test_a_person_answers_himself_instead(office: Office) -> None:
    with office.store.unit() as unit:
        assert unit.cancel_outbox(1, office.clock.now(), "sam")
        (thread,) = unit.threads(10)
    assert (entry(office).state, trouble(office), thread.status) == (OutboxState.CANCELLED, "", "held")
    office.work(question(2, ANN, in_reply_to=entry(office).message_id))
    assert entry(office).state is OutboxState.CANCELLED, "what a person has settled stays settled"


@pytest.mark.parametrize("state", [state for state in OutboxState if state is not OutboxState.UNCERTAIN])
def test_only_what_is_in_doubt_can_be_confirmed(either_store: SqlStore, state: OutboxState) -> None:
    office = Office(either_store)
    office.work(question(1))
    with office.store.engine.begin() as connection:
        connection.execute(text("UPDATE outbox SET state = :state"), {"state": state.value})
    message_id = entry(office).message_id
    with office.store.unit() as unit:
        assert not unit.confirm_outbox(1, office.clock.now(), "sam")
        assert unit.prove_sent([message_id], "it is here", office.clock.now()) == 0
    assert entry(office).state is state
