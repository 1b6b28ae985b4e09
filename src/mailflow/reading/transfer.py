"""Transfer encodings undone (RFC 2045, 6; POSIX uuencode): total, as much as can be had of what is broken."""

import binascii
import re
from collections.abc import Iterable
from email.message import Message

from mailflow.reading.charset import clean

_ENCODING_NAME = re.compile(r"[a-z0-9-]+")
_ENCODING_ALIASES = {"x-uue": "x-uuencode", "uue": "x-uuencode", "uuencode": "x-uuencode", "qp": "quoted-printable"}
_ENCODING_ALIASES |= {
    "quoted-printible": "quoted-printable",
    "quotedprintable": "quoted-printable",
    "base-64": "base64",
}


_ENCODINGS = frozenset({"base64", "quoted-printable", "x-uuencode"})


def transfer_encoding(part: Message) -> str:
    found = _ENCODING_NAME.search(str(part.get("Content-Transfer-Encoding", "") or "").lower())
    name = found[0] if found else ""
    return _ENCODING_ALIASES.get(name, name)


def undecoded_payload(part: Message) -> bytes:
    """The octets of a leaf as they were sent.

    Why two ways: of the two views that email.message has, the encoded one loses octets outside ASCII (they become
    U+FFFD), the decoded one keeps them where there is nothing to decode.
    """
    encoded = part.get_payload()
    decoded = part.get_payload(decode=True)
    if isinstance(decoded, bytes) and transfer_encoding(part) not in _ENCODINGS:
        return decoded
    return str(encoded or "").encode("utf-8", "replace")


def decoded_payload(part: Message) -> bytes:
    """The octets of a leaf, its Content-Transfer-Encoding undone as far as it goes; b'' for a multipart. Total."""
    if part.is_multipart():
        return b""
    encoding = transfer_encoding(part)
    if encoding in _DECODERS:
        return _DECODERS[encoding](str(part.get_payload()).encode("ascii", "replace"))
    data = part.get_payload(decode=True)
    octets = data if isinstance(data, bytes) else b""
    is_decoded = str(part.get("Content-Transfer-Encoding", "")).lower() == "quoted-printable"
    return binascii.a2b_qp(octets) if encoding == "quoted-printable" and not is_decoded else octets


_BASE64_LINES = re.compile(rb"[A-Za-z0-9+/=\s]+")


_FOOTER_RULE = re.compile(rb"^[-_*]{2,}\s*$", re.MULTILINE)


def from_base64(data: bytes) -> bytes:
    """RFC 2045, 6.8. Pieces that were encoded one by one are all read; a list's footer behind them is not."""
    footer = _FOOTER_RULE.search(data)
    octets = bytearray()
    rest = data[: footer.start()] if footer else data
    while rest.strip():
        head, pad, rest = rest.partition(b"=")
        octets += _padded_base64(head)
        rest = rest.lstrip(b"= \t\r\n") if pad else b""
        if rest and not _BASE64_LINES.fullmatch(rest):
            break
    return bytes(octets)


def _padded_base64(data: bytes) -> bytes:
    try:
        return binascii.a2b_base64(data + b"==")
    except binascii.Error:
        packed = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
        return binascii.a2b_base64(packed[: len(packed) // 4 * 4])


def _from_uuencode(data: bytes) -> bytes:
    lines = data.decode("latin-1").replace("\r\n", "\n").split("\n")
    begin = next((number for number, line in enumerate(lines) if line.startswith("begin ")), -1)
    end = next((number for number in range(begin + 1, len(lines)) if lines[number].strip() == "end"), len(lines))
    return _uu_decoded(lines[begin + 1 : end])


_DECODERS = {"base64": from_base64, "x-uuencode": _from_uuencode}


# ---- uuencoded files inside a text ---------------------------------------------------------------------------

_UU_BEGIN = re.compile(r"^begin [0-7]{3,4} (\S.*)$")


def without_uuencoded(text: str) -> tuple[str, list[tuple[str, bytes]]]:
    """`text` less the files that are uuencoded in it (POSIX uuencode), and those files."""
    lines = text.split("\n")
    kept: list[str] = []
    files: list[tuple[str, bytes]] = []
    position = 0
    while position < len(lines):
        begin = _UU_BEGIN.match(lines[position])
        taken = _uu_lines(lines, position + 1) if begin else None
        if begin and taken:
            files.append((clean(begin[1].strip()), _uu_decoded(lines[position + 1 : taken])))
            position = taken + 1
        else:
            kept.append(lines[position])
            position += 1
    return "\n".join(kept).strip("\n"), files


def _uu_lines(lines: list[str], start: int) -> int | None:
    """Where the `end` of the uuencoded lines from `start` stands; None if they are none."""
    for number in range(start, len(lines)):
        line = lines[number].rstrip()
        if line == "end":
            return number
        if line and (len(line) > 90 or not all(" " <= char <= "`" for char in line)):
            return None
    return None


def _uu_decoded(lines: Iterable[str]) -> bytes:
    octets = bytearray()
    for line in lines:
        packed = line.rstrip("\r\n").encode("ascii", "replace")
        if not packed.strip(b" `"):
            continue
        try:
            octets += binascii.a2b_uu(packed)
        except binascii.Error:
            wanted = (((packed[0] - 32) & 63) * 4 + 5) // 3
            try:
                octets += binascii.a2b_uu(packed[:wanted])
            except binascii.Error:
                continue
    return bytes(octets)
