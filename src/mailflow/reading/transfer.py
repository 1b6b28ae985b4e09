"""Transfer encodings undone (RFC 2045, 6): total, as much as can be had of what is broken.

Rule: what claims to be base64 and plainly is not is taken as it stands. Why: gateways change one and not the other.
Rule: all is decoded slice by slice, and the slices may be cut anywhere: nobody holds a large file to learn its size.
"""

import binascii
import re
from collections.abc import Callable, Iterable, Iterator

from mailflow.core.octets import SLICE, Octets, slices
from mailflow.reading.uuencode import uuencode_slices

_ENCODING_NAME = re.compile(r"[a-z0-9-]+")
_ALIASES = {
    "x-uue": "x-uuencode",
    "uue": "x-uuencode",
    "uuencode": "x-uuencode",
    "qp": "quoted-printable",
    "quoted-printible": "quoted-printable",
    "quotedprintable": "quoted-printable",
    "quoted": "quoted-printable",
    "base-64": "base64",
    "b64": "base64",
    "7-bit": "7bit",
    "8-bit": "8bit",
}


def encoding_name(value: str) -> str:
    """The transfer encoding that this value of Content-Transfer-Encoding names, in lower case and spelled right."""
    found = _ENCODING_NAME.search(value.lower()) if value else None
    return _ALIASES.get(found[0], found[0]) if found else ""


def is_plain(encoding: str) -> bool:
    """Whether octets under `encoding` are what they are, or at least nobody knows better."""
    return encoding not in _DECODERS


def decoded(octets: bytes, encoding: str) -> bytes:
    """`octets` with `encoding` (as of `encoding_name`) undone as far as it goes."""
    return b"".join(decoded_slices(octets, 0, len(octets), encoding))


def decoded_slices(octets: Octets, start: int, end: int, encoding: str, size: int = SLICE) -> Iterator[bytes]:
    """As `decoded`, of the range from `start` to `end`, in slices of at most about `size` octets."""
    return _DECODERS.get(encoding, slices)(octets, start, end, size)


def first_octets(pieces: Iterable[bytes], length: int) -> bytes:
    """The first `length` octets of `pieces`; the rest is not asked for."""
    taken, missing = [], length
    for piece in pieces:
        taken.append(piece[:missing])
        missing -= len(taken[-1])
        if missing <= 0:
            break
    return b"".join(taken)


# ---- base64 -------------------------------------------------------------------------------------------------

_BASE64 = bytes(sorted(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=\r\n"))
_BASE64_LINES = _BASE64 + b" \t\v\f"
_FOREIGN = bytes(octet for octet in range(256) if octet not in _BASE64.translate(None, b"=\r\n"))
_FOOTER_MARKS = (b"\n--", b"\n__", b"\n**")
_FOOTER_RULE = re.compile(rb"[-_*]{2,}[ \t\v\f\r]*(?:\n|\Z)")
_LONGEST_RULE = 1_000
MAX_PIECES = 100_000
"""Pieces of base64 that are read of one part."""
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
"""RFC 4648, 5."""
_SAMPLE = 400
_FOREIGN_SHARE = 0.08
"""Words have a space each, so a share above this is no base64; a stray mark in a line of 76 is far below."""


def _from_base64(octets: Octets, start: int, end: int, size: int) -> Iterator[bytes]:
    """RFC 2045, 6.8. Pieces that were encoded one by one are all read; a list's footer behind them is not."""
    stop = _footer(octets, start, end)
    if _is_text(octets[start : min(start + _SAMPLE, stop)].strip()):
        yield from slices(octets, start, end, size)
        return
    pad = octets.find(b"=", start, stop)
    if pad >= 0 and any(one.translate(None, _BASE64_LINES) for one in slices(octets, pad, stop, size)):
        stop = pad
    for _ in range(MAX_PIECES):
        yield from _base64_piece(octets, start, pad if pad >= 0 else stop, size)
        if pad < 0 or pad >= stop:
            return
        start = pad + 1
        pad = octets.find(b"=", start, stop)


def _footer(octets: Octets, start: int, end: int) -> int:
    """Where a line of nothing but marks begins; `end` where there is none."""
    first = end
    for mark in _FOOTER_MARKS:
        found = octets.find(mark, start, first)
        while found >= 0 and not _FOOTER_RULE.match(octets[found + 1 : min(found + _LONGEST_RULE, end)]):
            found = octets.find(mark, found + 1, first)
        first = found if found >= 0 else first
    return first


def _is_text(sample: bytes) -> bool:
    foreign = sample.translate(None, _BASE64)
    return len(foreign) > _FOREIGN_SHARE * len(sample) and (len(foreign) > 2 or b" " in foreign)


def _base64_piece(octets: Octets, start: int, end: int, size: int) -> Iterator[bytes]:
    """The octets of one piece without padding; a last digit that is alone says nothing."""
    digits = b""
    for one in slices(octets, start, end, size):
        digits += one.translate(_URL_SAFE, _FOREIGN)
        whole = len(digits) // 4 * 4
        yield binascii.a2b_base64(digits[:whole])
        digits = digits[whole:]
    if len(digits) > 1:
        yield binascii.a2b_base64(digits + b"==")


# ---- quoted-printable ---------------------------------------------------------------------------------------

_PADDED_BREAK = re.compile(rb"=[ \t]+(?=\r?\n)")
_PADDED_END = re.compile(rb"=[ \t]+\Z")
_OPEN_ENDED = re.compile(rb"=+(?:[0-9A-Fa-f]?|[ \t]+\r?)")
_MAX_OPEN = 4 * SLICE
"""Octets after which a line that never ends is cut wherever it is."""


def _from_quoted_printable(octets: Octets, start: int, end: int, size: int) -> Iterator[bytes]:
    """RFC 2045, 6.7. Blanks between a soft line break's `=` and the line end were added on the way and go."""
    data = b""
    for one in slices(octets, start, end, size):
        data += one
        whole = _whole(data) if len(data) < _MAX_OPEN else len(data)
        if whole:
            yield _without_quoting(data[:whole])
            data = data[whole:]
    yield _without_quoting(_PADDED_END.sub(b"=", data))


def _without_quoting(data: bytes) -> bytes:
    return binascii.a2b_qp(_PADDED_BREAK.sub(b"=", data) if b"= " in data or b"=\t" in data else data)


def _whole(data: bytes) -> int:
    """Up to where what follows cannot change the meaning: a line end, or at least no `=` whose line goes on."""
    if line_end := data.rfind(b"\n") + 1:
        return line_end
    skipping = data.find(b"=\r")
    last = skipping if skipping >= 0 else data.rfind(b"=")
    marks = len(data[: max(last, 0)].rstrip(b"="))
    return marks if skipping >= 0 or _OPEN_ENDED.fullmatch(data, marks) else len(data)


_DECODERS: dict[str, Callable[[Octets, int, int, int], Iterator[bytes]]] = {
    "base64": _from_base64,
    "quoted-printable": _from_quoted_printable,
    "x-uuencode": uuencode_slices,
}
