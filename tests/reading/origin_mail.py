"""A mail to the desk, built from a few fields, and its origin."""

from mailflow.core.message import Origin
from mailflow.reading.origin import detect
from mailflow.reading.parse import parse
from mailflow.reading.sender import Desk

DESK = Desk(
    addresses=frozenset({"desk@vendor.example"}),
    own_domains=frozenset({"vendor.example"}),
    trusted_authserv_ids=frozenset({"mx.vendor.example"}),
)
ADA = "Ada <ada@partner.example>"
TEXT = "Hello,\n\nhow do we get an NFR licence?\n\nKind regards\nAda\n"


def mail(*fields: str, author: str = ADA, subject: str = "NFR licence", text: str = TEXT) -> bytes:
    """A mail in UTF-8; it has a Message-ID of its own unless `fields` give one."""
    head = (f"From: {author}", "To: desk@vendor.example", f"Subject: {subject}", *fields)
    if not any(field.lower().startswith("message-id") for field in fields):
        head += ("Message-ID: <1@partner.example>",)
    if not any(field.lower().startswith("content-type") for field in fields):
        head += ("MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit")
    return ("\r\n".join(head) + "\r\n\r\n" + text).encode()


def origin(*fields: str, author: str = ADA, subject: str = "NFR licence", text: str = TEXT) -> Origin:
    content = mail(*fields, author=author, subject=subject, text=text)
    return detect(parse(content), content, DESK)
