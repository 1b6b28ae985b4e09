"""Bounces: the report of RFC 3464, its relatives, and what only looks like one."""

from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.message import FailedRecipient
from mailflow.reading import bounce
from mailflow.reading.parse import parse

PERMANENT = (FailedRecipient("ada@partner.example", True),)
TEMPORARY = (FailedRecipient("ada@partner.example", False),)

DSN = """\
Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@mx.vendor.example>
To: desk@vendor.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Message-ID: <dsn@mx.vendor.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

This is the mail system. Your message could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.vendor.example

{recipients}
--b
{returned}
--b--
"""
FAILED = """\
Original-Recipient: rfc822;ada@partner.example
Final-Recipient: rfc822;mbox7@partner.example
Action: failed
Status: 5.1.1
"""
DELAYED = FAILED.replace("failed", "delayed").replace("5.1.1", "4.4.1")
RETURNED = "Content-Type: message/rfc822\n\nMessage-ID: <mf.7.abc.x@vendor.example>\nSubject: Re: hello\n\nhello"
RETURNED_HEADERS = "Content-Type: text/rfc822-headers\n\nSubject: Re: hello\nMessage-ID: <mf.7.abc.x@vendor.example>\n"


def read(mail: str) -> bounce.Bounce | None:
    content = mail.encode()
    return bounce.read(parse(content), content)


def found(mail: str) -> bounce.Bounce:
    result = read(mail)
    assert result is not None
    return result


@pytest.mark.parametrize(("recipients", "expected"), [(FAILED, PERMANENT), (DELAYED, TEMPORARY)])
def test_a_report_tells_who_was_not_reached_and_whether_for_good(
    recipients: str, expected: tuple[FailedRecipient, ...]
) -> None:
    result = found(DSN.format(recipients=recipients, returned=RETURNED))
    assert result.failed == expected
    assert result.evidence == "delivery report (RFC 3464)"


@pytest.mark.parametrize("returned", [RETURNED, RETURNED_HEADERS])
def test_a_report_tells_which_mail_came_back(returned: str) -> None:
    assert found(DSN.format(recipients=FAILED, returned=returned)).returned_message_ids == (
        "mf.7.abc.x@vendor.example",
    )


def test_several_recipients_each_with_its_fate() -> None:
    other = DELAYED.replace("ada@", "bob@")
    result = found(DSN.format(recipients=f"{FAILED}\n{other}", returned=RETURNED))
    assert result.failed == (*PERMANENT, FailedRecipient("bob@partner.example", False))


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_a_report_of_success_is_no_bounce(action: str) -> None:
    assert read(DSN.format(recipients=FAILED.replace("failed", action), returned=RETURNED)) is None


def test_an_internationalised_report_is_read_rfc_6533() -> None:
    mail = DSN.replace("message/delivery-status", "message/global-delivery-status")
    recipients = "Final-Recipient: utf-8; jürgen@partner.example\nAction: failed\nStatus: 5.1.1\n"
    assert found(mail.format(recipients=recipients, returned=RETURNED)).failed == (
        FailedRecipient("jürgen@partner.example", True),
    )


SIMPLE = """\
Return-Path: {path}
From: {author}
To: desk@vendor.example
Subject: {subject}
Message-ID: <1@mx.partner.example>
{more}
{text}
"""
EXIM = """\
This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ada@partner.example
    SMTP error from remote mail server after RCPT TO:<ada@partner.example>:
    550 5.1.1 User unknown

------ This is a copy of the message, including all the headers. ------

Message-ID: <mf.7.abc.x@vendor.example>
Subject: Re: hello
"""


def simple(
    text: str,
    *,
    path: str = "<>",
    author: str = "Mail Delivery System <Mailer-Daemon@mx.partner.example>",
    subject: str = "Mail delivery failed: returning message to sender",
    more: str = "",
) -> str:
    return SIMPLE.format(text=text, path=path, author=author, subject=subject, more=more)


def test_exim_says_it_in_words() -> None:
    result = found(simple(EXIM, more="X-Failed-Recipients: ada@partner.example\nAuto-Submitted: auto-replied\n"))
    assert result.failed == PERMANENT
    assert result.returned_message_ids == ("mf.7.abc.x@vendor.example",)


@pytest.mark.parametrize(
    "subject",
    [
        "Undeliverable: Re: hello",
        "Unzustellbar: Re: hello",
        "Non remis : hello",
        "No se puede entregar: hello",
        "Não é possível entregar: hello",
        "Mancato recapito: hello",
        "Niet bezorgd: hello",
        "Niedostarczona: hello",
        "Недоставлено: hello",
        "配信不能: hello",
        "退信: hello",
        "failure notice",
    ],
)
def test_a_daemon_and_its_subject_are_enough(subject: str) -> None:
    assert read(simple("x", subject=subject, path="<a@b.example>")) is not None


def test_an_empty_from_does_not_keep_flufl_bounce_from_reading() -> None:
    assert found(simple(EXIM, author="<>")).failed == PERMANENT


def test_a_refusal_by_a_filter_comes_as_a_receipt_rfc_5429() -> None:
    mail = DSN.replace("report-type=delivery-status", "report-type=disposition-notification").replace(
        "message/delivery-status", "message/disposition-notification"
    )
    assert read(
        mail.format(recipients="Disposition: automatic-action/MDN-sent-automatically; deleted", returned=RETURNED)
    )


@pytest.mark.parametrize(
    "mail",
    [
        # people who write about bounces
        simple(EXIM, path="<ada@partner.example>", author="Ada <ada@partner.example>", subject="Fwd: Undelivered mail"),
        simple(EXIM, path="<ada@partner.example>", author="Ada <ada@partner.example>", subject="Your mail to me"),
        simple("Why?", path="<ada@partner.example>", author="Ada <ada@partner.example>", subject="Undeliverable mails"),
        # others that answer by themselves
        simple("I am away.", author="Ada <ada@partner.example>", subject="Automatic reply: hello"),
        simple(
            "Delivery to the following failed: see below",
            author="Ada <ada@partner.example>",
            subject="Out of office",
            more="Auto-Submitted: auto-replied\n",
        ),
        # a human text with commas and addresses, in which a detector of flufl.bounce sees a failure
        simple(
            "お世話になります, eve@x.example, です",
            path="<>",
            author="Ada <ada@partner.example>",
            subject="お問い合わせ",
        ),
        # reports of other kinds
        DSN.replace("report-type=delivery-status", "report-type=feedback-report").format(
            recipients="", returned=RETURNED
        ),
        DSN.replace("report-type=delivery-status", "report-type=disposition-notification")
        .replace("Mail Delivery System <MAILER-DAEMON@mx.vendor.example>", "Ada <ada@partner.example>")
        .replace("Undelivered Mail Returned to Sender", "Read: hello")
        .format(recipients="", returned=RETURNED),
    ],
)
def test_what_is_no_bounce(mail: str) -> None:
    assert read(mail) is None


def test_a_person_who_attaches_a_report_sends_no_report() -> None:
    report = DSN.format(recipients=FAILED, returned=RETURNED)
    mail = (
        "From: Ada <ada@partner.example>\nSubject: Undeliverable: what does this mean?\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="o"\n\n--o\nContent-Type: text/plain\n\nPlease help.\n\n'
        f"--o\nContent-Type: message/rfc822\n\n{report}\n--o--\n"
    )
    tree = message_from_bytes(mail.encode())
    assert list(bounce.reported_recipients(tree)) == []


@given(st.binary(max_size=400))
def test_no_suspect_is_too_broken_to_read(body: bytes) -> None:
    head = (
        b'From: MAILER-DAEMON@x.example\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
    )
    content = head + b"--b\nContent-Type: message/delivery-status\n\n" + body
    result = bounce.read(parse(content), content)
    assert result is None or result.evidence
