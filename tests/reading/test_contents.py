"""What is looked at beside the text: the HTML as it was sent, the pictures in it, each file by its hash."""

import base64
import hashlib
from email.message import EmailMessage
from pathlib import Path

import pytest

from mailflow.reading.contents import MAX_PICTURES, file_of, html_of, pictures_of
from mailflow.reading.parse import parse

MAILS = Path(__file__).parents[1] / "mails"
GIF = base64.b64decode("R0lGODlhAQABAAAAACw=")


def a_mail(*files: tuple[str, str, bytes], html: str = "<p>Grüße</p>") -> bytes:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "ann@partner.example", "A letter"
    mail.set_content("Grüße")
    mail.add_alternative(html, subtype="html")
    for name, content_type, content in files:
        kind, _, subtype = content_type.partition("/")
        mail.add_attachment(content, kind, subtype, filename=name, cid=f"<{name}@x>")
    return mail.as_bytes()


def test_the_html_is_the_body_and_not_a_file() -> None:
    content = a_mail(("page.html", "text/html", b"<p>a file</p>"))
    assert html_of(content).strip() == "<p>Grüße</p>"
    assert html_of(b"Subject: x\r\n\r\nplain") == ""


def test_html_is_read_in_the_charset_that_it_names_itself() -> None:
    content = b'Content-Type: text/html\r\n\r\n<meta charset="windows-1252"><p>Gr\xfc\xdfe</p>'
    assert "Grüße" in html_of(content)


def test_pictures_are_found_by_their_content_id_and_no_other_files_are() -> None:
    found = pictures_of(
        a_mail(("a.gif", "image/gif", GIF), ("b.svg", "image/svg+xml", b"<svg/>"), ("c.pdf", "x/y", b""))
    )
    assert found == {"a.gif@x": f"data:image/gif;base64,{base64.b64encode(GIF).decode()}"}


def test_pictures_that_are_too_large_are_left_out() -> None:
    content = a_mail(("big.gif", "image/gif", b"x" * (MAX_PICTURES + 1)), ("small.gif", "image/gif", GIF))
    assert list(pictures_of(content)) == ["small.gif@x"]


def test_a_file_is_found_by_its_hash_alone() -> None:
    content = a_mail(("a.pdf", "application/pdf", b"one"), ("a.pdf", "application/pdf", b"two"))
    pieces = file_of(content, hashlib.sha256(b"two").hexdigest())
    assert pieces is not None and b"".join(pieces) == b"two"
    assert file_of(content, hashlib.sha256(b"three").hexdigest()) is None


@pytest.mark.parametrize("path", sorted(MAILS.glob("*.eml")), ids=lambda path: path.name)
def test_each_file_that_is_described_is_the_one_that_is_found(path: Path) -> None:
    """But for what Outlook packed into winmail.dat, which is had as a whole."""
    content = path.read_bytes()
    described = parse(content).attachments
    is_packed = any(one.filename.lower() == "winmail.dat" or "ms-tnef" in one.content_type for one in described)
    for one in described:
        pieces = file_of(content, one.sha256)
        if pieces is None:
            assert is_packed, one
            continue
        octets = b"".join(pieces)
        assert (len(octets), hashlib.sha256(octets).hexdigest()) == (one.size, one.sha256)
