"""Files that stand encoded inside a text: uuencode (POSIX) and yEnc, as news readers and old mailers write them."""

import binascii
import re
from collections.abc import Iterable, Iterator

from mailflow.core.octets import Octets, slices
from mailflow.reading.charset import clean, decode

_LONGEST_LINE = 1_000
"""Characters; a line of uuencode has 61."""


def uuencode_slices(octets: Octets, start: int, end: int, size: int) -> Iterator[bytes]:
    """The file of a part whose transfer encoding is x-uuencode; without a `begin` line all of it is data."""
    begin = start if octets[start : start + 6] == b"begin " else octets.find(b"\nbegin ", start, end)
    first = start
    if begin >= 0:
        line_end = octets.find(b"\n", begin + 1, end)
        first = line_end + 1 if line_end >= 0 else end
    torn = ""
    for one in slices(octets, first, end, size):
        *lines, torn = (torn + one.decode("latin-1")).split("\n")
        whole, torn = [line.rstrip("\r") for line in lines], torn[:_LONGEST_LINE]
        stop = next((number for number, line in enumerate(whole) if line.strip() == "end"), len(whole))
        yield _uu_decoded(whole[:stop])
        if stop < len(whole):
            return
    yield b"" if torn.strip() == "end" else _uu_decoded([torn])


MAX_FILES = 100
"""Files that are taken out of one text; what is behind them stays text."""
_UU_BEGIN = re.compile(r"^begin [0-7]{3,4} (\S.*)$")


def without_uuencoded(text: str) -> tuple[str, list[tuple[str, bytes]]]:
    """`text` less the files that are uuencoded in it, and those files: (name, content)."""
    lines = text.split("\n")
    kept: list[str] = []
    files: list[tuple[str, bytes]] = []
    position = 0
    while position < len(lines):
        begin = _UU_BEGIN.match(lines[position]) if len(files) < MAX_FILES else None
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


# ---- yEnc 1.3 -----------------------------------------------------------------------------------------------

_YENC_BEGIN = re.compile(rb"^=ybegin [^\r\n]*?name=([^\r\n]*)\r?\n(?:=ypart [^\r\n]*\r?\n)?", re.MULTILINE)
_YENC_END = re.compile(rb"^=yend(?: [^\r\n]*)?(?:\r?\n|\Z)", re.MULTILINE)
_YENC_ESCAPE = re.compile(rb"=(.)", re.DOTALL)
_SHIFTED = bytes((octet - 42) % 256 for octet in range(256))


def without_yencoded(data: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The octets of a text less the files that are yEnc-encoded in it, and those files: (name, content)."""
    kept: list[bytes] = []
    files: list[tuple[str, bytes]] = []
    position = 0
    for _ in range(MAX_FILES):
        begin = _YENC_BEGIN.search(data, position)
        end = _YENC_END.search(data, begin.end()) if begin else None
        if begin is None or end is None:
            break
        files.append((clean(decode(begin[1]).strip()), _yenc_decoded(data[begin.end() : end.start()])))
        kept.append(data[position : begin.start()])
        position = end.end()
    return b"".join((*kept, data[position:])), files


def _yenc_decoded(lines: bytes) -> bytes:
    plain = lines.translate(None, b"\r\n")
    return _YENC_ESCAPE.sub(lambda found: bytes(((found[1][0] - 64) % 256,)), plain).translate(_SHIFTED)
