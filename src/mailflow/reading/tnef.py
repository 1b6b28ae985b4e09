"""What Outlook packed into winmail.dat: attachments and the body (MS-OXTNEF; property tags of MS-OXPROPS).

Rule: every count that the file states is bounded by the octets that are there. Why own code: the package for it takes
counts at their word, so that sixty octets keep it busy for hours, and strips trailing zeros off attachments.
Rule: the octets pass by once; of a file only its size and hash are kept, however large it is.
Rule: a message inside is one attachment and is not opened.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mailflow.reading import rtf
from mailflow.reading.attachment import Measured, measured
from mailflow.reading.charset import clean, decode
from mailflow.reading.transfer import first_octets

_SIGNATURE = b"\x78\x9f\x3e\x22"
MAX_ATTRIBUTES = 2_000
MAX_VALUE = 8 * 2**20
"""Octets of one value that are read; of a file all are counted."""
_ATTACHMENT_STARTS, _TITLE, _DATA, _ATTACHMENT_PROPERTIES = 0x9002, 0x8010, 0x800F, 0x9005
_MESSAGE_PROPERTIES, _BODY, _CODE_PAGE = 0x9003, 0x800C, 0x9007

_SIZES = {0x0002: 4, 0x0003: 4, 0x0004: 4, 0x000A: 4, 0x000B: 4, 0x0005: 8, 0x0006: 8, 0x0007: 8, 0x0014: 8}
_SIZES |= {0x0040: 8, 0x0048: 16}
"""Octets of a value by property type, padding included."""
_STRING, _UNICODE, _OBJECT, _BINARY = 0x001E, 0x001F, 0x000D, 0x0102
_MULTIPLE = 0x1000
_FIRST_NAMED = 0x8000

_PR_BODY, _PR_RTF, _PR_HTML, _PR_CODE_PAGE = 0x1000, 0x1009, 0x1013, 0x3FDE
_PR_NAME, _PR_DATA, _PR_SHORT_NAME, _PR_LONG_NAME = 0x3001, 0x3701, 0x3704, 0x3707
_PR_TYPE, _PR_CONTENT_ID = 0x370E, 0x3712
_INTERFACE = 16
"""Octets before the data of an embedded object: the identifier of its interface."""


@dataclass(slots=True)
class PackedFile:
    filename: str = ""
    content_type: str = ""
    content: Measured = field(default_factory=lambda: measured(()))
    content_id: str = ""


@dataclass(slots=True)
class Tnef:
    files: list[PackedFile] = field(default_factory=list)
    text: str = ""
    """The plain text body, or that of the rich text; '' if there is an HTML body or none."""
    html: str = ""
    is_cut: bool = False
    """Whether something other than a plain file has more than MAX_VALUE octets, which were not all read."""


class _Passing:
    """Octets that come in pieces, each of which is taken once."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces, self._at_hand = iter(pieces), b""

    def slices(self, length: int) -> Iterator[bytes]:
        """The next `length` octets, as far as there are so many."""
        while length > 0 and (one := self._at_hand or next(self._pieces, None)) is not None:
            taken, self._at_hand = one[:length], one[length:]
            length -= len(taken)
            yield taken

    def take(self, length: int) -> bytes:
        return first_octets(self.slices(length), length)


def unpack(content: Iterable[bytes]) -> Tnef | None:
    """The contents of a winmail.dat; None if it is none. Of a damaged one what stands before the damage."""
    octets = _Passing(content)
    if not octets.take(6).startswith(_SIGNATURE):
        return None
    read = Tnef()
    codepage = "cp1252"
    body = b""
    for identifier, pieces in _attributes(octets):
        if identifier == _DATA and read.files:
            read.files[-1].content = measured(pieces)
            continue
        value = first_octets(pieces, MAX_VALUE + 1)
        read.is_cut |= len(value) > MAX_VALUE
        if identifier == _CODE_PAGE:
            codepage = _codepage(value)
        elif identifier == _BODY:
            body = value
        elif identifier == _ATTACHMENT_STARTS:
            read.files.append(PackedFile())
        elif identifier == _MESSAGE_PROPERTIES:
            _take_bodies(read, value, codepage)
        elif read.files:
            _take_file(read.files[-1], identifier, value, codepage)
    if not read.text and not read.html:
        read.text = _string(body, codepage)
    return read


def _attributes(octets: _Passing) -> Iterator[tuple[int, Iterator[bytes]]]:
    """Identifier and value of each (MS-OXTNEF, 2.1.3.3: level, identifier, type, length, value, checksum)."""
    for _ in range(MAX_ATTRIBUTES):
        head = octets.take(9)
        if len(head) < 9:
            return
        pieces = octets.slices(_number(head, 5, 4))
        yield _number(head, 1, 2), pieces
        measured(pieces)  # what nobody asked for has to pass by, too
        octets.take(2)


def _take_bodies(read: Tnef, properties: bytes, codepage: str) -> None:
    found = dict(_properties(properties, codepage))
    number = found.get(_PR_CODE_PAGE)
    internet = _codepage(number) if isinstance(number, bytes) else codepage
    html, text, packed = found.get(_PR_HTML, b""), found.get(_PR_BODY, ""), found.get(_PR_RTF)
    read.html = decode(html, internet) if isinstance(html, bytes) else html
    read.text = text if isinstance(text, str) else _string(text, internet)
    if not read.html and not read.text and isinstance(packed, bytes):
        read.text = rtf.rtf_text(rtf.unpacked(packed))


def _take_file(file: PackedFile, identifier: int, value: bytes, codepage: str) -> None:
    if identifier == _TITLE:
        file.filename = file.filename or _line(_string(value, codepage))
    elif identifier == _ATTACHMENT_PROPERTIES:
        found = dict(_properties(value, codepage))
        long, short, name = (_line(found.get(tag, "")) for tag in (_PR_LONG_NAME, _PR_SHORT_NAME, _PR_NAME))
        file.filename = long or short or file.filename or name
        file.content_type = _line(found.get(_PR_TYPE, "")) or file.content_type
        file.content_id = _line(found.get(_PR_CONTENT_ID, "")).strip("<> ") or file.content_id
        content = found.get(_PR_DATA)
        file.content = measured([content]) if isinstance(content, bytes) else file.content


def _properties(data: bytes, codepage: str) -> Iterator[tuple[int, str | bytes]]:
    """The tagged properties of a property list (MS-OXTNEF, 2.1.3.5), text as str; ends where the list breaks off."""
    at = 4
    while at + 4 <= len(data):
        kind, tag = _number(data, at, 2), _number(data, at + 2, 2)
        at += 4
        if tag >= _FIRST_NAMED:
            at += 16
            length = _number(data, at + 4, 4)
            at += 8 + (_padded(length) if _number(data, at, 4) else 0)
        base = kind & ~_MULTIPLE
        count = 1
        if base in (_STRING, _UNICODE, _OBJECT, _BINARY) or kind & _MULTIPLE:
            count = _number(data, at, 4)
            at += 4
        if base in _SIZES:
            yield tag, data[at : at + _SIZES[base]]
            at += _SIZES[base] * count
            continue
        if base not in (_STRING, _UNICODE, _OBJECT, _BINARY):
            return
        for _ in range(min(count, len(data) // 4)):
            length = _number(data, at, 4)
            value = data[at + 4 : at + 4 + length]
            at += 4 + _padded(length)
            if at > len(data) + 3:
                return
            yield tag, _value(base, value, codepage)


def _value(kind: int, value: bytes, codepage: str) -> str | bytes:
    if kind == _UNICODE:
        return clean(value.decode("utf-16-le", "replace"))
    if kind == _STRING:
        return _string(value, codepage)
    return value[_INTERFACE:] if kind == _OBJECT else value


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _padded(length: int) -> int:
    return length + -length % 4


def _string(value: bytes, codepage: str) -> str:
    return decode(value.rstrip(b"\0"), codepage)


def _line(value: str | bytes) -> str:
    """A name; '' where the property holds no text."""
    return " ".join(value.split()) if isinstance(value, str) else ""


def _codepage(value: bytes) -> str:
    number = _number(value, 0, 4)
    return {65001: "utf-8", 20127: "us-ascii", 28591: "iso-8859-1", 20866: "koi8-r"}.get(number, f"cp{number}")
