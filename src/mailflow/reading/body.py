"""The readable body of a message and what hangs on it: text parts, HTML as text, attachments (RFC 2045-2049, 2183).

Rule: nothing inside a message/* part is the sender's own text; such a part is one attachment.
Rule: a text part with a file name, or marked as attachment, is an attachment; the others are the body, in order.
Rule: of alternatives the plain text is read if it says something, else the HTML.
Why the plain text: it is what the sender's client made for programs, and quoting in it is visible.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.message import Message

from mailflow.core.message import Attachment, Defect, Span
from mailflow.reading.charset import clean, decode, decode_words
from mailflow.reading.headers import parameters, unfolded
from mailflow.reading.html_text import html_text
from mailflow.reading.mime_tree import mime_tree
from mailflow.reading.transfer import (
    decoded_payload,
    from_base64,
    transfer_encoding,
    undecoded_payload,
    without_uuencoded,
)

MAX_TEXT = 500_000
"""Characters of body text that are kept."""
MAX_PART_DEPTH = 60
MAX_RESORTS = 50
"""Leaves that are looked at for a mail without body."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One stretch of body text, and where in it an HTML quote stood."""

    text: str
    quoted: tuple[Span, ...] = ()
    is_html: bool = False

    @property
    def says_something(self) -> bool:
        return re.search(r"\w", self.text) is not None


@dataclass(frozen=True, slots=True)
class Body:
    text: str
    quoted: tuple[Span, ...]
    attachments: tuple[Attachment, ...]
    defects: tuple[Defect, ...]


@dataclass(slots=True)
class _Found:
    """What the walk gathers beside the text."""

    attachments: list[tuple[Attachment, str]] = field(default_factory=list)
    content_ids: set[str] = field(default_factory=set)
    defects: dict[str, Defect] = field(default_factory=dict)

    def defect(self, code: str, sentence: str) -> None:
        self.defects.setdefault(code, Defect(code, sentence))


def read_body(message: Message) -> Body:
    """Text and attachments of `message`. Total."""
    found = _Found()
    pieces = [piece for piece in _read(message, found, 0) if piece.says_something]
    if not pieces:
        pieces = _last_resort(message)
    text, quoted = _joined(pieces)
    if len(text) > MAX_TEXT:
        found.defect("text_capped", f"The text has more than {MAX_TEXT} characters; the rest was not read.")
        text = text[:MAX_TEXT]
        quoted = tuple(Span(span.start, min(span.end, MAX_TEXT)) for span in quoted if span.start < MAX_TEXT)
    attachments = tuple(
        Attachment(item.filename, item.content_type, item.size, item.sha256, item.is_inline or cid in found.content_ids)
        for item, cid in found.attachments
    )
    return Body(text, quoted, attachments, tuple(found.defects.values()))


def _joined(pieces: Iterable[Piece]) -> tuple[str, tuple[Span, ...]]:
    text = ""
    quoted: list[Span] = []
    for piece in pieces:
        text += "\n\n" if text else ""
        quoted += [Span(span.start + len(text), span.end + len(text)) for span in piece.quoted]
        text += piece.text
    return text, tuple(quoted)


# ---- the walk -----------------------------------------------------------------------------------------------

_ATTACHED_TEXT = frozenset(
    f"text/{kind}" for kind in "calendar x-vcard vcard directory x-vcalendar rtf rfc822-headers csv".split()
)
_IGNORED_ALTERNATIVES = frozenset({"text/x-amp-html", "text/watch-html"})
_SEALED: dict[str, tuple[str, str]] = {
    "application/pkcs7-mime": ("encrypted", "The mail is sealed with S/MIME and cannot be read here."),
    "application/x-pkcs7-mime": ("encrypted", "The mail is sealed with S/MIME and cannot be read here."),
    "application/pgp-encrypted": ("encrypted", "The mail is encrypted with PGP and cannot be read here."),
    "application/ms-tnef": ("tnef", "Outlook packed the attachments into winmail.dat, which is not opened here."),
    "application/vnd.ms-tnef": ("tnef", "Outlook packed the attachments into winmail.dat, which is not opened here."),
}


def _read(part: Message, found: _Found, depth: int) -> list[Piece]:
    """The body pieces of `part` in order; attachments and defects go to `found`."""
    content_type = part.get_content_type()
    main = content_type.partition("/")[0]
    if main == "multipart":
        return _read_multipart(part, content_type, found, depth)
    if content_type in _SEALED:
        found.defect(*_SEALED[content_type])
    disposition, filename = _disposition(part)
    is_body = main == "text" and disposition != "attachment" and not filename and content_type not in _ATTACHED_TEXT
    if is_body and not part.is_multipart():
        return [] if content_type in _IGNORED_ALTERNATIVES else _text_pieces(part, content_type, found)
    found.attachments.append(_attachment(part, content_type, disposition, filename))
    return []


def _read_multipart(part: Message, content_type: str, found: _Found, depth: int) -> list[Piece]:
    children = part.get_payload()
    if not isinstance(children, list):
        return _read_broken_multipart(part, found, depth)
    if depth >= MAX_PART_DEPTH:
        found.defect("too_deep", f"Parts nest deeper than {MAX_PART_DEPTH}; what is deeper was not read.")
        return []
    if content_type == "multipart/encrypted":
        found.defect("encrypted", "The mail is encrypted with PGP and cannot be read here.")
    read = [_read(child, found, depth + 1) for child in children if isinstance(child, Message)]
    if content_type == "multipart/alternative":
        return _best_alternative(read)
    return [piece for pieces in read for piece in pieces if piece.says_something]


_LIKELY_BOUNDARY = re.compile(rb"^--(\S{1,70})[ \t]*\r?\nContent-", re.MULTILINE | re.IGNORECASE)


def _read_broken_multipart(part: Message, found: _Found, depth: int) -> list[Piece]:
    """A multipart that found no parts under its boundary: read under the boundary that its lines show, else as text."""
    octets = decoded_payload(part)
    boundary = _LIKELY_BOUNDARY.search(octets)
    if boundary is None or depth > 0:
        found.defect("broken_multipart", "A multipart has no parts; what is in it was read as text.")
        return [Piece(_plain(part, octets))]
    found.defect("broken_multipart", "A multipart names another boundary than it uses; the one in use was taken.")
    mended, _ = mime_tree(b'Content-Type: multipart/mixed; boundary="' + boundary[1] + b'"\r\n\r\n' + octets)
    return _read(mended, found, depth + 1)


def _best_alternative(alternatives: list[list[Piece]]) -> list[Piece]:
    """The first plain alternative that says something; the HTML where there is none or that is a stub (RFC 2046)."""
    speaking = [pieces for pieces in alternatives if any(piece.says_something for piece in pieces)]
    plain = next((pieces for pieces in speaking if not any(piece.is_html for piece in pieces)), None)
    html = next((pieces for pieces in speaking if any(piece.is_html for piece in pieces)), None)
    if plain is None or (html is not None and _is_stub(plain, html)):
        return html or []
    return plain


def _is_stub(plain: list[Piece], html: list[Piece]) -> bool:
    """`Your client cannot show HTML`: a few words where the HTML has many."""
    words = sum(len(piece.text.split()) for piece in plain)
    return words <= 25 and sum(len(piece.text.split()) for piece in html) > 4 * words


def _last_resort(message: Message) -> list[Piece]:
    """Of a mail without body: the text that was taken for an attachment because it has a name (phones name all their
    parts), or what a calendar entry says. It stays an attachment as well."""
    for part in _own_leaves(message):
        content_type = part.get_content_type()
        if not content_type.startswith("text/") or _disposition(part)[0] == "attachment":
            continue
        if content_type == "text/calendar":
            return [Piece(_calendar_text(_plain(part, decoded_payload(part))))]
        if content_type in ("text/plain", "text/html") or part is message:
            return _text_pieces(part, content_type, _Found())
    return []


def _own_leaves(message: Message) -> list[Message]:
    """The first leaves of `message`, without those of messages inside it."""
    leaves: list[Message] = []
    waiting = [message]
    while waiting and len(leaves) < MAX_RESORTS:
        part = waiting.pop()
        payload = part.get_payload()
        if not isinstance(payload, list):
            leaves.append(part)
        elif part.get_content_maintype() == "multipart":
            waiting += [child for child in reversed(payload) if isinstance(child, Message)]
    return leaves


_CALENDAR_FIELD = re.compile(r"^(SUMMARY|LOCATION|DESCRIPTION)(?:;[^:\n]*)?:(.*)$", re.MULTILINE)
_CALENDAR_ESCAPE = re.compile(r"\\([nN,;\\])")


def _calendar_text(text: str) -> str:
    """What an invitation says (RFC 5545, 3.8.1): summary, place and description of its first entry."""
    said = dict(reversed(_CALENDAR_FIELD.findall(re.sub(r"\n[ \t]", "", text))))
    lines = (said.get(name, "") for name in ("SUMMARY", "LOCATION", "DESCRIPTION"))
    unescaped = (_CALENDAR_ESCAPE.sub(lambda found: "\n" if found[1] in "nN" else found[1], line) for line in lines)
    return "\n".join(line for line in unescaped if line.strip())


# ---- text parts ---------------------------------------------------------------------------------------------

_META_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""", re.IGNORECASE)


def _text_pieces(part: Message, content_type: str, found: _Found) -> list[Piece]:
    data = decoded_payload(part)
    if content_type == "text/html":
        meta = _META_CHARSET.search(data[:4096])
        declared = _charset(part) or (meta[1].decode("ascii") if meta else "")
        html = html_text(decode(data, declared))
        found.content_ids |= html.content_ids
        return [Piece(html.text, html.quoted, is_html=True)]
    text = _plain(part, data)
    if content_type in ("text/enriched", "text/richtext"):
        text = _enriched(text)
    if "\nbegin " in f"\n{text}" and "\nend" in text:
        text, files = without_uuencoded(text)
        found.attachments += [
            (_described(name, "application/octet-stream", content, False), "") for name, content in files
        ]
    if "-----BEGIN PGP MESSAGE-----" in text:
        found.defect("encrypted", "The text is encrypted with PGP and cannot be read here.")
    return [Piece(text)]


def _charset(part: Message) -> str:
    return parameters(str(part.get("Content-Type", ""))).get("charset", "")


def _plain(part: Message, data: bytes) -> str:
    text = decode(data, _charset(part)).replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    options = (
        parameters(str(part.get("Content-Type", ""))) if "flowed" in str(part.get("Content-Type", "")).lower() else {}
    )
    if options.get("format", "").lower() == "flowed":
        text = _unflowed(text, options.get("delsp", "").lower() == "yes")
    return text.strip("\n")


_QUOTE_DEPTH = re.compile(r"^>*")


def _unflowed(text: str, delete_space: bool) -> str:
    """The paragraphs of format=flowed (RFC 3676, 4): a line that ends in a space goes on in the next."""
    lines: list[str] = []
    open_depth: int | None = None
    for raw in text.split("\n"):
        depth = len(raw) - len(raw.lstrip(">"))
        line = raw[depth:].removeprefix(" ")
        flows = line.endswith(" ") and line != "-- "
        content = line[:-1] if flows and delete_space else line
        if open_depth == depth and line != "-- ":
            lines[-1] += content
        else:
            lines.append((">" * depth + " " if depth else "") + content)
        open_depth = depth if flows else None
    return "\n".join(lines)


_ENRICHED_TAG = re.compile(r"<(/?)([A-Za-z0-9-]{1,60})>")


def _enriched(text: str) -> str:
    """text/enriched without its commands (RFC 1896); `<<` is a literal."""
    text = re.sub(r"<param>[^<]{0,500}</param>", "", text, flags=re.IGNORECASE)
    return _ENRICHED_TAG.sub("", text.replace("<<", "\x02")).replace("\x02", "<")


# ---- attachments ---------------------------------------------------------------------


def _disposition(part: Message) -> tuple[str, str]:
    """(`attachment`, `inline` or '', the file name or ''): RFC 2183, 2; the older `name` of Content-Type counts too."""
    value = str(part.get("Content-Disposition", "") or "")
    kind = value.partition(";")[0].strip().lower()
    name = parameters(value).get("filename", "") if ";" in value else ""
    if not name:
        content_type = str(part.get("Content-Type", "") or "")
        name = parameters(content_type).get("name", "") if "name" in content_type.lower() else ""
    return kind, " ".join(clean(name).split())


def _attachment(part: Message, content_type: str, disposition: str, filename: str) -> tuple[Attachment, str]:
    """The attachment and its Content-ID ('' without one)."""
    data = nested_source(part) if part.is_multipart() else decoded_payload(part)
    if not filename and content_type == "message/rfc822":
        filename = _nested_name(part)
    is_inline = disposition == "inline" and content_type.startswith("image/")
    content_id = unfolded(str(part.get("Content-ID", "") or "")).strip("<> ")
    return _described(filename, content_type, data, is_inline), content_id


def _described(filename: str, content_type: str, data: bytes, is_inline: bool) -> Attachment:
    return Attachment(filename, clean(content_type), len(data), hashlib.sha256(data).hexdigest(), is_inline)


def _nested_name(part: Message) -> str:
    children = part.get_payload()
    nested = children[0] if isinstance(children, list) and children else None
    subject = decode_words(unfolded(str(nested.get("Subject", "")))) if isinstance(nested, Message) else ""
    return f"{' '.join(re.sub(r'[/:*?<>|]+', ' ', subject).split())[:120] or 'message'}.eml"


def nested_source(part: Message) -> bytes:
    """The octets of the messages inside a message/* part, as near to what was sent as the parser kept them."""
    children = part.get_payload()
    nested = [child for child in children if isinstance(child, Message)] if isinstance(children, list) else []
    if transfer_encoding(part) == "base64" and len(nested) == 1 and not nested[0].is_multipart():
        return from_base64(str(nested[0].get_payload()).encode("ascii", "replace"))
    return b"\n".join(_source(child, 0) for child in nested)


def _source(message: Message, depth: int) -> bytes:
    head = "".join(f"{name}: {value}\n" for name, value in message.raw_items()) + "\n"
    source = head.encode("utf-8", "surrogateescape")
    payload = message.get_payload()
    if not isinstance(payload, list):
        return source + undecoded_payload(message)
    if depth >= MAX_PART_DEPTH:
        return source
    parts = [_source(child, depth + 1) for child in payload if isinstance(child, Message)]
    if message.get_content_maintype() != "multipart":
        return source + b"\n".join(parts)
    boundary = b"--" + (message.get_boundary() or "").encode("utf-8", "replace")
    return source + b"".join(boundary + b"\n" + part + b"\n" for part in parts) + boundary + b"--\n"
