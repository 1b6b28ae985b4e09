"""Fields of a header as people read them: encoded words for any value, raw octets in the charset that tells most."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.message import Address, InboundMessage
from mailflow.reading import headers
from mailflow.reading.charset import decode_words
from mailflow.reading.parse import parse

LINE_ENDS = "\r\n\x0b\x0c\x85\u2028\u2029"
_CHARSETS = st.sampled_from("utf-8 us-ascii gb2312 iso-2022-jp utf-7 utf-16 hz big5 nonsense".split())
_PAYLOADS = st.one_of(
    st.text(alphabet="0123456789ABCDEFabcdef=_+/?-~{ ", max_size=24),
    st.sampled_from(
        ["=0D=0ABcc:_x=40y.example", "DQpCY2M6IHg=", "=E2=80=A8", "wqAK", "=C2=85", "=1B$B", "=00", "4oCo"]
    ),
)
_WORDS = st.builds("=?{}?{}?{}?=".format, _CHARSETS, st.sampled_from("bBqQx"), _PAYLOADS)
_TEXT = st.text(
    alphabet=st.one_of(st.sampled_from(f"=?{LINE_ENDS}\x1b$B(\x00\ud800\udc80 "), st.characters()), max_size=30
)
VALUES = st.lists(st.one_of(_WORDS, _TEXT, st.sampled_from([" ", "\r\n "])), max_size=6).map("".join)


def line_ends(text: str) -> int:
    return sum(map(text.count, LINE_ENDS))


@given(VALUES)
def test_any_value_becomes_a_storable_one(value: str) -> None:
    decoded = decode_words(value)
    decoded.encode("utf-8")
    assert "\x00" not in decoded


@given(VALUES)
def test_what_has_no_word_left_is_read_as_it_stands(value: str) -> None:
    decoded = decode_words(value)
    if "=?" not in decoded:
        assert decode_words(decoded) == decoded


@given(VALUES)
def test_no_line_end_comes_out_that_did_not_go_in(value: str) -> None:
    """Else an encoded word would write a field of its own into whatever repeats it (RFC 5322, 2.2)."""
    assert line_ends(decode_words(value)) <= line_ends(value)
    assert not {"\r", "\n"} & set(decode_words(headers.unfolded(value)))


# ---- identifiers and addresses ------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "is_read"), [(headers.MAX_WORD, True), (headers.MAX_WORD + 1, False)])
def test_a_word_that_fits_on_no_line_is_none(length: int, is_read: bool) -> None:
    word = "@x.example".rjust(length, "m")
    assert headers.message_ids([f"<{word}> <1@x.example>"]) == ((word,) if is_read else ()) + ("1@x.example",)
    assert [one.addr_spec for one in headers.addresses([f"{word}, a@x.example"])] == [word] * is_read + ["a@x.example"]


# ---- raw octets ---------------------------------------------------------------------------------------------


def of(name: str, subject: str, charset: str, content_type: str, body: bytes = b"hi") -> InboundMessage:
    """A mail whose header is in `charset`, raw, above a body that says what it is itself."""
    head = f"From: {name} <ann@reseller.example>\r\nSubject: {subject}\r\n".encode(charset)
    return parse(head + f"Content-Type: {content_type}\r\n\r\n".encode() + body)


NAMES = [
    ("张三", "价格", "gbk", "gb2312"),
    ("林美", "授權", "big5", "big5"),
    ("Łukasz", "żądanie", "iso8859-2", "iso-8859-2"),
    ("Ян", "вопрос", "koi8-r", "koi8-r"),
    ("Ян", "вопрос", "cp866", "ibm866"),
    ("Jörg", "Größe", "cp1252", "iso-8859-1"),
]


@pytest.mark.parametrize(("name", "subject", "charset", "label"), NAMES)
def test_raw_octets_are_in_the_charset_of_the_text(name: str, subject: str, charset: str, label: str) -> None:
    plain = of(name, subject, charset, f"text/plain; charset={label}")
    parts = f"--b\r\n\r\nhi\r\n--b\r\nContent-Type: text/html; charset={label}\r\n\r\nhi\r\n--b--\r\n".encode()
    for message in (plain, of(name, subject, charset, "multipart/mixed; boundary=b", parts)):
        assert (message.from_, message.subject) == (Address(name, "ann@reseller.example"), subject)


@pytest.mark.parametrize("label", ["gb2312", "iso-8859-1", "utf-16", "no-such-charset"])
def test_valid_utf8_is_utf8_whatever_the_text_is_in(label: str) -> None:
    message = of("Jörg", "Größe", "utf-8", f"text/plain; charset={label}")
    assert (message.from_, message.subject) == (Address("Jörg", "ann@reseller.example"), "Größe")


@pytest.mark.parametrize("label", ["utf-8", "us-ascii", "utf-16", "utf-7", "cp037", "no-such-charset"])
def test_where_the_text_tells_nothing_all_raw_fields_tell_together(label: str) -> None:
    """The name alone, two octets, would be `ßí`."""
    message = of("Ян", "Доступ к порталу", "cp1251", f"text/plain; charset={label}")
    assert (message.from_, message.subject) == (Address("Ян", "ann@reseller.example"), "Доступ к порталу")


def test_what_a_message_inside_is_in_says_nothing_of_the_mail() -> None:
    inner = "Content-Type: text/plain; charset=koi8-r\r\n\r\nхорошо\r\n".encode("koi8-r")
    assert of("Jörg", "Größe", "cp1252", "message/rfc822", inner).subject == "Größe"
