"""Large mails are read where they lie, slice by slice: with the same result as in one piece, and in little memory."""

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.large_mail import FILE_SIZE, MIB, QUESTION, File, with_doubled_crs, with_file, with_message, with_text
from tests.large_mail import with_winmail_dat as winmail_dat
from tests.memory import peak_memory

from mailflow.adapters.spool import SpooledOctets, spooled
from mailflow.core.message import Attachment
from mailflow.core.octets import Octets
from mailflow.core.storage import Understood
from mailflow.reading import body, boundaries, mending
from mailflow.reading.mime_tree import mime_tree
from mailflow.reading.parse import parse
from mailflow.reading.sender import Desk
from mailflow.reading.transfer import decoded, decoded_slices
from mailflow.reading.understand import understand

MAILS = sorted((Path(__file__).parents[1] / "mails").glob("*.eml"))
DESK = Desk(frozenset({"partnersupport@gitlab.com"}), frozenset({"gitlab.com"}), frozenset({"mx.gitlab.com"}))


def read(content: Octets) -> Understood:
    return understand(content, None, DESK)


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_a_mail_read_from_its_file_seven_octets_at_a_time_is_the_same(path: Path) -> None:
    with path.open("rb") as file:
        assert read(SpooledOctets(file.fileno(), window=7)) == read(path.read_bytes())


# ---- fifty MiB ----------------------------------------------------------------------------------------------


SMALL = 1_000
SHAPES: dict[str, tuple[Callable[[File], Iterator[bytes]], str, str]] = {
    "file": (with_file, "scan.zip", "application/zip"),
    "doubled CRs": (with_doubled_crs, "scan.zip", "application/zip"),
    "winmail.dat": (winmail_dat, "scan.zip", "application/octet-stream"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_large_file_has_its_exact_size_and_hash(shape: str) -> None:
    write, filename, content_type = SHAPES[shape]
    file = File()
    with spooled(write(file)) as content:
        assert len(content) > 48 * MIB
        with peak_memory() as peak:
            message = parse(content)
    assert message.attachments[-1] == file.attachment(filename, content_type)
    assert file.size == FILE_SIZE
    assert message.text == QUESTION.decode()
    assert message.defects == ()
    assert peak.octets < 16 * MIB


def test_a_large_message_inside_is_one_file() -> None:
    inner = b"".join(with_file(File()))
    with spooled(with_message([inner])) as content, peak_memory() as peak:
        message = parse(content)
    (found,) = message.attachments
    assert (found.filename, found.content_type, found.size) == ("A large mail.eml", "message/rfc822", len(inner))
    assert message.text == QUESTION.decode()
    assert peak.octets < 16 * MIB


@pytest.mark.parametrize(
    "line", ["words and no end", "Слова без конца", "言葉に終わりはない", "words \U0001f600 and signs"]
)
def test_of_a_large_text_the_start_is_read(line: str) -> None:
    with spooled(with_text(line)) as content, peak_memory() as peak:
        message = parse(content)
    assert len(message.text) == body.MAX_TEXT
    assert message.text.startswith(f"{QUESTION.decode()}\n\n{line}\n")
    assert set(message.text.split("\n")[2:-1]) == {line}, "no character is torn, or the charset would not be found"
    assert [defect.code for defect in message.defects] == ["text_capped"]
    assert peak.octets < 40 * MIB


@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "gb18030", "shift_jis", "iso-2022-jp"])
@pytest.mark.parametrize("line_end", ["\n", ""])
def test_a_text_is_cut_between_two_characters(charset: str, line_end: str) -> None:
    head = f"Content-Type: text/plain; charset={charset}\n\n".encode()
    text = ("日本" + line_end) * (body.MAX_OCTETS // 4)
    content = head + text.encode(charset)
    found = parse(content).text
    assert set(found) <= set(text) | {"\n"}
    assert len(found) > body.MAX_TEXT // 2


def test_many_texts_together_are_no_more_than_one() -> None:
    part = b"--b\r\n\r\n" + "words \U0001f600 and signs\r\n".encode() * 2_000
    content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 900 + b"--b--\r\n"
    with spooled([content]) as octets, peak_memory() as peak:
        message = parse(octets)
    assert len(message.text) == body.MAX_TEXT
    assert "text_capped" in [defect.code for defect in message.defects]
    assert peak.octets < 40 * MIB


def test_many_pages_are_no_more_than_one() -> None:
    """Each page that is read is held by its parser until the end."""
    part = b"--b\r\nContent-Type: text/html\r\n\r\n<p>page\r\n"
    message = parse(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 300 + b"--b--\r\n")
    assert message.text.count("page") == 100
    assert [defect.code for defect in message.defects if defect.code == "text_capped"] == ["text_capped"]


def test_of_many_packed_messages_the_first_are_opened_and_all_are_counted() -> None:
    """A name and a bounce's Message-ID are all that is looked for inside; base64 must be in memory for it."""
    inner = b"Subject: packed\r\n\r\n" + b"x" * (3 * MIB)
    head = b"--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    part = head + base64.encodebytes(inner)
    content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 8 + b"--b--\r\n"
    with spooled([content]) as octets, peak_memory() as peak:
        found = parse(octets).attachments
    assert [file.filename for file in found] == ["packed.eml"] * 3 + ["message.eml"] * 5
    assert {file.size for file in found} == {len(inner)}
    assert peak.octets < 24 * MIB


# ---- cut anywhere -------------------------------------------------------------------------------------------

_PIECES = {
    "base64": [b"A", b"b9", b"=", b"\r\n", b"-", b"_", b"\n--\n", b"\n**  \n", b" ", b"*", b"+", b"\x80"],
    "quoted-printable": [b"=", b"=4", b"41", b" ", b"\t", b"\r", b"\n", b"=\r\n", b"= \n", b"a", b"=\r", b"\x80"],
    "x-uuencode": [b"begin 644 a\n", b"\n", b"end\n", b"end", b" ", b"`\n", b"\r\n", b"#0V%T\n", b"#0V%T", b"x"],
    "8bit": [b"a", b"\n"],
}
_ENCODED = st.sampled_from(sorted(_PIECES)).flatmap(
    lambda name: st.tuples(st.just(name), st.lists(st.sampled_from(_PIECES[name]), max_size=14).map(b"".join))
)


@given(_ENCODED, st.integers(1, 9))
@example(("quoted-printable", b"a= \n=\t=41 = "), 1)
def test_an_encoding_is_undone_the_same_wherever_it_is_cut(encoded: tuple[str, bytes], size: int) -> None:
    encoding, octets = encoded
    inside = b"z" + octets + b"z"
    assert b"".join(decoded_slices(inside, 1, len(inside) - 1, encoding, size)) == decoded(octets, encoding)


@given(
    st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"\r\r\n"]), max_size=20).map(b"".join), st.integers(1, 9)
)
def test_line_ends_are_regular_wherever_they_are_cut(octets: bytes, size: int) -> None:
    seen = mending.RegularLineEnds(octets, 0, lambda one: re.sub(rb"\r+\n", b"\r\n", one), size)
    longest = max((len(run) for run in re.findall(rb"\r+", octets)), default=0)
    if longest <= size:
        assert seen[:] == re.sub(rb"\r+\n", b"\r\n", octets)
    assert [seen[at : at + 2] for at in range(len(seen))] == [seen[:][at : at + 2] for at in range(len(seen))]


# ---- caps ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [100, 16_380, 16_390, 70_000, 900_000])
def test_a_header_of_any_length_is_read_whole(length: int) -> None:
    """However the looks at it are cut: inside a name, a value, a line end."""
    lines = b"".join(b"X-Line-%06d: %s\r\n" % (number, b"v" * (number % 61)) for number in range(length // 48))
    tree, _ = mime_tree(b"Subject: first\r\n" + lines + b"To: last@x.example\r\n\r\nhello")
    assert len(tree.items()) == min(1_000, length // 48 + 2)
    assert tree.get_payload(decode=True) == b"hello"


def test_what_is_behind_the_longest_header_is_body() -> None:
    lines = b"X-Line: %s\r\n" % (b"v" * 900) * 2_000
    tree, _ = mime_tree(b"Subject: first\r\n" + lines + b"\r\nhello")
    assert tree["Subject"] == "first"
    assert tree.end - tree.start > len(lines) - mending.MAX_HEADER
    assert tree.unpacked().startswith(b"X-Line: vvv")


def test_the_body_behind_a_mended_header_is_what_was_sent() -> None:
    content = b"To: a@x.example\r\nno field\r\nSubject : b\r\nno field : c;\r\nname=d\r\n\r\nhello"
    tree, _ = mime_tree(content)
    assert tree.items() == [("To", "a@x.example"), ("Subject", "b")]
    assert tree.unpacked() == b"no field : c;\r\nname=d\r\n\r\nhello"


def test_a_mail_of_nothing_but_delimiters_comes_to_an_end() -> None:
    lines = 3 * boundaries.MAX_DELIMITERS
    for line in (b"--b\r\n", b"--b\r\n\r\n", b"--b--\r\n", b"x--b"):
        tree, _ = mime_tree(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + line * lines)
        assert sum(1 for _ in tree.walk()) <= 1_001


def test_a_sealed_mail_that_is_too_large_to_be_opened_says_so() -> None:
    head = b"Content-Type: application/pkcs7-mime; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    message = parse(head + b"MIAGCSqGSIb3DQEHAqCA" * 600_000)
    assert message.attachments == (
        Attachment("smime.p7m", "application/pkcs7-mime", 9_000_000, message.attachments[0].sha256),
    )
    assert {"too_large", "encrypted"} <= {defect.code for defect in message.defects}
