"""Transfer encodings undone (RFC 2045, 6): total, as much as can be had of what is broken.

Rule: what claims to be base64 and plainly is not is taken as it stands. Why: gateways change one and not the other.
"""

import binascii
import re
from collections.abc import Callable
from email.message import Message

from mailflow.reading.uuencode import from_uuencode

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


def decoded(octets: bytes, encoding: str) -> bytes:
    """`octets` with `encoding` (as of `encoding_name`) undone as far as it goes."""
    decoder = _DECODERS.get(encoding)
    return decoder(octets) if decoder else octets


def decoded_payload(part: Message) -> bytes:
    """The octets of a leaf, its Content-Transfer-Encoding undone as far as it goes; b'' for a container. Total."""
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


# ---- base64 -------------------------------------------------------------------------------------------------

_BASE64 = bytes(sorted(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=\r\n"))
_BASE64_LINES = re.compile(rb"[A-Za-z0-9+/=\s]+")
_FOOTER_RULE = re.compile(rb"^[-_*]{2,}\s*$", re.MULTILINE)
_FOOTER_MARKS = (b"\n--", b"\n__", b"\n**")
MAX_PIECES = 100_000
"""Pieces of base64 that are read of one part."""
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
"""RFC 4648, 5."""
_SAMPLE = 400
_FOREIGN_SHARE = 0.08
"""Words have a space each, so a share above this is no base64; a stray mark in a line of 76 is far below."""


def from_base64(data: bytes) -> bytes:
    """RFC 2045, 6.8. Pieces that were encoded one by one are all read; a list's footer behind them is not."""
    footer = _FOOTER_RULE.search(data) if any(mark in data for mark in _FOOTER_MARKS) else None
    rest = data[: footer.start()] if footer else data
    if _is_text(rest[:_SAMPLE].strip()):
        return data
    if b"-" in rest or b"_" in rest:
        rest = rest.translate(_URL_SAFE)
    head, _, behind = rest.partition(b"=")
    pieces = rest.split(b"=", MAX_PIECES) if _BASE64_LINES.fullmatch(behind) else [head]
    return b"".join(map(_padded_base64, pieces))


def _is_text(sample: bytes) -> bool:
    foreign = sample.translate(None, _BASE64)
    return len(foreign) > _FOREIGN_SHARE * len(sample) and (len(foreign) > 2 or b" " in foreign)


def _padded_base64(data: bytes) -> bytes:
    try:
        return binascii.a2b_base64(data + b"==")
    except binascii.Error:
        packed = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
        return binascii.a2b_base64(packed[: len(packed) // 4 * 4])


# ---- quoted-printable ---------------------------------------------------------------------------------------

_PADDED_BREAK = re.compile(rb"=[ \t]+(?=\r?\n|\Z)")


def from_quoted_printable(data: bytes) -> bytes:
    """RFC 2045, 6.7. Blanks between a soft line break's `=` and the line end were added on the way and go."""
    if b"= " in data or b"=\t" in data:
        data = _PADDED_BREAK.sub(b"=", data)
    return binascii.a2b_qp(data)


_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "base64": from_base64,
    "quoted-printable": from_quoted_printable,
    "x-uuencode": from_uuencode,
}
