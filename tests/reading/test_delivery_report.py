"""The fields of a report of delivery: fate, recipient and reason, wherever servers write them (RFC 3464, 6533)."""

import base64

import pytest
from tests.reading.bounce_mail import DSN

from mailflow.reading import delivery_report
from mailflow.reading.delivery_report import Fate, Reported
from mailflow.reading.parse import message_tree

BASE = {"Final-Recipient": "rfc822; ada@partner.example", "Action": "failed", "Status": "5.1.1"}


def fields(**changes: str | None) -> str:
    """The fields of a recipient; a change to None leaves one out."""
    merged = BASE | {name.replace("_", "-"): value for name, value in changes.items()}
    return "".join(f"{name}: {value}\n" for name, value in merged.items() if value is not None)


def reported(recipients: str, *, mail: str = DSN, in_words: bool = False) -> tuple[Reported, ...]:
    content = mail.format(recipients=recipients, returned="").encode()
    return delivery_report.reported(message_tree(content), in_words=in_words)


@pytest.mark.parametrize(
    ("changes", "fate"),
    [
        # Action decides
        ({}, Fate.FAILED),
        ({"Action": "Failed (user unknown)"}, Fate.FAILED),
        ({"Action": "failed", "Status": "4.4.7"}, Fate.FAILED),
        ({"Action": "delayed", "Status": "5.1.1"}, Fate.DELAYED),
        ({"Action": "delivered", "Status": "5.1.1"}, Fate.ARRIVED),
        ({"Action": "relayed"}, Fate.ARRIVED),
        ({"Action": "expanded"}, Fate.ARRIVED),
        # without it the class of the status, and then the reply code
        ({"Action": None}, Fate.FAILED),
        ({"Action": None, "Status": "4.2.2 (mailbox full)"}, Fate.DELAYED),
        ({"Action": None, "Status": "2.1.5"}, Fate.ARRIVED),
        ({"Action": "unheard-of", "Status": "4.0.0"}, Fate.DELAYED),
        ({"Action": None, "Status": None, "Diagnostic_Code": "smtp; 550 no such user"}, Fate.FAILED),
        ({"Action": None, "Status": None, "Diagnostic_Code": "smtp; 451 try later"}, Fate.DELAYED),
    ],
)
def test_the_fate_of_a_recipient(changes: dict[str, str | None], fate: Fate) -> None:
    (one,) = reported(fields(**changes))
    assert one.fate is fate


def test_what_tells_no_fate_is_not_reported() -> None:
    assert reported(fields(Action=None, Status=None)) == ()
    assert reported(fields(Final_Recipient="rfc822; nobody")) == ()


@pytest.mark.parametrize(
    ("changes", "addr_spec"),
    [
        ({}, "ada@partner.example"),
        ({"Original_Recipient": "rfc822;first@partner.example"}, "first@partner.example"),
        ({"Original_Recipient": "rfc822;"}, "ada@partner.example"),
        ({"X_Actual_Recipient": "rfc822; real@partner.example"}, "real@partner.example"),
        ({"Final_Recipient": "<ada@partner.example>"}, "ada@partner.example"),
        ({"Final_Recipient": "RFC822; <ada@partner.example>"}, "ada@partner.example"),
        ({"Final_Recipient": "rfc822; rfc822;ada@partner.example"}, "ada@partner.example"),
        ({"Final_Recipient": "utf-8; jürgen@partner.example"}, "jürgen@partner.example"),
        ({"Original_Recipient": "rfc822;ada+2Bnfr@partner.example"}, "ada+nfr@partner.example"),
    ],
)
def test_the_recipient_that_we_wrote_to(changes: dict[str, str | None], addr_spec: str) -> None:
    (one,) = reported(fields(**changes))
    assert one.addr_spec == addr_spec


@pytest.mark.parametrize(
    ("changes", "diagnostic"),
    [
        ({"Diagnostic_Code": "smtp; 550 5.1.1 User\n    unknown"}, "550 5.1.1 User unknown"),
        ({"Diagnostic_Code": 'X-Postfix; unknown user: "ada"'}, 'unknown user: "ada"'),
        ({"Diagnostic_Code": "550 no; such user"}, "550 no; such user"),
        ({"Status": "5.4.7 (delivery time expired)"}, "5.4.7 (delivery time expired)"),
        ({"Diagnostic_Code": "smtp; 550 \x1b[31mbad\x07 \u202ename"}, "550 [31mbad name"),
        ({"Diagnostic_Code": "smtp; 550 " + "x" * 500}, "550 " + "x" * 196),
    ],
)
def test_the_reason_is_one_plain_line(changes: dict[str, str | None], diagnostic: str) -> None:
    (one,) = reported(fields(**changes))
    assert one.diagnostic == diagnostic


@pytest.mark.parametrize(
    "part",
    [
        "message/delivery-status",
        "Message/Delivery-Status; name=report.txt",
        "message/global-delivery-status",
        "message/xdelivery-status",
    ],
)
def test_the_types_of_the_part(part: str) -> None:
    mail = DSN.replace("message/delivery-status", part)
    assert [one.addr_spec for one in reported(fields(), mail=mail)] == ["ada@partner.example"]


@pytest.mark.parametrize(
    ("encoding", "recipients"),
    [
        ("base64", base64.encodebytes(f"Reporting-MTA: dns; x\n\n{fields()}".encode()).decode()),
        ("base64", fields()),
        ("quoted-printable", fields().replace("@", "=40").replace("failed", "fai=\nled")),
    ],
)
def test_an_encoded_part_is_decoded(encoding: str, recipients: str) -> None:
    part = "Content-Type: message/delivery-status\n"
    mail = DSN.replace(
        part + "\nReporting-MTA: dns; mx.vendor.example\n", f"{part}Content-Transfer-Encoding: {encoding}\n"
    )
    assert [one.addr_spec for one in reported(recipients, mail=mail)] == ["ada@partner.example"]


def test_two_recipients_with_too_few_and_too_many_blank_lines() -> None:
    both = ["ada@partner.example", "bob@partner.example"]
    second = fields(Final_Recipient="rfc822; bob@partner.example")
    assert [one.addr_spec for one in reported(fields() + second)] == both
    assert [one.addr_spec for one in reported(fields() + "\n\n\n" + second)] == both


def test_fields_in_plain_text_are_a_servers_only_if_a_server_wrote_the_mail() -> None:
    text = f"From: x@mx.example\nSubject: Returned mail\n\nAn error occurred.\n\n{fields()}\n"
    tree = message_tree(text.encode())
    assert [one.addr_spec for one in delivery_report.reported(tree, in_words=True)] == ["ada@partner.example"]
    assert delivery_report.reported(tree, in_words=False) == ()


def test_a_person_who_attaches_a_report_reports_nothing() -> None:
    report = DSN.format(recipients=fields(), returned="")
    mail = (
        "From: Ada <ada@partner.example>\nSubject: Undeliverable: what does this mean?\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="o"\n\n--o\nContent-Type: text/plain\n\nPlease help.\n\n'
        f"--o\nContent-Type: message/rfc822\n\n{report}\n--o--\n"
    )
    assert delivery_report.reported(message_tree(mail.encode()), in_words=False) == ()
