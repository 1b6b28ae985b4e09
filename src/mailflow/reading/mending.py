"""What is plainly not the mail, or not as RFC 5322 has it, set right before parsing: lead, line ends, header lines.

Rule: only the header is written anew; of everything else the octets stay, or are seen through RegularLineEnds.
"""

import re
from bisect import bisect_right
from collections.abc import Callable

from mailflow.core.octets import SLICE, Octets, Windowed

MAX_HEADER = 1_000_000
"""Octets of a header that are read; what comes later counts as body."""
_FIRST_LOOK = 16_384

# ---- before the mail, and its line ends ---------------------------------------------------------------------

_LEAD = re.compile(rb"(?:[ \t]*\r?\n|>?From (?![ \t]*:)[^\n]*\n)+")
_FIRST_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_MANY_CRS = re.compile(rb"\r\r+\n")


def mended(content: Octets) -> tuple[Octets, int]:
    """`content` with regular line ends, and where in it the mail begins."""
    start = _lead_end(content)
    if content.find(b"\r\r\n", start, len(content)) >= 0:
        return RegularLineEnds(content, start, _with_single_crs), 0
    if content.find(b"\n", start, len(content)) < 0 <= content.find(b"\r", start, len(content)):
        return RegularLineEnds(content, start, lambda octets: octets.replace(b"\r", b"\n")), 0
    return content, start


def _with_single_crs(octets: bytes) -> bytes:
    """Why two ways: two CRs are what one gateway makes, and to look for any number of them takes ten times as long."""
    octets = octets.replace(b"\r\r\n", b"\r\n")
    return _MANY_CRS.sub(b"\r\n", octets) if b"\r\r\n" in octets else octets


def _lead_end(content: Octets) -> int:
    """Behind the blank lines and mbox `From ` lines before the mail, and the blanks before its first field."""
    head = content[:MAX_HEADER]
    lead = _LEAD.match(head) if head[:1] in b"\r\n \t>F" else None
    start = lead.end() if lead else 0
    if head[start : start + 1] in (b" ", b"\t"):
        field = len(head) - len(head[start:].lstrip(b" \t"))
        return field if _FIRST_FIELD.match(head, field) else start
    return start


class RegularLineEnds(Windowed):
    """`octets` from `start` on as `mend` makes them: mended slice by slice, each time they are looked at."""

    def __init__(self, octets: Octets, start: int, mend: Callable[[bytes], bytes], size: int = SLICE) -> None:
        self._octets, self._mend = octets, mend
        self._from, self._to = [start], [0]
        """Where the slices begin, in `octets` and in what is seen."""
        while self._from[-1] < len(octets):
            stop = self._slice_end(self._from[-1], size)
            self._to.append(self._to[-1] + len(mend(octets[self._from[-1] : stop])))
            self._from.append(stop)
        super().__init__(self._to[-1], size)

    def _slice_end(self, start: int, size: int) -> int:
        """Not between the CRs and the LF of a line end, unless there are as many as a slice has octets."""
        end = min(start + size, len(self._octets))
        while end < min(start + 2 * size, len(self._octets)) and self._octets[end - 1 : end] == b"\r":
            end += 1
        return end

    def _read(self, start: int, length: int) -> bytes:
        first = number = bisect_right(self._to, start) - 1
        seen = []
        while self._to[number] < start + length:
            seen.append(self._mend(self._octets[self._from[number] : self._from[number + 1]]))
            number += 1
        skipped = start - self._to[first]
        return b"".join(seen)[skipped : skipped + length]


# ---- the header ---------------------------------------------------------------------------------------------

_FIELDS = re.compile(rb"(?:(?:[!-9;-~]+:|[ \t])[^\n]*(?:\n|\Z))*")
_BLANK_LINE = (b"\n", b"\r\n")
_HEADER_END = re.compile(rb"\r?\n(?=\r?\n)")
_FIELD_LINE = re.compile(rb"[!-9;-~]+:|[ \t]")
_SPACED_NAME = re.compile(rb"^([!-9;-~]+)[ \t]+:", re.MULTILINE)
_UNFOLDED = re.compile(rb"(;[ \t]*\r?\n)(?=[A-Za-z0-9*-]{1,40}=)")
_KNOWN_FIELD = re.compile(
    rb"^(?:from|to|cc|subject|date|message-id|mime-version|received|return-path|delivered-to|reply-to"
    rb"|content-(?:type|transfer-encoding|disposition|id|description))[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_RESULTS = re.compile(rb"^authentication-results:[^\n]*(?:\n[ \t][^\n]*)*(?:\n|\Z)", re.IGNORECASE | re.MULTILINE)


def header(octets: Octets, start: int, end: int) -> tuple[bytes, int]:
    """The lines that are fields, mended if need be, and where behind them the next line begins."""
    head = _fields(octets, start, end)
    behind = start + len(head)
    if behind == end or octets[behind : min(behind + 2, end)].startswith(_BLANK_LINE):
        return head, behind
    look = octets[start : min(start + MAX_HEADER, end)]
    return _mended_header(look, len(head.splitlines()), start, end) or (head, behind)


def _fields(octets: Octets, start: int, end: int) -> bytes:
    """The lines that are fields or go on from one, up to MAX_HEADER octets."""
    size, most = _FIRST_LOOK, min(MAX_HEADER, end - start)
    while True:
        look = octets[start : start + min(size, most)]
        found = _FIELDS.match(look)
        length = found.end() if found else 0
        if len(look) == end - start or look.find(b"\n", length) >= 0:
            return look[:length]
        if len(look) == most:
            return look[: look.rfind(b"\n", 0, length) + 1]
        size *= 4


def _mended_header(look: bytes, regular: int, start: int, end: int) -> tuple[bytes, int] | None:
    """As `header`. Lines that are no fields are dropped if known fields follow, parameters that lost their indentation
    get it back, `Date :` loses its space (RFC 5322, 4.5). A mailbox file's `From ` line in between goes too.

    Behind the `regular` lines that are fields as they stand, Authentication-Results goes as well. Why: to our server
    the header ends there, so it has not taken out what a sender forged in its name (RFC 8601, 5).
    """
    blank = _HEADER_END.search(look)
    if (blank is None and start + len(look) < end) or not _FIRST_FIELD.match(look):
        return None
    head = look[: blank.end()] if blank else look
    lines = _UNFOLDED.sub(rb"\1 ", _SPACED_NAME.sub(rb"\1:", head)).splitlines(keepends=True)
    last = max((number for number, line in enumerate(lines) if _KNOWN_FIELD.match(line)), default=-1)
    kept = [(number, line) for number, line in enumerate(lines) if number > last or _FIELD_LINE.match(line)]
    text = b"".join(line for _, line in kept)
    found = _FIELDS.match(text)
    length = found.end() if found else 0
    sound = min(length, sum(len(line) for number, line in kept if number < regular))
    read = sum(map(len, head.splitlines(keepends=True)[: len(lines) - len(text[length:].splitlines())]))
    return text[:sound] + _RESULTS.sub(b"", text[sound:length]), start + read
