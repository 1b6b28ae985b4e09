"""What a person looks at beside the text of a mail: its HTML as it was sent, the pictures in it, its files.

Rule: nothing of it is judged here, and nothing is safe to show: whoever shows it makes it so (web/letter.py).
Rule: a file is asked for by its SHA-256, as `Attachment` has it, so that the file that is saved is the one that was
described, wherever in the mail it lay. What Outlook packed into winmail.dat is only had as a whole.
"""

import base64
import re
from collections.abc import Iterable, Iterator

from mailflow.core.octets import Octets
from mailflow.reading import sealed
from mailflow.reading.attachment import content_id, disposition, measured
from mailflow.reading.charset import decode
from mailflow.reading.html_text import MAX_HTML
from mailflow.reading.mime_tree import MAX_UNPACKED, Part, mime_tree
from mailflow.reading.plain_text import plain_text
from mailflow.reading.uuencode import without_uuencoded, without_yencoded

MAX_PICTURES = 4 * 2**20
"""Octets of all pictures of a letter together that are shown in it."""
PICTURE_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""Why no SVG: it is a document with scripts and links of its own."""
_META_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""", re.IGNORECASE)


def html_of(content: Octets) -> str:
    """The HTML body, '' where there is none."""
    for part in _leaves(content):
        if part.get_content_type() == "text/html" and disposition(part).kind != "attachment":
            octets = part.unpacked(MAX_HTML)
            declared = part.parameters.get("charset", "")
            meta = _META_CHARSET.search(octets, 0, 4096) if declared.lower() in ("", "us-ascii") else None
            return decode(octets, meta[1].decode("ascii") if meta else declared)
    return ""


def pictures_of(content: Octets) -> dict[str, str]:
    """Content-ID -> `data:` URL of the pictures that a letter brings along, as many as MAX_PICTURES allow."""
    found: dict[str, str] = {}
    left = MAX_PICTURES
    for part in _leaves(content):
        name, content_type = content_id(part), part.get_content_type()
        if not name or content_type not in PICTURE_TYPES or name in found:
            continue
        octets = part.unpacked(left + 1)
        if len(octets) <= left:
            left -= len(octets)
            found[name] = f"data:{content_type};base64,{base64.b64encode(octets).decode('ascii')}"
    return found


def file_of(content: Octets, sha256: str) -> Iterable[bytes] | None:
    """The octets of the file with this hash, in slices; None where there is none."""
    for part in _leaves(content):
        if measured(part.content()).sha256 == sha256:
            return part.content()
        if part.get_content_maintype() == "text":
            for one in _packed_in_text(part):
                if measured([one]).sha256 == sha256:
                    return [one]
    return None


def _packed_in_text(part: Part) -> list[bytes]:
    octets = part.unpacked()
    found = [file for _, file in without_yencoded(octets)[1]] if b"=ybegin " in octets else []
    if b"begin " in octets:
        text = plain_text(octets, part.get_content_type(), part.parameters)
        found += [file for _, file in without_uuencoded(text)[1]]
    return found


def _leaves(content: Octets) -> Iterator[Part]:
    """Every part that holds no others, in order; what is only signed is opened."""
    waiting: list[Part] = [mime_tree(content)[0]]
    opened = 0
    while waiting:
        part = waiting.pop()
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting += reversed(part.get_payload())
            continue
        yield part
        if part.get_content_type() in sealed.OPAQUE_TYPES and not opened:
            opened += 1
            inside = sealed.signed_content(part.unpacked(MAX_UNPACKED))
            if inside is not None:
                waiting.append(mime_tree(inside)[0])
