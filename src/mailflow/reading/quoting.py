"""Which lines of a text are quoted, and what stands between the quotes: by marks, attributions and header blocks.

Rule: a quote whose lines are marked (`>` or an HTML quote) ends with its marks, and what follows is new: people answer
between and below. A quote without marks, behind an attribution or a header block, goes on to the end.
Rule: forwarded mail is content. Where client and ticket system write the same header block for both, the subject tells.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from mailflow.core.message import Span
from mailflow.reading import attributions, separators
from mailflow.reading.separators import Marker

MAX_LINES = 2_000
"""Lines among which separators are looked for; who quotes below that wrote a book."""
WORD = re.compile(r"\w")
BLANKS = " \t\r\f\v\xa0\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\ufeff"

# ---- the lines ----------------------------------------------------------------------------------------------

_QUOTE_SIGNS = frozenset(">＞|&")
_QUOTE_MARK = re.compile(r"[>＞]|&gt;|\|\s[^|]*$")
_WRAPPED_WIDTH = 72
"""Columns within which clients break lines, and so break quoted ones in two."""


class Body(NamedTuple):
    lines: list[str]
    bare: list[str]
    """The lines without the white space around them."""
    starts: list[int]
    """Where each line begins."""
    quoted: set[int]
    """The numbers of the quoted lines."""

    @classmethod
    def read(cls, text: str, spans: Sequence[Span]) -> "Body":
        lines = text.split("\n")
        bare = [line.strip(BLANKS) for line in lines]
        starts = [0, *accumulate(len(line) + 1 for line in lines)]
        quoted = {
            number for number, line in enumerate(bare) if line and line[0] in _QUOTE_SIGNS and _is_marked(bare, number)
        }
        if quoted:
            quoted |= {number for number in range(1, len(bare) - 1) if _is_spilled(bare, number, quoted)}
        return cls(lines, bare, starts, quoted | _inside(spans, starts, bare) if spans else quoted)


def _is_marked(bare: list[str], number: int) -> bool:
    """Whether a line begins with a quote mark: no single `|`, and not the end of a link which the line before began."""
    before = bare[number - 1] if number else ""
    link = before[before.rfind("<") :] if before.rfind("<") > before.rfind(">") else ""
    line = bare[number]
    if _QUOTE_MARK.match(line) is None or "://" in link or "@" in link:
        return False
    after = bare[number + 1] if number + 1 < len(bare) else ""
    return line[0] != "|" or before.startswith("|") or after.startswith("|")


def _is_spilled(bare: list[str], number: int, quoted: set[int]) -> bool:
    """Whether an unmarked line between two marked ones is the overflow of the first: broken wrapping."""
    line, before = bare[number], bare[number - 1]
    if not line or number in quoted or number - 1 not in quoted or number + 1 not in quoted:
        return False
    first_word = line.partition(" ")[0]
    is_overflow = len(before) + 1 + len(first_word) > _WRAPPED_WIDTH and not before.endswith((".", "?", "!", ":"))
    is_link = first_word == line and "http" in before.rpartition(" ")[2]
    return is_link or (is_overflow and not line[0].isupper())


def _inside(spans: Sequence[Span], starts: list[int], bare: list[str]) -> set[int]:
    """The numbers of the filled lines that begin inside one of `spans`."""
    found: set[int] = set()
    for span in spans:
        first, last = bisect_left(starts, span.start), bisect_left(starts, span.end)
        found.update(number for number in range(first, min(last, len(bare))) if bare[number])
    return found


# ---- separators ---------------------------------------------------------------------------------------------


class Stretch(NamedTuple):
    """The lines from `first` to `last` (exclusive); of the last one, where `cut` is not None, so many characters."""

    first: int
    last: int
    cut: int | None = None
    is_forward: bool = False


class _Separator(NamedTuple):
    """A separator, or a run of quoted lines, on the lines from `first` to `last` (exclusive)."""

    first: int
    last: int
    is_marked: bool = False
    """The quote behind it is marked line by line."""
    is_forward: bool = False
    cut: int | None = None
    """It begins inside its first line, behind so many characters."""


def stretches(body: Body, is_forward: bool) -> list[Stretch]:
    """What is not quoted, in order."""
    before: list[Stretch] = []
    begin = unread = unsaid = 0
    has_words = False
    for number in _suspects(body):
        found = _separator(body, number, begin) if number >= unread else None
        if found is None:
            continue
        own = Stretch(begin, found.first + (found.cut is not None), found.cut)
        if is_forward or found.is_forward:
            return [*before, own, Stretch(found.first, len(body.lines), is_forward=True)]
        has_words = has_words or found.cut is not None or any(map(WORD.search, body.bare[unsaid : found.first]))
        unread = unsaid = found.last
        if has_words or found.is_marked:
            before.append(own)
            begin = found.last
            if not found.is_marked:
                return before
    return [*before, Stretch(begin, len(body.lines))]


_SUSPECT_FIRST = frozenset("-_=*#~+[.")
_SUSPECT_LAST = frozenset(":：;->*®")


def _suspects(body: Body) -> list[int]:
    """The numbers of the lines that may be a separator, by a look at their ends: most mails have none."""
    quoted = body.quoted
    early = [number for number, line in enumerate(body.bare[:MAX_LINES]) if line and _is_suspect(line)]
    if not quoted:
        return early
    before_quotes = {near for number in quoted for near in (number, number - 1, number - 2) if near < MAX_LINES}
    return sorted({*early, *before_quotes, *quoted} - {-1, -2})


def _is_suspect(line: str) -> bool:
    return (
        line[-1] in _SUSPECT_LAST
        or line[0] in _SUSPECT_FIRST
        or ((":" in line or "：" in line) and separators.header_label(line) is not None)
        or line.endswith("wrote")
        or "---" in line
        or separators.asks_for_answer(line)
    )


def _separator(body: Body, number: int, begin: int) -> _Separator | None:
    line = body.bare[number]
    if number in body.quoted:
        return _quoted_run(body, number)
    kind = separators.marker(line)
    if kind is not None:
        is_marked = kind is Marker.ORIGINAL and _is_before_quote(body, number + 1)
        return _Separator(number, number + 1, is_marked, kind is Marker.FORWARDED)
    label = separators.header_label(line)
    if label is not None:
        is_lone = label == "from" and "@" in line and _is_before_quote(body, number + 1)
        length = separators.header_block(body.bare, number) or int(is_lone)
        if length:
            is_marked = _is_before_quote(body, number + length)
            return _Separator(_with_rule(body, number, begin), number + length, is_marked)
    return _attribution(body, number, begin) or _glued(body, number)


def _quoted_run(body: Body, number: int) -> _Separator:
    last = number
    while last in body.quoted:
        last += 1
    is_forward = separators.marker(body.bare[number]) is Marker.FORWARDED
    return _Separator(number, last, is_marked=True, is_forward=is_forward)


def _is_before_quote(body: Body, number: int) -> bool:
    """Whether the first filled line among the next four is quoted."""
    following = next((near for near in range(number, min(number + 4, len(body.bare))) if body.bare[near]), -1)
    return following in body.quoted


def _with_rule(body: Body, number: int, begin: int) -> int:
    """`number`, or the number of the horizontal line that a client put above the header block there."""
    above = next((near for near in range(number - 1, max(begin, number - 3) - 1, -1) if body.bare[near]), -1)
    return above if above >= 0 and separators.RULE.match(body.bare[above]) else number


def _attribution(body: Body, number: int, begin: int) -> _Separator | None:
    """The attribution that ends on line `number`; of several beginnings that fit the surest, then the nearest."""
    before_quote = _is_before_quote(body, number + 1)
    if not attributions.may_end(body.bare[number], before_quote=before_quote):
        return None
    best: tuple[int, _Separator] | None = None
    candidate = ""
    for first in range(number, max(begin, number - attributions.MAX_LINES + 1) - 1, -1):
        line = body.bare[first]
        if not line or first in body.quoted:
            break
        candidate = f"{line} {candidate}" if candidate else line
        beginning = attributions.beginning(line)
        if not attributions.is_attribution(candidate[beginning.at :], before_quote=before_quote):
            continue
        if (best is None or beginning.certainty > best[0]) and (first == number or beginning.certainty > 0):
            cut = _cut(body, first, line[: beginning.at]) if beginning.at else None
            best = beginning.certainty, _Separator(first, number + 1, before_quote, cut=cut)
            if beginning.certainty == attributions.SURE:
                break
    return best[1] if best else None


def _glued(body: Body, number: int) -> _Separator | None:
    line = body.bare[number]
    found = separators.glued_marker(line)
    if found is None:
        return None
    at, kind = found
    return _Separator(number, number + 1, is_forward=kind is Marker.FORWARDED, cut=_cut(body, number, line[:at]))


def _cut(body: Body, number: int, words: str) -> int:
    """How many characters of line `number` its first `words` take, without the fence behind them."""
    return body.lines[number].index(words) + len(words.rstrip(" -"))
