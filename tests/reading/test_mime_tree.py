"""The structure of a mail out of its octets: boundaries, headers, messages inside (RFC 2046, 5; RFC 5322, 4)."""

from email import message_from_bytes
from email.message import Message

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.reading.mime_tree import Part, mime_tree

MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def shape(message: Message, depth: int = 0) -> list[tuple[int, str, list[str], bytes | None]]:
    """Depth, type, field names and octets of each part."""
    octets = message.get_payload(decode=True)
    own = (depth, message.get_content_type(), message.keys(), octets if isinstance(octets, bytes) else None)
    parts = message.get_payload() if message.is_multipart() else ()
    return [own, *(line for part in parts if isinstance(part, Message) for line in shape(part, depth + 1))]


def texts(content: bytes) -> list[bytes]:
    """The octets of the leaves."""
    return [octets for _, _, _, octets in shape(mime_tree(content)[0]) if octets is not None]


_LINES = st.lists(st.text(alphabet="ab -", max_size=8).map(str.encode), max_size=4).map(b"\r\n".join)


def _multipart(parts: list[bytes], kind: str) -> bytes:
    boundary = b"b%d" % b"".join(parts).count(b"boundary=")
    inner = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts)
    head = b"Content-Type: multipart/%s; boundary=%s\r\n\r\npreamble\r\n" % (kind.encode(), boundary)
    return head + inner + b"--%s--\r\n" % boundary


_NESTED = st.recursive(
    _LINES.map(lambda lines: b"Content-Type: text/x\r\n\r\n" + lines),
    lambda inner: st.one_of(
        st.builds(_multipart, st.lists(inner, min_size=1, max_size=3), st.sampled_from(["mixed", "digest"])),
        inner.map(lambda message: b"Content-Type: message/rfc822\r\n\r\nSubject: s\r\n" + message),
    ),
    max_leaves=6,
)


@given(_NESTED)
def test_regular_mail_has_the_structure_that_the_standard_library_sees(content: bytes) -> None:
    """Oracle: email.parser, whose walk over lines this replaces."""
    assert shape(mime_tree(content)[0]) == shape(message_from_bytes(content))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n", [b"one", b"two"]),
        (b"--b\r\n\r\none\r\n--b \t\r\n\r\ntwo\r\n--b--", [b"one", b"two"]),
        (b"--b\r\n\r\nsee --b there\r\n--bx\r\n--b--\r\n", [b"see --b there\r\n--bx"]),
        (b"--b\r\n\r\none\r\n--b\r\n--b\r\n\r\ntwo\r\n--b--\r\n", [b"one", b"two"]),
        (b"--b\r\n\r\none\r\n--b\r\n\r\ntwo", [b"one", b"two"]),
        (b"--b\r\n\r\none\r\n--b\r\n\r\ntwo--b--\r\n", [b"one", b"two"]),
        (b"--b\r\n\r\none\r\n--b-->\r\nepilogue", [b"one"]),
        (b"lost line end --b\r\n\r\none\r\n--b--\r\n", [b"one"]),
        (b"--b\r\n\r\none\r\n--b--\r\n\r\n--b\r\n\r\ntwo\r\n--b--\r\n", [b"one", b"two"]),
        (b"--b\n\none\n--b\r\n\r\ntwo\r\n--b--\n", [b"one", b"two"]),
    ],
)
def test_delimiters(body: bytes, expected: list[bytes]) -> None:
    """As they should be, inside a line, doubled, never closed, glued to the text, behind the close."""
    assert texts(MIXED + body) == expected


def test_one_boundary_on_two_levels() -> None:
    """What follows the inner multipart belongs to the outer one again."""
    content = (
        MIXED
        + b"--b\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
        + b"--b\r\n\r\nplain\r\n--b\r\n\r\nrich\r\n--b--\r\n"
        + b"--b\r\nContent-Type: x/y\r\n\r\nfile\r\n--b--\r\n"
    )
    assert [(depth, kind) for depth, kind, _, _ in shape(mime_tree(content)[0])] == [
        (0, "multipart/mixed"),
        (1, "multipart/alternative"),
        (2, "text/plain"),
        (2, "text/plain"),
        (1, "x/y"),
    ]


@pytest.mark.parametrize("encoding", ["7bit", "base64"])
def test_a_message_inside_keeps_its_octets_and_opens_when_asked(encoding: str) -> None:
    inner = b"Subject:no space\r\nX-Odd:   three\r\n\r\nhi\r\n"
    packed = inner if encoding == "7bit" else b"U3ViamVjdDpubyBzcGFjZQ0KWC1PZGQ6ICAgdGhyZWUNCg0KaGkNCg=="
    head = b"--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n"
    part = mime_tree(MIXED + head + packed + b"\r\n--b--\r\n")[0].get_payload(0)
    assert part.octets == packed
    assert (part.get_payload(0)["Subject"], part.get_payload(0).octets) == ("no space", b"hi\r\n")


def test_a_delivery_report_opens_into_its_groups_of_fields() -> None:
    content = (
        b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: x\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    )
    assert [group.items() for group in mime_tree(content)[0].get_payload()] == [
        [("Reporting-MTA", "x")],
        [("Action", "failed"), ("Status", "5.1.1")],
    ]


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (b"Subject: a\r\n b\r\nTo: c\r\n\r\n", [("Subject", "a\n b"), ("To", "c")]),
        (b"Subject : a\r\n\r\n", [("Subject", "a")]),
        (b" Subject: a\r\n\r\n", [("Subject", "a")]),
        (b"Subject: a\rb\r\n\r\n", [("Subject", "a b")]),
        (b"To: a\r\nno field\r\nSubject: b\r\n\r\n", [("To", "a"), ("Subject", "b")]),
        (b"Content-Type: x/y;\r\nname=z\r\nSubject: b\r\n\r\n", [("Content-Type", "x/y;\n name=z"), ("Subject", "b")]),
        (b"From x Mon\r\nSubject: b\r\n\r\n", [("Subject", "b")]),
        (b"no header at all", []),
    ],
)
def test_headers_of_the_standard_and_of_careless_software(content: bytes, fields: list[tuple[str, str]]) -> None:
    assert mime_tree(content)[0].items() == fields


@pytest.mark.parametrize(
    ("value", "content_type", "parameters"),
    [
        ("text/html; charset=x", "text/html", {"charset": "x"}),
        ("TEXT/HTML", "text/html", {}),
        ('multipart/mixed\r\n boundary="a b"', "multipart/mixed", {"boundary": "a b"}),
        ("application/pdf name=a.pdf", "application/pdf", {"name": "a.pdf"}),
        ("text", "text/plain", {}),
        ("", "text/plain", {}),
    ],
)
def test_content_types(value: str, content_type: str, parameters: dict[str, str]) -> None:
    part = mime_tree(f"Content-Type: {value}\r\n\r\n".encode())[0]
    assert (part.get_content_type(), part.parameters) == (content_type, parameters)


def test_a_leaf_has_no_part_to_give() -> None:
    with pytest.raises(TypeError):
        Part(b"words", 0, 5).get_payload(0)


@given(st.binary(max_size=200))
def test_the_tree_is_total(content: bytes) -> None:
    for part in mime_tree(MIXED + content)[0].walk():
        assert isinstance(part, Part)
