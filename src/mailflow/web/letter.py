"""HTML of strangers: cleaned by nh3, and shown in a frame that may run nothing and load nothing.

Rule: two walls. nh3 lets through a short list of tags and attributes; the answer's own Content-Security-Policy with
`sandbox` forbids scripts, forms, remote loads and the parent page, should the first wall fail.
Rule: pictures from elsewhere tell the sender that a mail was read: they are loaded only if the reader asks for it.
Rule: a file is offered for download, never opened, whatever it says that it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.errors import MessageError
from email.message import EmailMessage, Message
from html import escape
from urllib.parse import quote

import nh3
from starlette.responses import Response

from mailflow.web.rendering import HEADERS

TAGS = {
    *("a", "abbr", "b", "blockquote", "br", "caption", "center", "cite", "code", "col", "colgroup", "dd", "del", "div"),
    *("dl", "dt", "em", "font", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "li", "ol", "p", "pre"),
    *("q", "s", "small", "span", "strike", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead"),
    *("tr", "tt", "u", "ul"),
}
ATTRIBUTES = {
    "*": {"dir", "lang", "title"},
    "a": {"href"},
    "img": {"alt", "height", "src", "width"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start"},
}
LONGEST_HTML = 2_000_000
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:12px;overflow-wrap:anywhere;color-scheme:light dark}"
    "img{max-width:100%;height:auto}table{max-width:100%}blockquote{margin-left:8px;padding-left:8px;"
    "border-left:3px solid #8888}"
)


@dataclass(frozen=True, slots=True)
class File:
    filename: str
    content: bytes


def framed(html: str, *, loads_images: bool = False) -> Response:
    """`html`, which is clean or our own, as a page of its own that may do nothing."""
    images = "img-src https: data:" if loads_images else "img-src data:"
    own = f"sandbox; default-src 'none'; style-src 'unsafe-inline'; {images}; frame-ancestors 'self'; base-uri 'none'"
    headers = HEADERS | {"Content-Security-Policy": own}
    return Response(html, media_type="text/html; charset=utf-8", headers=headers)


def cleaned(html: str, *, with_images: bool = False) -> str:
    """What of a stranger's HTML may be shown, as a whole page."""
    tags = TAGS if with_images else TAGS - {"img"}
    body = nh3.clean(
        html[:LONGEST_HTML],
        tags=tags,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return f"<!DOCTYPE html><meta charset=utf-8><title>mail</title><style>{_STYLE}</style>{body}"


def html_of(content: bytes) -> str:
    """The HTML body of a mail, '' where it has none or cannot be read."""
    message = message_from_bytes(content, policy=policy.default)
    try:
        part = message.get_body(("html",)) if isinstance(message, EmailMessage) else None
        found = part.get_content() if isinstance(part, EmailMessage) else ""
    except (LookupError, ValueError, KeyError, MessageError, AttributeError):
        return ""
    return found if isinstance(found, str) else ""


def files_of(content: bytes) -> Iterator[File]:
    """The files of a mail in order, whatever they are."""
    for part in message_from_bytes(content, policy=policy.compat32).walk():
        name = _name(part)
        if not part.is_multipart() and (name or part.get_content_disposition() == "attachment"):
            payload = part.get_payload(decode=True)
            yield File(name or "file", payload if isinstance(payload, bytes) else b"")


def download(content: bytes, filename: str) -> Response:
    """As a file to keep: no browser opens it, whatever its name and type."""
    plain = "".join(char if (char.isascii() and char.isalnum()) or char in "._- " else "_" for char in filename)[:120]
    disposition = f"attachment; filename=\"{plain or 'file'}\"; filename*=UTF-8''{quote(filename[:120], safe='')}"
    headers = HEADERS | {"Content-Disposition": disposition, "Content-Security-Policy": "sandbox; default-src 'none'"}
    return Response(content, media_type="application/octet-stream", headers=headers)


def nothing_to_show(sentence: str) -> Response:
    return framed(f"<!DOCTYPE html><meta charset=utf-8><title>mail</title><style>{_STYLE}</style><p>{escape(sentence)}")


def _name(part: Message) -> str:
    try:
        return " ".join((part.get_filename() or "").split())
    except (ValueError, LookupError, TypeError):
        return ""
