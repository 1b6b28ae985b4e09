"""Bounces: what makes a mail one, in which order its readers are asked, and what only looks like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reading.bounce_mail import DELAYED, DSN, EXIM, FAILED, RETURNED, found, read, simple

from mailflow.core.message import FailedRecipient
from mailflow.reading import bounce
from mailflow.reading.parse import parse

REPORT = DSN.format(recipients=FAILED, returned=RETURNED)
ADA = "Ada <ada@partner.example>"
ADA_PATH = "<ada@partner.example>"


def addresses(mail: str) -> tuple[tuple[str, bool], ...]:
    return tuple((one.addr_spec, one.is_permanent) for one in found(mail).failed)


@pytest.mark.parametrize(("recipients", "is_permanent"), [(FAILED, True), (DELAYED, False)])
def test_a_report_tells_who_was_not_reached_whether_for_good_and_why(recipients: str, is_permanent: bool) -> None:
    result = found(DSN.format(recipients=recipients, returned=RETURNED))
    assert result.failed == (FailedRecipient("ada@partner.example", is_permanent, "550 no such mailbox"),)
    assert result.evidence == "delivery report (RFC 3464)"
    assert result.returned_message_ids == ("mf.7.abc.x@vendor.example",)


def test_several_recipients_each_with_its_fate() -> None:
    mail = DSN.format(recipients=f"{FAILED}\n{DELAYED.replace('ada@', 'bob@')}", returned=RETURNED)
    assert addresses(mail) == (("ada@partner.example", True), ("bob@partner.example", False))


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded"])
def test_a_report_of_success_is_no_bounce(action: str) -> None:
    assert read(DSN.format(recipients=FAILED.replace("failed", action), returned=RETURNED)) is None


def test_the_failures_of_a_report_count_though_others_were_reached() -> None:
    mail = DSN.format(
        recipients=f"{FAILED}\n{FAILED.replace('failed', 'relayed').replace('ada@', 'bob@')}", returned=""
    )
    assert addresses(mail) == (("ada@partner.example", True),)


def test_a_report_inside_a_report_is_read() -> None:
    mail = simple(
        "--o\nContent-Type: text/plain\n\nThese had errors:\n\n--o\nContent-Type: message/rfc822\n\n"
        + REPORT
        + "\n--o--\n",
        subject="Returned mail: User unknown",
        more='MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="o"\n',
    )
    assert addresses(mail) == (("ada@partner.example", True),)
    assert found(mail).returned_message_ids[0] == "mf.7.abc.x@vendor.example"


def test_exim_says_it_in_the_header_and_in_words() -> None:
    result = found(simple(EXIM, more="X-Failed-Recipients: ada@partner.example\nAuto-Submitted: auto-replied\n"))
    assert result.failed == (FailedRecipient("ada@partner.example", True, "550 5.1.1 User unknown"),)
    assert result.evidence == "X-Failed-Recipients: ada@partner.example"
    assert result.returned_message_ids == ("mf.7.abc.x@vendor.example",)


def test_flufl_bounce_knows_dialects_whatever_the_from() -> None:
    for author in ("<>", "Mail Delivery System <Mailer-Daemon@mx.partner.example>"):
        result = found(simple(EXIM, author=author))
        assert result.failed == (FailedRecipient("ada@partner.example", True, "550 5.1.1 User unknown"),)
        assert result.evidence == "flufl.bounce found a failed recipient"


def test_what_flufl_bounce_takes_for_an_address_may_be_our_own_or_a_message_id() -> None:
    text = (
        "A message that you sent could not be delivered. This is a permanent error.\n\n"
        "ada@partner.example Invalid Address, ERROR_CODE :550\n\n"
        "Received:from mx.vendor.example\nMessage-ID:<mf.7.abc.x@vendor.example>\nFrom:<desk@vendor.example>\n"
    )
    mail = simple(text, subject="Undelivered Mail Returned to Sender")
    assert addresses(mail) == (("ada@partner.example", True),)


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
        "Ваше сообщение не доставлено",
        "配信不能: hello",
        "メールエラー通知",
        "系统退信",
        "메일 전송 실패 안내",
        "failure notice",
    ],
)
def test_a_daemon_and_its_subject_are_enough(subject: str) -> None:
    assert read(simple("x", subject=subject, path="<a@b.example>")) is not None
    assert read(simple("x", subject="hello", path="<a@b.example>")) is None


@pytest.mark.parametrize(
    ("author", "path", "more"),
    [
        ("mailer-daemon", "<a@b.example>", ""),
        ("Post Office <post_master@mx.example>", "<a@b.example>", ""),
        ("System Administrator <sysadmin@mx.example>", "<a@b.example>", ""),
        ("Microsoft Outlook <MicrosoftExchange329e71ec88ae4615@vendor.example>", "<a@b.example>", ""),
        ("gateway@mx.example", "<>", ""),
        ("gateway@mx.example", "<MAILER-DAEMON>", ""),
        ("gateway@mx.example", "<a@b.example>", "X-MS-Exchange-Message-Is-Ndr:\n"),
        ("no-reply@mx.example", "<a@b.example>", ""),
    ],
)
def test_servers_under_their_many_names(author: str, path: str, more: str) -> None:
    text = "The mail to ada@partner.example was refused: 550 5.1.1 user unknown"
    mail = simple(text, author=author, path=path, more=more, subject="Undeliverable: hello")
    assert addresses(mail) == (("ada@partner.example", True),)


def test_a_server_without_a_name_is_known_by_how_its_text_opens() -> None:
    text = "Your message could not be delivered to the following recipients:\n\nada@partner.example\n\nNo such user."
    mail = simple(text, author="gateway@mx.example", path="<gateway@mx.example>", subject="Delivery failure")
    assert addresses(mail) == (("ada@partner.example", True),)
    asked = mail.replace("No such user.", "Did you get this too?")
    assert read(asked) is None


def test_a_refusal_by_a_filter_comes_as_a_receipt_rfc_5429() -> None:
    mail = DSN.replace("report-type=delivery-status", "report-type=disposition-notification").replace(
        "message/delivery-status", "message/disposition-notification"
    )
    disposition = "Disposition: automatic-action/MDN-sent-automatically; deleted"
    assert read(mail.format(recipients=disposition, returned=RETURNED)) is not None


@pytest.mark.parametrize(
    "mail",
    [
        # people who write about bounces, quote, forward and attach them
        simple(EXIM, path=ADA_PATH, author=ADA, subject="Fwd: Undelivered mail"),
        simple(EXIM, path=ADA_PATH, author=ADA, subject="Your mail to me"),
        simple("Why?", path=ADA_PATH, author=ADA, subject="Undeliverable mails"),
        simple(f"Hello, what is this?\n\n{EXIM}", path=ADA_PATH, author=ADA, subject="Mail delivery failed"),
        simple(
            "Since Monday our mails to you could not be delivered, mailbox full. Is there another address?",
            path=ADA_PATH,
            author=ADA,
            subject="Delivery failed",
        ),
        REPORT.replace("Return-Path: <>", f"Return-Path: {ADA_PATH}")
        .replace("Mail Delivery System <MAILER-DAEMON@mx.vendor.example>", ADA)
        .replace("Undelivered Mail Returned", "Fwd: Undelivered Mail Returned")
        .replace("multipart/report; report-type=delivery-status", "multipart/mixed"),
        # others that answer by themselves
        simple("I am away.", author=ADA, subject="Automatic reply: hello"),
        simple(
            "Delivery to the following failed: see below",
            author=ADA,
            subject="Out of office",
            more="Auto-Submitted: auto-replied\n",
        ),
        # a human text with commas and addresses, in which a detector of flufl.bounce sees a failure
        simple("お世話になります, eve@x.example, です", path="<>", author=ADA, subject="お問い合わせ"),
        # reports of other kinds
        DSN.replace("report-type=delivery-status", "report-type=feedback-report").format(
            recipients="", returned=RETURNED
        ),
        DSN.replace("report-type=delivery-status", "report-type=disposition-notification")
        .replace("Mail Delivery System <MAILER-DAEMON@mx.vendor.example>", ADA)
        .replace("Undelivered Mail Returned to Sender", "Read: hello")
        .format(recipients="", returned=RETURNED),
    ],
)
def test_what_is_no_bounce(mail: str) -> None:
    assert read(mail) is None


def test_the_body_of_a_mail_without_a_signal_is_not_parsed_again() -> None:
    message = parse(simple(EXIM, path=ADA_PATH, author=ADA, subject="hello").encode())
    assert bounce.header_signals(message) == ()
    assert bounce.read(message, b"this is never looked at") is None


@given(st.binary(max_size=400), st.sampled_from(["7bit", "base64", "quoted-printable"]))
def test_no_suspect_is_too_broken_to_read(body: bytes, encoding: str) -> None:
    head = (
        b'From: MAILER-DAEMON@x.example\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        b"--b\nContent-Type: message/delivery-status\nContent-Transfer-Encoding: " + encoding.encode() + b"\n\n"
    )
    content = head + body
    result = bounce.read(parse(content), content)
    assert result is None or (result.evidence and all("\n" not in one.diagnostic for one in result.failed))
