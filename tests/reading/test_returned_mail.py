"""The Message-ID of the mail that came back, in every form in which servers return it, so that its answer is found."""

import base64

import pytest
from tests.reading.bounce_mail import DSN, FAILED, RETURNED, found, simple

from mailflow.reading.returned_mail import before_copy

OURS = "mf.7.abc.x@vendor.example"
HEADER = (
    f"Received: from desk\nSubject: Re: hello\nMessage-ID: <{OURS}>\nFrom: desk@vendor.example\nTo: ada@partner.example"
)
HTML = f"<p>It came back.</p><p><b>Message-ID:</b> &lt;{OURS}&gt;</p>"


@pytest.mark.parametrize(
    "returned",
    [
        RETURNED,
        f"Content-Type: message/global\n\n{HEADER}\n\nhello",
        f"Content-Type: text/rfc822-headers\n\n{HEADER}\n",
        f"Content-Type: message/rfc822-headers\n\n{HEADER}\n",
        f"Content-Type: message/global-headers\n\n{HEADER}\n",
        f"Content-Type: message/partial\n\n{HEADER}\n\nhel",
        f'Content-Type: text/plain; name="header.txt"\nContent-Disposition: attachment\n\n{HEADER}\n',
        f"Content-Type: text/html\n\n{HTML}\n",
        "Content-Type: text/rfc822-headers\nContent-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(HEADER.encode()).decode(),
        HEADER,
    ],
)
def test_a_part_holds_it(returned: str) -> None:
    assert found(DSN.format(recipients=FAILED, returned=returned)).returned_message_ids == (OURS,)


@pytest.mark.parametrize(
    "marker",
    [
        "------ This is a copy of the message, including all the headers. ------",
        "--- Below this line is a copy of the message.",
        "--- Below this line is a copy of the original message",
        "Original message headers:",
        "----- Original message -----",
        "   ----- Unsent message follows -----",
        "------- Returned Message --------",
        "--- The header of the original message is following. ---",
        "Included is a copy of the message header:\n-----------------------------------------",
        "    Below is a copy of the original message:",
        "Message headers follow.",
        "Original message follows.",
        "-------- Kopie der Nachricht --------",
        "",
    ],
)
def test_lines_below_a_heading_hold_it(marker: str) -> None:
    text = f"Your mail was refused.\n\nada@partner.example: 550 unknown\n\n{marker}\n\n{HEADER}\n\nhello"
    result = found(simple(text))
    assert result.returned_message_ids == (OURS,)
    assert [one.addr_spec for one in result.failed] == ["ada@partner.example"]
    assert before_copy(text).rstrip().endswith("550 unknown")


@pytest.mark.parametrize(
    "line",
    [
        f"Message-ID:\n <{OURS}>",
        f"message-id: <{OURS}>",
        f"> Message-Id: <{OURS}>",
        f"Message-ID: {OURS}",
        f"  Message-id: <{OURS}>",
        f"X-Original-Message-ID: <{OURS}>",
    ],
)
def test_its_field_is_folded_quoted_bare_and_under_other_names(line: str) -> None:
    assert found(simple(f"Your mail was refused.\n\n{line}\nSubject: hello\n")).returned_message_ids == (OURS,)


@pytest.mark.parametrize("field", [f"In-Reply-To: <{OURS}>", f"References: <old@x.example> <{OURS}>"])
def test_the_reports_own_header_refers_to_it(field: str) -> None:
    assert found(simple("Your mail was refused.", more=field + "\n")).returned_message_ids == (OURS,)


def test_the_nearest_to_the_returned_mail_comes_first_and_the_reports_own_id_never() -> None:
    mail = simple(
        f"Your mail was refused.\n\n{HEADER}\n\nMessage-ID: <1@mx.partner.example>\n",
        more="In-Reply-To: <z@x.example>\n",
    )
    assert found(mail).returned_message_ids == (OURS, "z@x.example")


def test_no_report_names_more_than_a_few() -> None:
    text = "\n".join(f"Message-ID: <{number}@x.example>" for number in range(100))
    assert len(found(simple(text)).returned_message_ids) == 20
