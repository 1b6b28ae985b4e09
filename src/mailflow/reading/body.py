"""The readable body of a mail and what hangs on it: which parts are the text (RFC 2045-2049, 2183, 2387).

Rule: nothing inside a message/* part is the sender's own text; such a part is one attachment.
Rule: a text part that is marked as attachment is one; so is one with a file name, unless it comes first in its
multipart (RFC 8621, 4.1.4) or after a picture that is shown, as phones write text and pictures in turns.
Rule: of alternatives the plain text is read. Why: it is what the sender's client made for programs, and quoting in it
is visible. The HTML is read where it says what the plain text does not, and both where each says its own.
Rule: a mail without any body is read from what is left: names, rich text, an invitation. No word is lost.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mailflow.core.message import Attachment, Defect, Span
from mailflow.reading import sealed
from mailflow.reading.alternatives import Piece, best_alternative
from mailflow.reading.attachment import Disposition, attachment, content_id, described, disposition, measured
from mailflow.reading.charset import decode
from mailflow.reading.html_text import MAX_HTML, Page
from mailflow.reading.invitation import invitation_text
from mailflow.reading.mime_tree import MAX_UNPACKED, Part, mime_tree, reread
from mailflow.reading.plain_text import plain_text
from mailflow.reading.rtf import rtf_text
from mailflow.reading.tnef import unpack
from mailflow.reading.uuencode import without_uuencoded, without_yencoded

MAX_TEXT = 500_000
"""Characters of body text that are kept."""
MAX_OCTETS = 4 * 2**20
"""Octets that are read as text, of all parts together; no charset needs as many for MAX_TEXT characters."""
MAX_REREAD = 5
"""Parts of a mail that are read anew: under another boundary, or as what a signature holds."""
MAX_RESORTS = 50
"""Leaves that are looked at for a mail without body."""


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
    packed: list[Piece] = field(default_factory=list)
    """Bodies that lay in a winmail.dat."""
    rereads: int = 0
    octets_left: int = MAX_OCTETS
    html_left: int = MAX_HTML

    def defect(self, defect: Defect | None) -> None:
        if defect:
            self.defects.setdefault(defect.code, defect)


def read_body(message: Part) -> Body:
    """Text and attachments of `message`. Total."""
    found = _Found()
    pieces = [piece for piece in _read(message, found) if piece.says_something]
    if not pieces:
        pieces = [piece for piece in (*found.packed, *_last_resort(message)) if piece.says_something]
    text, quoted = _joined(pieces)
    if len(text) > MAX_TEXT:
        found.defect(_TEXT_CAPPED)
        text = text[:MAX_TEXT]
        quoted = tuple(Span(span.start, min(span.end, MAX_TEXT)) for span in quoted if span.start < MAX_TEXT)
    attachments = tuple(
        Attachment(item.filename, item.content_type, item.size, item.sha256, item.is_inline or cid in found.content_ids)
        for item, cid in found.attachments
    )
    return Body(text, quoted, attachments, tuple(found.defects.values()))


_TEXT_CAPPED = Defect("text_capped", f"The text has more than {MAX_TEXT} characters; the rest was not read.")
_BROKEN = Defect("broken_multipart", "A multipart has no parts; what is in it was read as text.")
_WRONG_BOUNDARY = Defect("broken_multipart", "A multipart names another boundary than it uses; that one was taken.")
_TOO_LARGE = Defect("too_large", f"A part that holds others has over {MAX_UNPACKED} octets; the rest was not read.")
_TNEF = Defect("tnef", "Outlook packed parts of the mail into winmail.dat, in which nothing was found.")


def _joined(pieces: Iterable[Piece]) -> tuple[str, tuple[Span, ...]]:
    """The text of the first pieces up to the one that goes beyond MAX_TEXT, and what of it is quoted."""
    text = ""
    quoted: list[Span] = []
    for piece in pieces:
        if len(text) > MAX_TEXT:
            break
        text += "\n\n" if text else ""
        quoted += [Span(span.start + len(text), span.end + len(text)) for span in piece.quoted]
        text += piece.text
    return text, tuple(quoted)


# ---- the walk -----------------------------------------------------------------------------------------------

_DATA_AS_TEXT = frozenset(
    f"text/{kind}"
    for kind in "calendar x-vcard vcard directory x-vcalendar rtf rfc822-headers csv css javascript xml "
    "tab-separated-values".split()
)
_NAMED_BODIES = frozenset({"text/plain", "text/html"})
_IGNORED_ALTERNATIVES = frozenset({"text/x-amp-html", "text/watch-html"})
_TNEF_TYPES = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})


def _read(part: Part, found: _Found, is_lead: bool = True) -> list[Piece]:
    """The body pieces of `part` in order; attachments and defects go to `found`. `is_lead`: a name does not matter."""
    content_type = part.get_content_type()
    if content_type.startswith("multipart/"):
        return _read_multipart(part, content_type, found)
    placed = disposition(part)
    if _is_body(content_type, placed, is_lead):
        return [] if content_type in _IGNORED_ALTERNATIVES else _text_pieces(part, content_type, found)
    found.attachments.append((attachment(part, placed), content_id(part)))
    if content_type in sealed.OPAQUE_TYPES:
        return _read_sealed(part, found)
    found.defect(sealed.defect_of(content_type))
    if content_type in _TNEF_TYPES or placed.filename.lower() == "winmail.dat":
        _unpack(part, found)
    return []


def _is_body(content_type: str, placed: Disposition, is_lead: bool) -> bool:
    if not content_type.startswith("text/") or placed.kind == "attachment" or content_type in _DATA_AS_TEXT:
        return False
    return not placed.filename or (is_lead and content_type in _NAMED_BODIES)


def _read_multipart(part: Part, content_type: str, found: _Found) -> list[Piece]:
    if not part.is_multipart():
        return _read_broken_multipart(part, found)
    found.defect(sealed.defect_of(content_type))
    children: list[Part] = part.get_payload()
    if content_type == "multipart/related":
        return _read_related(part, children, found)
    leads = [number == 0 or _is_picture(children[number - 1]) for number in range(len(children))]
    read = [_read(child, found, is_lead) for child, is_lead in zip(children, leads, strict=True)]
    if content_type == "multipart/alternative":
        return best_alternative(read)
    return [piece for pieces in read for piece in pieces if piece.says_something]


def _is_picture(part: Part) -> bool:
    return part.get_content_maintype() == "image" and disposition(part).kind != "attachment"


def _read_related(part: Part, children: Sequence[Part], found: _Found) -> list[Piece]:
    """The root is the body, the others belong to it (RFC 2387); a text among them is one of its files."""
    start = part.parameters.get("start", "").strip("<> ")
    root = next(
        (child for child in children if start and content_id(child) == start), children[0] if children else None
    )
    pieces: list[Piece] = []
    for child in children:
        if child is root or child.get_content_maintype() == "multipart":
            pieces += _read(child, found)
        elif root is not None and root.get_content_maintype() in ("text", "multipart"):
            found.attachments.append((attachment(child, disposition(child)), content_id(child)))
        else:
            pieces += _read(child, found, is_lead=False)
    return pieces


_LIKELY_BOUNDARY = re.compile(rb"^--(\S{1,70})[ \t]*\r?\nContent-", re.MULTILINE | re.IGNORECASE)


def _read_broken_multipart(part: Part, found: _Found) -> list[Piece]:
    """A multipart that found no parts under its boundary: read under the boundary that its lines show, else as text."""
    boundary = _LIKELY_BOUNDARY.search(part.unpacked(MAX_OCTETS))
    if boundary and found.rereads < MAX_REREAD:
        found.rereads += 1
        mended = reread(part, boundary[1].decode("utf-8", "surrogateescape"))
        if mended.is_multipart():
            is_cut = mended.source is not part.source and len(mended.source) == MAX_UNPACKED
            found.defect(_TOO_LARGE if is_cut else None)
            found.defect(_WRONG_BOUNDARY)
            return _read(mended, found)
    found.defect(_BROKEN)
    return [Piece(plain_text(_text_octets(part, found), "text/plain", part.parameters))]


def _read_sealed(part: Part, found: _Found) -> list[Piece]:
    """S/MIME in one piece: what is only signed is opened like an envelope."""
    content = sealed.signed_content(_unpacked(part, found)) if found.rereads < MAX_REREAD else None
    found.rereads += 1
    if content is None:
        found.defect(sealed.defect_of(part.get_content_type()))
        return []
    found.defect(sealed.SMIME_SIGNED)
    return _read(mime_tree(content)[0], found)


def _unpacked(part: Part, found: _Found) -> bytes:
    """The content of a part in which others are packed, as much as is read of it."""
    octets = part.unpacked(MAX_UNPACKED + 1)
    found.defect(_TOO_LARGE if len(octets) > MAX_UNPACKED else None)
    return octets[:MAX_UNPACKED]


def _unpack(part: Part, found: _Found) -> None:
    packed = unpack(part.content())
    found.defect(_TOO_LARGE if packed is not None and packed.is_cut else None)
    if packed is None or not (packed.files or packed.text or packed.html):
        found.defect(_TNEF)
        return
    for file in packed.files:
        content_type = file.content_type or "application/octet-stream"
        found.attachments.append((described(file.filename, content_type, file.content), file.content_id))
    if packed.html:
        found.packed.append(_page(packed.html, found))
    elif packed.text:
        found.packed.append(Piece(packed.text[:MAX_TEXT].replace("\r\n", "\n").strip("\n")))


# ---- text parts ---------------------------------------------------------------------------------------------

_META_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""", re.IGNORECASE)
_HTML_DOCUMENT = re.compile(r"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)


_BEFORE_CUT = 65_536


def _text_octets(part: Part, found: _Found) -> bytes:
    """The content of a text part as far as MAX_OCTETS allow."""
    octets = part.unpacked(found.octets_left + 1)
    if len(octets) > found.octets_left:
        found.defect(_TEXT_CAPPED)
        octets = _whole_characters(octets)
    found.octets_left -= len(octets)
    return octets


def _whole_characters(octets: bytes) -> bytes:
    """`octets` without the last one, and without a character that this tears: its charset would not be found."""
    most = len(octets) - 1
    if b"\0" in octets[:_BEFORE_CUT]:
        return octets[: most // 4 * 4]  # units of two or four octets
    line_end = octets.rfind(b"\n", max(0, most - _BEFORE_CUT), most)
    starts = (at for at in range(most, max(0, most - 4), -1) if octets[at] & 0xC0 != 0x80)  # of UTF-8 characters
    return octets[: line_end + 1 if line_end >= 0 else next(starts, most)]


def _text_pieces(part: Part, content_type: str, found: _Found) -> list[Piece]:
    octets = _text_octets(part, found)
    if content_type == "text/html":
        return [_html_piece(octets, part.parameters.get("charset", ""), found)]
    if b"=ybegin " in octets:
        octets, files = without_yencoded(octets)
        found.attachments += [
            (described(name, "application/octet-stream", measured([content])), "") for name, content in files
        ]
    text = plain_text(octets, content_type, part.parameters)
    if text.startswith("<") and _HTML_DOCUMENT.match(text):
        return [_html_piece(octets, part.parameters.get("charset", ""), found)]
    if "\nbegin " in f"\n{text}" and "\nend" in text:
        text, files = without_uuencoded(text)
        found.attachments += [
            (described(name, "application/octet-stream", measured([content])), "") for name, content in files
        ]
    if "-----BEGIN PGP" in text:
        text, defect = sealed.without_armour(text)
        found.defect(defect)
    return [Piece(text)]


def _html_piece(octets: bytes, charset: str, found: _Found) -> Piece:
    meta = _META_CHARSET.search(octets, 0, 4096) if charset.lower() in ("", "us-ascii") else None
    return _page(decode(octets, meta[1].decode("ascii") if meta else charset), found)


_LEAST_PAGE = 10_000
"""Characters that even a short page counts for: what its parser holds is not less."""


def _page(html: str, found: _Found) -> Piece:
    """As much of `html` as MAX_HTML allows of all parts together."""
    found.defect(_TEXT_CAPPED if len(html) > found.html_left else None)
    if found.html_left <= 0:
        return Piece()
    page = Page(html[: found.html_left])
    found.html_left -= max(len(page.source), _LEAST_PAGE)
    found.content_ids |= page.content_ids
    return Piece(page=page)


# ---- no body at all -----------------------------------------------------------------------------------------


def _last_resort(message: Part) -> list[Piece]:
    """Of a mail without body: texts that were taken for attachments because they have a name (phones name all their
    parts), else rich text, else what a calendar entry says. They stay attachments as well."""
    leaves = [part for part in _own_leaves(message) if part.get_content_maintype() == "text"]
    shown = [part for part in leaves if disposition(part).kind != "attachment" or part is message]
    named = [part for part in shown if part.get_content_type() in _NAMED_BODIES]
    again = _Found()
    pieces = [piece for part in named for piece in _text_pieces(part, part.get_content_type(), again)]
    if any(piece.says_something for piece in pieces):
        return pieces
    by_type = {part.get_content_type(): part for part in reversed(leaves)}
    if "text/rtf" in by_type:
        return [Piece(rtf_text(by_type["text/rtf"].unpacked()))]
    if "text/calendar" in by_type:
        part = by_type["text/calendar"]
        return [Piece(invitation_text(plain_text(part.unpacked(), "text/calendar", part.parameters)))]
    return _text_pieces(message, "text/plain", _Found()) if leaves == [message] else []


def _own_leaves(message: Part) -> list[Part]:
    """The first leaves of `message`, without those of messages inside it."""
    leaves: list[Part] = []
    waiting = [message]
    while waiting and len(leaves) < MAX_RESORTS:
        part = waiting.pop()
        if part.get_content_maintype() != "multipart":
            leaves.append(part)
        elif part.is_multipart():
            waiting += reversed(part.get_payload())
    return leaves
