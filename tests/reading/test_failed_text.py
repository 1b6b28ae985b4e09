"""Whom a report names in words alone, and whether for good: dialects without a machine-readable part."""

import pytest
from tests.reading.bounce_mail import found, simple

from mailflow.core.message import FailedRecipient

ADA = "ada@partner.example"
COPY = "\n\n--- Below this line is a copy of the message.\n\nFrom: desk@vendor.example\nTo: other@partner.example\n"


def failed(text: str, *, subject: str = "failure notice", more: str = "") -> tuple[FailedRecipient, ...]:
    return found(simple(text, subject=subject, more=more)).failed


@pytest.mark.parametrize(
    ("text", "diagnostic"),
    [
        (
            f"These were not reached:\n\n<{ADA}>:\nSorry, no mailbox here by that name. (#5.1.1)",
            "Sorry, no mailbox here by that name. (#5.1.1)",
        ),
        (f"Not reached:\n\n   * {ADA}\n\nReason: the mailbox is full", "Reason: the mailbox is full"),
        (f"Not reached:\n\n  {ADA} (user not found)", "(user not found)"),
        (f"Not reached:\n\n>>> RCPT TO:<{ADA}>\n<<< 550 5.1.1 unknown", "550 5.1.1 unknown"),
        (
            f"Sent <<< RCPT TO:<{ADA}>\nReceived >>> 550 5.1.1 <{ADA}>... user unknown",
            "550 5.1.1 <ada@partner.example>... user unknown",
        ),
        (f"There was a fault delivering your mail to <{ADA}>.\n\nmx said: 550 no", "550 no"),
        (f"Unknown user: {ADA}", f"Unknown user: {ADA}"),
        (f"You sent mail to {ADA}. That's not a valid user here.", "That's not a valid user here."),
        (f"Not reached:\n\n{ADA}\n\nbecause:\n\nthe directory does not list it", "the directory does not list it"),
        (f"收件人邮件地址（{ADA}）不存在，邮件无法送达。", "）不存在，邮件无法送达。"),
        (f"받는사람: {ADA}\n사유: 없는 계정", "사유: 없는 계정"),
        (f"{ADA}: 552 \x1b[1mover\x07 quota", "552 [1mover quota"),
        (f"{ADA}: 550 " + "x" * 400, "550 " + "x" * 196),
    ],
)
def test_the_words_name_the_address_and_the_reason(text: str, diagnostic: str) -> None:
    assert failed(text) == (FailedRecipient(ADA, True, diagnostic),)


def test_addresses_of_the_report_itself_did_not_fail() -> None:
    text = (
        "Your message from desk@vendor.example\nMAIL FROM: desk@vendor.example\n"
        f"RCPT TO: {ADA}\n\nFor help write to postmaster@mx.partner.example\nSender: eve@x.example\n"
    )
    assert [one.addr_spec for one in failed(text)] == [ADA]


def test_what_stands_in_the_returned_mail_did_not_fail() -> None:
    assert [one.addr_spec for one in failed(f"Not reached:\n\n{ADA}{COPY}")] == [ADA]


def test_the_only_recipient_of_the_returned_mail_failed_if_no_words_name_one() -> None:
    assert [one.addr_spec for one in failed(f"It was not possible.{COPY}")] == ["other@partner.example"]
    two = COPY.replace("\nTo: ", "\nTo: second@partner.example\nTo: ")
    assert failed(f"It was not possible.{two}") == ()


def test_the_header_names_them_all() -> None:
    names = f"X-Failed-Recipients: {ADA}, bob@partner.example\nX-Failed-Recipients: {ADA}\n"
    result = failed(f"Not reached:\n  {ADA}\n    550 unknown\n\n  bob@partner.example\n    551 moved", more=names)
    assert result == (
        FailedRecipient(ADA, True, "550 unknown"),
        FailedRecipient("bob@partner.example", True, "551 moved"),
    )


@pytest.mark.parametrize(
    ("subject", "text", "is_permanent"),
    [
        ("failure notice", f"{ADA}: no such user", True),
        ("failure notice", f"{ADA}: 550 5.1.1 no such user", True),
        ("failure notice", f"{ADA}: 451 4.3.0 try again later", False),
        ("failure notice", f"{ADA}: 451 4.3.0 try again later. I have given up.", True),
        ("failure notice", f"{ADA}: 421 connection refused{COPY}", True),
        ("failure notice", f"{ADA}: 451 4.3.0 try again, then 550 5.4.7 expired", True),
        ("Warning: message 1a-2b delayed 24 hours", f"The address was not reached:\n\n  {ADA}\n", False),
        ("Mail delivery warning", f"{ADA}: 550 is odd, but delivery attempts will continue for 4 days", False),
        ("Mail delivery warning", f"{ADA}: has not yet been delivered. THIS IS A WARNING MESSAGE ONLY.", False),
        ("Zustellung verzögert", f"{ADA}\n\nDie Zustellung wird weiterhin versucht.", False),
    ],
)
def test_words_and_codes_tell_whether_it_is_for_good(subject: str, text: str, is_permanent: bool) -> None:
    assert [(one.addr_spec, one.is_permanent) for one in failed(text, subject=subject)] == [(ADA, is_permanent)]
