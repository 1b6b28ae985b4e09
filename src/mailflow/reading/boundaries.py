"""Where the parts of a multipart lie: the delimiter lines of RFC 2046, 5.1.1, as software writes them.

Rule: parts are ranges of the mail's octets, never copies; only a few octets round a delimiter are looked at.
"""

import re
from collections.abc import Iterator

from mailflow.core.octets import Octets

MAX_DELIMITERS = 100_000
"""Lines of one multipart that are looked at; what is behind them is one part."""


def pieces(octets: Octets, start: int, end: int, delimiter: bytes, *, anywhere: bool = False) -> Iterator[range | None]:
    """What stands between the delimiter lines from `start` to `end`; None for each closing line.

    `anywhere`: a delimiter need not begin its line, as where a line end was lost.
    """
    begin = -1
    position = octets.find(delimiter, start, end)
    for _ in range(MAX_DELIMITERS):
        if position < 0:
            break
        behind = position + len(delimiter)
        closes = _look(octets, behind, 2, end) == b"--"
        after = _line_end(octets, behind + 2, end, True) if closes else _line_end(octets, behind, end)
        if after is not None and (anywhere or position == start or octets[position - 1 : position] in _LINE_ENDS):
            if 0 <= begin < position:
                yield range(begin, _before_line_end(octets, begin, position))
            if closes:
                yield None
            begin = -1 if closes else after
            behind = after
        position = octets.find(delimiter, behind, end)
    if begin >= 0:
        yield from _last_piece(octets, begin, end, delimiter + b"--")


def _last_piece(octets: Octets, begin: int, end: int, closing: bytes) -> Iterator[range | None]:
    """What no delimiter line follows; a closing one that is glued to the text counts at the very end."""
    close = _without_blanks(octets, begin, end) - len(closing)
    if close >= begin and _look(octets, close, len(closing), end) == closing:
        yield range(begin, close)
        yield None
    elif begin < end:
        yield range(begin, end)


_LINE_ENDS = (b"\r", b"\n")
_BOUNDARY_CHARACTER = re.compile(rb"[A-Za-z0-9'()+_,./:=?-]")
_BLANKS = 4096


def _look(octets: Octets, position: int, length: int, end: int) -> bytes:
    return octets[position : min(position + length, end)]


def _line_end(octets: Octets, position: int, end: int, is_closing: bool = False) -> int | None:
    """Where the next line begins, if from `position` on this one has nothing but blanks; behind a closing delimiter
    also anything that no longer boundary could have."""
    while _look(octets, position, 1, end) in (b" ", b"\t"):
        position += 1
    next_two = _look(octets, position, 2, end)
    if next_two == b"\r\n":
        return position + 2
    if next_two[:1] in (*_LINE_ENDS, b""):
        return min(position + 1, end)
    return position if is_closing and not _BOUNDARY_CHARACTER.match(next_two) else None


def _before_line_end(octets: Octets, begin: int, position: int) -> int:
    """`position` less the line end before it, which belongs to the delimiter."""
    before = octets[max(begin, position - 2) : position]
    return position - (2 if before == b"\r\n" else 1 if before[-1:] in _LINE_ENDS else 0)


def _without_blanks(octets: Octets, begin: int, end: int) -> int:
    """Where the white space at the end of the range begins."""
    while begin < end:
        last = octets[max(begin, end - _BLANKS) : end]
        if text := last.rstrip():
            return end - len(last) + len(text)
        end -= len(last)
    return begin
