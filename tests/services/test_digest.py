"""Once a day, and only where there is something to tell."""

from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from tests.services.office import Office, question

from mailflow.adapters.store import SqlStore
from mailflow.core.delivery import OutboxKind, OutboxState
from mailflow.core.digest import DigestHeaders
from mailflow.core.storage import OutboxView
from mailflow.errors import OutcomeUnknown, PermanentRefusal, PoisonMail
from mailflow.services.digest import Digest
from mailflow.testing import DESK, NOON

OPS = "ops@desk.example"
HEADERS = DigestHeaders("Partner Support", DESK, DESK, OPS)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def office(either_store: SqlStore) -> Office:
    return Office(either_store)


def digest(office: Office, hour: int = 6) -> Digest:
    """The chore of a worker that has just begun."""
    return Digest(store=office.store, headers=HEADERS, hour=hour)


def queued(office: Office) -> list[OutboxView]:
    return [answer for answer in office.answers() if answer.kind is OutboxKind.DIGEST]


def fail_an_answer(office: Office) -> None:
    office.submission.errors.append(PermanentRefusal("550 no such user"))
    office.work(question(1))


def test_nothing_to_tell_nothing_sent(office: Office) -> None:
    office.work(question(1))
    digest(office)(NOON)
    assert queued(office) == []


def test_it_goes_out_like_an_answer_and_tells_what_is_wrong(office: Office) -> None:
    def read(content: bytes, size: int | None, partners: object) -> object:
        raise PoisonMail("reading it took longer than 20 s")

    fail_an_answer(office)
    office.submission.errors.append(OutcomeUnknown("the connection was lost"))
    office.work(question(2))
    office.read = read  # type: ignore[assignment] # it never returns
    office.work(question(3))
    digest(office)(NOON)
    assert office.outbox().deliver_one() is OutboxState.SENT
    (mail,) = queued(office)
    assert (mail.recipient, mail.thread_id, mail.state) == (OPS, None, OutboxState.SENT)
    sent = office.submission.sent[-1]
    assert sent.envelope.forward_path == OPS
    assert sent.subject == "Partner Support: 3 things to look at"


@pytest.mark.parametrize(("hour", "comes"), [(13, False), (12, True), (0, True)])
def test_it_comes_after_its_hour(office: Office, hour: int, comes: bool) -> None:
    fail_an_answer(office)
    digest(office, hour)(NOON)
    assert bool(queued(office)) is comes


def test_it_comes_once_a_day_whoever_does_the_chore(office: Office) -> None:
    fail_an_answer(office)
    first, second = digest(office), digest(office.beside())
    for at in (NOON, NOON + timedelta(minutes=1), NOON + 11 * HOUR):
        first(at)
        second(at)
    assert len(queued(office)) == 1
    for at in (NOON + 12 * HOUR, NOON + DAY, NOON + DAY + HOUR):  # before the hour of the next day, and after it
        first(at)
        second(at)
    assert len(queued(office)) == 2


def test_what_came_right_meanwhile_is_not_told_again(office: Office) -> None:
    fail_an_answer(office)
    chore = digest(office)
    chore(NOON)
    with office.store.unit() as unit:
        assert unit.retry_outbox(1, NOON, "sam")
    office.work()
    chore(NOON + DAY)
    assert len(queued(office)) == 1


def test_a_digest_that_could_not_be_sent_is_in_the_next_one(office: Office) -> None:
    fail_an_answer(office)
    chore = digest(office)
    chore(NOON)
    office.submission.errors.append(PermanentRefusal("550 mailbox full"))
    assert office.outbox().deliver_one() is OutboxState.FAILED
    office.clock.advance(DAY)
    chore(office.clock.now())
    assert office.outbox().deliver_one() is OutboxState.SENT
    sent = message_from_bytes(office.submission.sent[-1].content, policy=policy.default)
    assert isinstance(sent, EmailMessage)
    assert f"to {OPS} (-): PermanentRefusal: 550 mailbox full" in sent.get_content()


def test_the_day_is_that_of_utc(office: Office) -> None:
    fail_an_answer(office)
    chore = digest(office, 0)
    chore(datetime(2026, 3, 2, 23, 59, tzinfo=NOON.tzinfo))
    chore(datetime(2026, 3, 3, 0, 0, tzinfo=NOON.tzinfo))
    assert len(queued(office)) == 2
