"""Mail that arrives twice, was read by others, comes back or cannot be delivered, on real servers."""

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from uuid import uuid4

import pytest
from tests.e2e.mailboxes import (
    DESK,
    DeskOffice,
    MailProgram,
    is_answer_to,
    is_mail,
    reply_to,
    says_nfr,
    write_mail,
)
from tests.servers import MailServers


def answered(desk: DeskOffice, partner: MailProgram) -> tuple[EmailMessage, EmailMessage]:
    """A question and the one answer that the partner got."""
    question = partner.send(write_mail())
    desk.program.await_mail(is_mail(question))
    desk.run_once(says_nfr())
    (answer,) = partner.await_mail(is_answer_to(question))
    return question, answer


def test_a_mail_delivered_three_times_is_answered_once(desk: DeskOffice, partner: MailProgram) -> None:
    """Twice through the mail server, where the Received fields differ, and once more in exactly the same bytes."""
    question = partner.send(write_mail(), times=2)
    desk.program.await_mail(is_mail(question), times=2)
    desk.program.imap.copy(desk.program.uids(is_mail(question))[:1], "INBOX")
    assert desk.where(question) == {"INBOX": 3}

    desk.run_once(says_nfr())

    assert len(partner.answers_to(question)) == 1
    assert desk.where(question) == {"Processed": 3}
    counts = desk.ledger().counts
    assert (counts.answered, counts.duplicates, counts.pending) == (1, 2, 0)


def test_a_copy_that_comes_after_the_answer_gets_none(desk: DeskOffice, partner: MailProgram) -> None:
    question, _ = answered(desk, partner)
    partner.send(question)
    desk.program.await_mail(is_mail(question))

    desk.run_once(says_nfr())

    assert len(partner.answers_to(question)) == 1
    assert desk.where(question) == {"Processed": 2}
    assert desk.ledger().counts.duplicates == 1


def test_a_mail_that_somebody_has_read_already_is_answered(desk: DeskOffice, partner: MailProgram) -> None:
    question = partner.send(write_mail())
    desk.program.await_mail(is_mail(question))
    desk.program.imap.add_flags(desk.program.uids(is_mail(question)), [rb"\Seen"])

    desk.run_once(says_nfr())

    assert len(partner.answers_to(question)) == 1
    assert desk.where(question) == {"Processed": 1}


@pytest.fixture
def rebuilt_desk(mail_servers: MailServers, tmp_path: Path) -> Iterator[DeskOffice]:
    """A desk that reads a mailbox that can be deleted and made anew, which an INBOX cannot (RFC 3501, 6.3.4)."""
    desk = DeskOffice(mail_servers, tmp_path, mailbox=f"Desk-{uuid4().hex}")
    desk.program.imap.create_folder(desk.mailbox)
    yield desk
    desk.program.imap.logout()


def test_a_changed_uidvalidity_answers_nothing_twice(rebuilt_desk: DeskOffice, partner: MailProgram) -> None:
    """RFC 3501, 2.3.1.1: all UIDs are void, so the old mail is read anew, and recognised; the new one is answered."""
    desk, imap = rebuilt_desk, rebuilt_desk.program.imap
    old, new = write_mail(), write_mail()
    imap.append(desk.mailbox, old.as_bytes())
    desk.run_once(says_nfr())
    assert len(partner.answers_to(old)) == 1
    before = imap.folder_status(desk.mailbox, ["UIDVALIDITY"])

    imap.delete_folder(desk.mailbox)
    imap.create_folder(desk.mailbox)
    assert imap.folder_status(desk.mailbox, ["UIDVALIDITY"]) != before
    for message in (old, new):
        imap.append(desk.mailbox, message.as_bytes())
    desk.run_once(says_nfr())

    assert len(partner.answers_to(old)) == 1
    assert len(partner.answers_to(new)) == 1
    assert desk.where(old) == {"Processed": 2}
    assert desk.where(new) == {"Processed": 1}
    counts = desk.ledger().counts
    assert (counts.answered, counts.duplicates, counts.pending) == (2, 1, 0)


def test_an_out_of_office_reply_to_our_answer_gets_none(desk: DeskOffice, partner: MailProgram) -> None:
    """RFC 3834, 2: machines do not talk to machines, even where the classifier sees a question."""
    question, answer = answered(desk, partner)
    away = partner.send(reply_to(answer, "I am out of the office until Monday.", auto_submitted="auto-replied"))
    desk.program.await_mail(is_mail(away))

    desk.run_once(says_nfr())

    assert partner.answers_to(away) == []
    assert len(partner.answers_to(question)) == 1
    assert desk.where(away) == {"Processed": 1}
    first, second = desk.ledger().decided
    assert (second.action, second.thread_id) == ("none", first.thread_id)


def test_a_thanks_joins_the_thread_and_gets_no_answer(desk: DeskOffice, partner: MailProgram) -> None:
    question, answer = answered(desk, partner)
    thanks = partner.send(reply_to(answer, "Thank you, we found the form."))
    desk.program.await_mail(is_mail(thanks))

    desk.run_once()

    assert partner.answers_to(thanks) == []
    first, second = desk.ledger().decided
    assert second.thread_id == first.thread_id
    messages = desk.story(first.thread_id).messages
    assert [message.direction for message in messages] == ["in", "out", "in"]
    assert [f"<{message.message_id}>" for message in messages] == [
        question["Message-ID"],
        answer["Message-ID"],
        thanks["Message-ID"],
    ]
    assert len(desk.ledger().outbox) == 1


def test_an_answer_that_the_server_refuses_fails_with_its_words(desk: DeskOffice, partner: MailProgram) -> None:
    question = partner.send(write_mail(sender="perm550@partner.example"))
    desk.program.await_mail(is_mail(question))

    for _ in range(2):
        desk.run_once(says_nfr())

    (entry,) = desk.ledger().outbox
    assert (entry.state, entry.attempts, entry.recipient) == ("failed", 1, "perm550@partner.example")
    assert "no such user here" in entry.error
    assert desk.where(question) == {"Processed": 1}


def test_the_bounce_of_an_answer_is_answered_by_nobody_and_marks_it(desk: DeskOffice, partner: MailProgram) -> None:
    """Exim takes the answer, the mailbox server does not know the recipient: a delivery report comes to the desk."""
    question = partner.send(write_mail(sender="no=mailbox@partner.example"))
    desk.program.await_mail(is_mail(question))
    desk.run_once(says_nfr())
    (report,) = desk.program.await_mail(["HEADER", "X-Failed-Recipients", "no=mailbox@partner.example"])
    assert report.get_content_type() == "multipart/report"
    assert DESK in report["To"]

    desk.run_once(says_nfr())

    ledger = desk.ledger()
    assert [mail.action for mail in ledger.decided] == ["reply", "none"]
    assert [entry.state for entry in ledger.outbox] == ["bounced"]
    assert desk.where(report) == {"Processed": 1}
