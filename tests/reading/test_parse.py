"""parse() is total, and reads the mails of tests/mails as their .json twins say: fields and counts (RFC 5322, 2045)."""

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailparser.dates import parse_mail_date

from mailflow.core.message import InboundMessage
from mailflow.reading import headers, mime_tree
from mailflow.reading.parse import message_tree, parse

MAILS = Path(__file__).parents[1] / "mails"
TWINS = sorted(MAILS.glob("*.json"))
HEAD = b"From: Ann <ann@reseller.example>\r\nSubject: x\r\nMessage-ID: <m@x.example>\r\n"


def as_twin(message: InboundMessage) -> dict[str, Any]:
    """Everything of `message` that a twin states; lists are compared whole, so a lost or doubled entry shows."""
    return {
        "from": message.from_.addr_spec if message.from_ else None,
        "from_name": message.from_.display_name if message.from_ else None,
        "reply_to": [address.addr_spec for address in message.reply_to],
        "return_path": message.return_path,
        "to": [address.addr_spec for address in message.to],
        "cc": [address.addr_spec for address in message.cc],
        "subject": message.subject,
        "date": message.date.isoformat() if message.date else None,
        "message_id": message.message_id,
        "in_reply_to": list(message.in_reply_to),
        "references": list(message.references),
        "text": message.text,
        "new_text": message.new_text,
        "content_text": message.content_text,
        "attachments": [[a.filename, a.content_type, a.size, a.is_inline] for a in message.attachments],
        "language": message.language,
        "header_count": len(message.headers),
        "defects": [defect.code for defect in message.defects],
    }


def test_the_corpus_is_complete() -> None:
    mails = {path.stem for path in MAILS.glob("*.eml")}
    assert mails == {path.stem for path in TWINS}
    assert len(mails) >= 60
    assert 3 * sum(name.startswith("bad_") for name in mails) >= len(mails)


@pytest.mark.parametrize("twin", TWINS, ids=lambda path: path.stem)
def test_mail_reads_as_its_twin_says(twin: Path) -> None:
    expected = json.loads(twin.read_text(encoding="utf-8"))
    size = expected.pop("size", None)
    assert as_twin(parse(twin.with_suffix(".eml").read_bytes(), size=size)) == expected


def is_about_line_ends(twin: Path) -> bool:
    content = twin.with_suffix(".eml").read_bytes()
    return b"\r\r" in content or b"\n" not in content


@pytest.mark.parametrize("twin", [twin for twin in TWINS if not is_about_line_ends(twin)], ids=lambda path: path.stem)
def test_line_ends_do_not_matter(twin: Path) -> None:
    """RFC 5322, 2.3 wants CRLF; files and pipes bring LF. Only sizes of attachments may differ."""
    content = twin.with_suffix(".eml").read_bytes()
    here, there = as_twin(parse(content)), as_twin(parse(content.replace(b"\r\n", b"\n")))
    for fields in (here, there):
        fields["attachments"] = [(name, kind) for name, kind, _, _ in fields["attachments"]]
        fields["message_id"] = fields["message_id"].removeprefix("gen-")[:3]
    if here["message_id"] != there["message_id"]:
        del here["message_id"], there["message_id"]
    assert here == there


_HEADER_WORDS = st.sampled_from(
    [
        b"From: ",
        b"Subject: ",
        b"Date: ",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: text/html; charset=undefined\r\n",
        b"Content-Type: text/plain; charset=idna\r\n",
        b"Content-Disposition: attachment; filename*=a; filename*0=b\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: x-uuencode\r\n",
        b"=?utf-8?b?",
        b"?=",
        b"\r\n\r\n",
        b"\r\n--b\r\n",
        b"--b--",
        b"\x1b$B",
        b"<blockquote>",
        b"\nbegin 644 x\n",
        b"\x00",
        b"On 1 May 2024, a@b.example wrote:\r\n> ",
    ]
)


@given(st.lists(st.one_of(_HEADER_WORDS, st.binary(max_size=30)), max_size=25).map(b"".join))
def test_any_bytes_give_a_storable_value(content: bytes) -> None:
    """No exception, no surrogate, no NUL, a Message-ID, and spans that lie inside the text, in order."""
    message = parse(content)
    repr(message).encode("utf-8")
    assert message.message_id
    strings = [message.text, message.subject, *(text for field in message.headers for text in field)]
    strings += [attachment.filename for attachment in message.attachments]
    assert not any("\x00" in text for text in strings)
    for spans in (message.new_spans, message.content_spans):
        bounds = [bound for span in spans for bound in (span.start, span.end)]
        assert bounds == sorted(bounds)
        assert all(0 <= bound <= len(message.text) for bound in bounds)


@given(st.binary(max_size=200))
def test_the_tree_answers_any_question(content: bytes) -> None:
    """The compat32 accessors raise on some parameters (RFC 2231 continuations out of order); ours do not."""
    tree = message_tree(b"Content-Type: multipart/mixed; boundary*0=b; boundary*=c; x=" + content)
    for part in tree.walk():
        part.get_boundary()
        part.get_filename()
        part.get_content_charset()
        part.get_params()


def test_same_bytes_same_value() -> None:
    content = MAILS.joinpath("mixed_pdf.eml").read_bytes()
    assert parse(content) == parse(content)


def test_a_mail_without_message_id_and_date_is_named_by_its_bytes() -> None:
    """Some help desks skip such mail for good; ours gets a stable identity."""
    content = b"From: ann@reseller.example\r\n\r\nhi"
    assert parse(content).message_id == f"gen-{hashlib.sha256(content).hexdigest()}@mailflow.invalid"
    assert parse(b"Received: by a.example\r\n" + content).message_id != parse(content).message_id


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ((b"", b""), True),
        ((b"From:", b"Received: from relay.example\r\nX-Spam: no\r\nFrom:"), True),
        ((b"hi", b"ho"), False),
        ((b"10:00", b"10:01"), False),
        ((b"ann@", b"bob@"), False),
        ((b"Lab", b"Fair"), False),
    ],
)
def test_copies_of_a_dated_mail_without_message_id_have_one_name(change: tuple[bytes, bytes], is_same: bool) -> None:
    content = b"From: ann@a.example\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\nSubject: Lab\r\n\r\nhi\r\n"
    assert (parse(content).message_id == parse(content.replace(*change, 1)).message_id) is is_same


def test_truncated_says_how_much() -> None:
    message = parse(HEAD + b"\r\nthe first words", size=5000)
    assert [defect.code for defect in message.defects if defect.code == "truncated"] == ["truncated"]
    assert "of 5000 octets" in next(d.sentence for d in message.defects if d.code == "truncated")


def test_every_defect_has_a_sentence_for_people() -> None:
    for twin in TWINS:
        for defect in parse(twin.with_suffix(".eml").read_bytes()).defects:
            assert defect.sentence.endswith(".")
            assert " " in defect.sentence, defect


def test_parts_are_capped() -> None:
    parts = b"--q\r\n\r\nword\r\n" * (mime_tree.MAX_PARTS + 500)
    content = HEAD + b"Content-Type: multipart/mixed; boundary=q\r\n\r\n" + parts
    assert sum(1 for _ in message_tree(content).walk()) <= mime_tree.MAX_PARTS
    assert "too_many_parts" in {defect.code for defect in parse(content).defects}


def test_depth_is_capped() -> None:
    nested = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(900)
    )
    part, depth = message_tree(HEAD + nested), 0
    while part.is_multipart():
        part, depth = part.get_payload()[0], depth + 1  # type: ignore[index,assignment] # a list where is_multipart
    assert depth == mime_tree.MAX_DEPTH


def test_fields_are_capped_and_empty_parameters_collapse() -> None:
    """A real spam has 24 KB of `; ; ;` in its Content-Type, on which other parsers spend minutes."""
    content = HEAD + b"Content-Type: text/html " + b"; " * 50_000 + b"\r\nX-Long: " + b"x" * 200_000 + b"\r\n\r\nhi"
    tree = message_tree(content)
    assert tree["Content-Type"].rstrip() == "text/html ;"
    assert len(tree["X-Long"]) == headers.MAX_FIELD


def test_addresses_are_capped() -> None:
    to = b", ".join(b"u%d@x.example" % number for number in range(2_000))
    assert len(parse(b"To: " + to + b"\r\n\r\nhi").to) == headers.MAX_ADDRESSES


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Mon, 06 May 2024 10:00:00 +0200", "2024-05-06T10:00:00+02:00"),
        ("Mon, 06 May 2024 10:00:00 -0000", "2024-05-06T10:00:00+00:00"),
        ("6 May 24 10:00 PST (comment (nested))", "2024-05-06T18:00:00+00:00"),
        ("Tue, 06 May 2024 10:00:00 GMT", "2024-05-06T10:00:00+00:00"),
        ("2024-05-06 10:00:00", "2024-05-06T10:00:00+00:00"),
        ("Mon, 06 May 2024 10.00.00 +0000", "2024-05-06T10:00:00+00:00"),
    ],
)
def test_dates_of_rfc_5322_and_of_careless_software(value: str, expected: str) -> None:
    moment = headers.date_time(value)
    assert moment is not None
    assert moment.tzinfo is not None
    assert moment == datetime.fromisoformat(expected)


@given(
    st.datetimes(datetime(1900, 1, 3), datetime(2099, 12, 29)),
    st.integers(-26 * 60, 26 * 60),
    st.sampled_from(["{:%a, %d %b %Y %H:%M:%S} {}", "{:%d %b %Y %H:%M:%S} {} (CEST)", "{:%a, %d %b %Y %H:%M} {}"]),
)
def test_the_short_way_of_a_regular_date_comes_to_what_mail_parser_reads(
    moment: datetime, minutes: int, form: str
) -> None:
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"
    value = form.format(moment, zone)
    assert headers.date_time(value) == parse_mail_date(value).value


@pytest.mark.parametrize("value", ["", "yesterday", "Mon, 99 May 2024 10:00:00 +0000", "(" * 500, "0"])
def test_what_is_no_date_is_none(value: str) -> None:
    assert headers.date_time(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" one line\t", "one line"),
        ("folded\r\n with one blank", "folded with one blank"),
        ("folded \n\t  with many", "folded with many"),
        ("empty\r\n \r\n lines", "empty lines"),
        ("a bare\rCR", "a bare CR"),
        ("\r\n", ""),
        ("a vertical\x0btab", "a vertical\x0btab"),
    ],
)
def test_a_folded_value_is_one_line(value: str, expected: str) -> None:
    assert headers.unfolded(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"Archer, Ann" <ann@x.example>', [("Archer, Ann", "ann@x.example")]),
        ("Ann (home) <ann@x.example>", [("Ann", "ann@x.example")]),
        ("friends: a@x.example, b@x.example;", [("", "a@x.example"), ("", "b@x.example")]),
        ("undisclosed-recipients:;", []),
        ("'Ann' <ann@x.example>", [("Ann", "ann@x.example")]),
        ("<<ann@x.example>>", [("", "ann@x.example")]),
        ("ann@x.example <ann@x.example>", [("ann@x.example", "ann@x.example")]),
        ("=?utf-8?q?Ann_=3Cann=40x=2Eexample=3E?=", [("Ann", "ann@x.example")]),
        ("Ann <ann@x.example>, ANN <ANN@x.example>", [("Ann", "ann@x.example")]),
    ],
)
def test_addresses_of_rfc_5322_and_of_careless_software(value: str, expected: list[tuple[str, str]]) -> None:
    found = [(address.display_name, address.addr_spec) for address in headers.addresses([value])]
    assert [spec for _, spec in found] == [spec for _, spec in expected]
    if expected and expected[0][0]:
        assert found[0][0].split(" (")[0] == expected[0][0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("attachment; filename=a.pdf", "a.pdf"),
        ('attachment; filename="a \\"b\\".pdf"', 'a "b".pdf'),
        ("attachment; filename=price list.pdf", "price list.pdf"),
        ('attachment; filename="open.pdf', "open.pdf"),
        ("attachment; FileName*1=b.pdf; filename*0=a", "ab.pdf"),
        ("attachment; filename=plain.pdf; filename*=utf-8'en'%E2%82%AC.pdf", "€.pdf"),
        ("attachment; filename*=%FC.pdf", "ü.pdf"),
        ("attachment; filename*=x-nonsense''%C3%BC.pdf", "ü.pdf"),
        ("attachment;; ; filename=a.pdf", "a.pdf"),
    ],
)
def test_parameters_of_rfc_2231_and_of_careless_software(value: str, expected: str) -> None:
    assert headers.parameters(value)["filename"] == expected


FORWARDED = ["Fwd", "WG", "VL", "İLT", "ilt", "Videresendt", "TRS", "Redir", "Továbbítás", "ΠΡΘ", "転送"]


@pytest.mark.parametrize("prefix", FORWARDED)
def test_what_was_forwarded_is_content_in_whatever_language_the_subject_says_so(prefix: str) -> None:
    quoted = "Please see below.\r\n\r\n> How do we get a licence for our lab?\r\n> Regards, Ann"
    head = f"From: a@x.example\r\nTo: b@y.example\r\nSubject: {prefix}: licence\r\n"
    mail = (head + "Content-Type: text/plain; charset=utf-8\r\n\r\n" + quoted + "\r\n").encode()
    assert "How do we get a licence" in parse(mail).new_text
    assert "How do we get a licence" not in parse(mail.replace(prefix.encode(), b"Re")).new_text
