"""An answer is RFC 5322 that threads, that no machine answers (RFC 3834), and that nothing hostile can break out of."""

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.ports import RenderedAnswer
from mailflow.core.reply import LOOP_HEADER, ReplyHeaders, compose, is_sendable, reply_subject
from mailflow.testing import DESK, NOON

HEADERS = ReplyHeaders(
    message_id="mf.7.abc.def@gitlab.com",
    desk_name="Partner Support",
    desk_address=DESK,
    reverse_path=DESK,
    recipient="ann@partner.example",
    subject="Licence for our lab",
    in_reply_to="q1@partner.example",
    references=("q0@partner.example", "q1@partner.example"),
    date=NOON,
)
ANSWER = RenderedAnswer("Hello Ann,\n\n1. Log in.\n", "<p>Hello Ann,</p>")


def read(headers: ReplyHeaders, answer: RenderedAnswer = ANSWER) -> EmailMessage:
    message = message_from_bytes(compose(headers, answer).content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def test_the_header_threads_and_stops_machines() -> None:
    message = read(HEADERS)
    assert message["In-Reply-To"] == "<q1@partner.example>"
    assert message["References"].split() == ["<q0@partner.example>", "<q1@partner.example>"]
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["Precedence"] == "bulk"
    assert message[LOOP_HEADER] == DESK
    assert message["Subject"] == "Re: Licence for our lab"
    assert message["To"].addresses[0].addr_spec == "ann@partner.example"
    assert message["Date"].datetime == NOON


def test_both_parts_say_the_same() -> None:
    message = read(HEADERS)
    text, html = message.iter_parts()
    assert text.get_content() == ANSWER.text
    assert html.get_content() == ANSWER.html
    assert text.get_content_type() == "text/plain"


def test_the_same_answer_is_the_same_bytes() -> None:
    assert compose(HEADERS, ANSWER) == compose(HEADERS, ANSWER)


@pytest.mark.parametrize("prefix", ["Re: x", "AW: x", "SV: x", "re[2]: x"])
def test_an_answer_prefix_is_not_doubled(prefix: str) -> None:
    assert reply_subject(prefix) == prefix


@pytest.mark.parametrize(
    "address", ["", "a@b\r\nBcc: c@d", "a b@c", "<a@b>", "a@b,c@d", "a@", "@b", "a@b@c", "x" * 250 + "@b.example"]
)
def test_an_address_that_could_break_out_is_refused(address: str) -> None:
    assert not is_sendable(address)
    with pytest.raises(ValueError, match="not an address"):
        compose(replace(HEADERS, recipient=address), ANSWER)


def test_an_identifier_that_could_break_out_is_refused_or_left_out() -> None:
    with pytest.raises(ValueError, match="identifier"):
        compose(replace(HEADERS, message_id="a@b>\r\nX: y"), ANSWER)
    message = read(replace(HEADERS, in_reply_to="q 1\r\nX: y", references=("ok@x", "bad\r\nBcc: z")))
    assert message["In-Reply-To"] is None
    assert message["X"] is None


@given(st.text(max_size=400))
def test_no_subject_adds_a_header(subject: str) -> None:
    """Header injection: whatever the subject, the same fields, and it comes back as it went in."""
    message = read(replace(HEADERS, subject=subject))
    assert list(message.keys()) == list(read(HEADERS).keys())
    assert " ".join(message["Subject"].split()) == " ".join(reply_subject(subject).split())


@given(st.text(max_size=200))
def test_no_text_breaks_the_parts(text: str) -> None:
    message = read(HEADERS, RenderedAnswer(text, text))
    assert len(list(message.iter_parts())) == 2
