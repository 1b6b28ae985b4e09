"""What of a body this sender wrote now: quotes out, forwards in, the signature out; as offsets, nothing is deleted.

    new       the text less quotes, their attributions and the signature
    content   the new text less greeting lines and legal notices: what the classifier reads

Rule: a quote whose lines are marked (`>` or an HTML quote) ends with its marks, and what follows is new: people answer
between and below. A quote without marks, behind an attribution or a header block, goes on to the end.
Rule: forwarded mail is content. Where client and ticket system write the same header block for both, the subject tells.
Rule: if nothing is left, everything is kept. Why: losing a person's words is worse than reading a quote twice.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mailflow.core.message import Span
from mailflow.reading import separators
from mailflow.reading.separators import Marker

_WORD = re.compile(r"\w")
_QUOTE_MARKS = (">", "＞", "|")
_QUOTE_MARK = re.compile(r"^\s{0,3}[>＞]|^\s{0,3}\|\s")
_WRAPPED_WIDTH = 55
"""A quoted line at least this wide may have spilled a few words onto an unmarked line."""
MAX_LINES = 2_000
"""Lines among which separators are looked for; who quotes below that wrote a book."""
MAX_SIGNED_LINES = 50
"""Non-blank lines at the end of a text among which a signature may begin."""
MAX_SIGNATURE_LINES = 14
MAX_SIGNATURE_WORDS = 90
MAX_SIGNATURE_LAYERS = 4
"""A name, a company footer, a phone's footer, a mailing list's footer."""


@dataclass(frozen=True, slots=True)
class Split:
    new: tuple[Span, ...]
    content: tuple[Span, ...]


class _Line(NamedTuple):
    start: int
    end: int
    text: str
    is_quoted: bool

    is_blank: bool


def split(text: str, quoted: tuple[Span, ...] = (), *, is_forward: bool = False) -> Split:
    """The spans of `text` that are new. `quoted`: what stood in an HTML quote; `is_forward`: the subject says so."""
    lines = _lines(text, quoted)
    segments = _unquoted_segments(lines, is_forward)
    if not any(_WORD.search(line.text) for segment in segments for line in segment):
        segments = [lines]
    trimmed = [
        _without_signature(segment, is_alone=len(segments) == 1) if number in (0, len(segments) - 1) else segment
        for number, segment in enumerate(segments)
    ]
    if not _has_words(trimmed):
        trimmed = segments
    content = [_without_formalities(segment) for segment in trimmed]
    if not _has_words(content):
        content = trimmed
    return Split(_spans(trimmed), _spans(content))


def _has_words(segments: Sequence[Sequence[_Line]]) -> bool:
    return any(_WORD.search(line.text) for segment in segments for line in segment)


def _lines(text: str, quoted: tuple[Span, ...]) -> list[_Line]:
    lines: list[_Line] = []
    start = 0
    pending = list(reversed(quoted))
    for piece in text.split("\n"):
        end = start + len(piece)
        while pending and pending[-1].end <= start:
            pending.pop()
        bare = piece.strip()
        in_html_quote = bool(pending) and pending[-1].start <= start and bare != ""
        is_quoted = in_html_quote or (bare[:1] in _QUOTE_MARKS and _QUOTE_MARK.match(piece) is not None)
        lines.append(_Line(start, end, piece, is_quoted, not bare))
        start = end + 1
    return _with_spilled_words(lines) if any(line.is_quoted for line in lines) else lines


def _with_spilled_words(lines: list[_Line]) -> list[_Line]:
    """A short unmarked line between two marked ones is the overflow of the first: broken wrapping."""
    mended = list(lines)
    for number in range(1, len(lines) - 1):
        before, here, after = lines[number - 1 : number + 2]
        if before.is_quoted and after.is_quoted and not here.is_quoted and not here.is_blank:
            is_sentence = here.text.rstrip().endswith((".", "?", "!"))
            if len(before.text) >= _WRAPPED_WIDTH and len(here.text) < 30 and not is_sentence:
                mended[number] = here._replace(is_quoted=True)
    return mended


# ---- quotes -------------------------------------------------------------------------------------------------


def _unquoted_segments(lines: list[_Line], is_forward: bool) -> list[list[_Line]]:
    """The runs of lines that are not quoted, in order."""
    segments: list[list[_Line]] = [[]]
    number = 0
    is_top = True
    while number < len(lines):
        line = lines[number]
        if line.is_quoted:
            count = _quoted_run(lines, number)
            if separators.marker(line.text) is Marker.FORWARDED:
                segments[-1] += lines[number : number + count]
            elif segments[-1]:
                segments.append([])
            number += count
            continue
        found = None if line.is_blank or number > MAX_LINES else _separator(lines, number, is_forward)
        if found is None:
            segments[-1].append(line)
            is_top = is_top and _WORD.search(line.text) is None
            number += 1
            continue
        if found.keeps_rest:
            segments[-1] += lines[number:]
            break
        if is_top and not found.is_marked and found.cut is None:
            segments[-1] += lines[number : number + found.length]
            number += found.length
            continue
        _drop_lead(segments[-1], found.lead)
        if found.cut is not None:
            segments[-1].append(_Line(line.start, line.start + found.cut, line.text[: found.cut], False, False))
        if not found.is_marked:
            break
        number += found.length
        if segments[-1]:
            segments.append([])
    return [segment for segment in segments if any(not line.is_blank for line in segment)]


def _drop_lead(segment: list[_Line], count: int) -> None:
    while segment and (segment[-1].is_blank or count > 0):
        count -= not segment[-1].is_blank
        segment.pop()


def _quoted_run(lines: list[_Line], number: int) -> int:
    """How many quoted lines stand together from `number` on."""
    return next((i for i in range(number, len(lines)) if not lines[i].is_quoted), len(lines)) - number


@dataclass(frozen=True, slots=True)
class _Separator:
    """A separator at a line: it takes `length` lines, and `lead` lines before it (a rule)."""

    length: int
    is_marked: bool = False
    """The quote behind it is marked line by line."""
    keeps_rest: bool = False
    """It introduces a forward."""
    lead: int = 0
    cut: int | None = None
    """It begins inside the line, at this character."""


def _separator(lines: list[_Line], number: int, is_forward: bool) -> _Separator | None:
    text = lines[number].text
    kind = separators.marker(text)
    if kind is Marker.FORWARDED:
        return _Separator(1, keeps_rest=True)
    if kind is Marker.ORIGINAL:
        return _Separator(1, is_marked=_next_is_quoted(lines, number + 1), keeps_rest=is_forward)
    if kind is Marker.REPLY_ABOVE:
        return _Separator(1, is_marked=False)
    if separators.header_label(text) and (length := _header_block(lines, number)):
        lead = int(number > 0 and _rule_before(lines, number))
        return _Separator(length, is_marked=_next_is_quoted(lines, number + length), keeps_rest=is_forward, lead=lead)
    return _attribution(lines, number)


def _rule_before(lines: list[_Line], number: int) -> bool:
    before = next((line for line in reversed(lines[max(0, number - 3) : number]) if not line.is_blank), None)
    return before is not None and separators.RULE.match(before.text) is not None


def _next_is_quoted(lines: list[_Line], number: int) -> bool:
    following = next((line for line in lines[number : number + 4] if not line.is_blank), None)
    return following is not None and following.is_quoted


_HEADER_WINDOW = 12


def _header_block(lines: list[_Line], number: int) -> int:
    """How many lines a header block at `number` has: a sender and one more kind, or three kinds; 0 if it is none."""
    kinds: set[str] = set()
    last = number
    misses = 0
    for position in range(number, min(number + _HEADER_WINDOW, len(lines))):
        line = lines[position]
        kind = separators.header_label(line.text)
        if kind is not None:
            kinds.add(kind)
            last, misses = position, 0
        elif misses >= 1 or (line.is_blank and len(kinds) >= 2):
            break
        else:
            misses += 1
    is_block = ("from" in kinds and len(kinds - {"cc"}) >= 2) or len(kinds - {"cc"}) >= 3
    return last - number + 1 if is_block else 0


def _attribution(lines: list[_Line], number: int) -> _Separator | None:
    following = lines[number : number + separators.MAX_ATTRIBUTION_LINES]
    if not any(line.text.rstrip().endswith(separators.ATTRIBUTION_ENDS) for line in following):
        return None
    joined = ""
    for count in range(1, separators.MAX_ATTRIBUTION_LINES + 1):
        position = number + count - 1
        if position >= len(lines) or lines[position].is_quoted or lines[position].is_blank:
            return None
        text = lines[position].text.strip()
        joined = f"{joined} {text}" if joined else text
        if len(joined) > separators.MAX_CANDIDATE:
            return _inline(lines, number) if count == 1 else None
        if not text.endswith(separators.ATTRIBUTION_ENDS):
            continue
        if count == 1 and (inline := _inline(lines, number)):
            return inline
        before_quote = _next_is_quoted(lines, position + 1)
        if separators.is_attribution(joined, before_quote=before_quote, is_one_line=count == 1):
            return _Separator(count, is_marked=before_quote)
    return None


def _inline(lines: list[_Line], number: int) -> _Separator | None:
    cut = separators.inline_attribution(lines[number].text)
    return None if cut is None else _Separator(1, is_marked=_next_is_quoted(lines, number + 1), cut=cut)


# ---- signatures and formalities -----------------------------------------------------------------------------


def _without_signature(segment: list[_Line], *, is_alone: bool) -> list[_Line]:
    """`segment` less its signature, and less what software put under that; a postscript behind it stays.

    `is_alone`: the segment is all there is, so its first line is no signature.
    """
    for _ in range(MAX_SIGNATURE_LAYERS):
        start = _signature_start(segment, is_alone)
        if start is None:
            break
        postscript = (i for i in range(start, len(segment)) if separators.POSTSCRIPT.match(segment[i].text))
        segment = segment[:start] + segment[next(postscript, len(segment)) :]
    return segment


def _signature_start(segment: list[_Line], is_alone: bool) -> int | None:
    filled = [number for number, line in enumerate(segment) if not line.is_blank]
    for order in range(max(0 if not is_alone else 1, len(filled) - MAX_SIGNED_LINES), len(filled)):
        text = segment[filled[order]].text
        if len(text) > 120:
            continue
        tail = filled[order + 1 :]
        if separators.SIGNATURE_DASHES.match(text):
            return filled[order]
        before = segment[filled[order - 1]].text if order else ""
        if _begins_signature(text, [segment[i].text for i in tail], before):
            return filled[order]
    return None


def _begins_signature(text: str, tail: list[str], before: str) -> bool:
    if separators.CLOSING.match(text) or separators.SENT_FROM.match(text):
        return _is_signature_tail(tail)
    if not tail:
        return separators.NAME_DASH.match(text) is not None and not separators.BULLET.match(before)
    if separators.SHORT_RULE.match(text):
        return len(tail) <= 5 and sum(len(line.split()) for line in tail) <= 20
    return separators.RULE.match(text) is not None and _is_signature_tail(tail)


def _is_signature_tail(tail: list[str]) -> bool:
    """Few, short lines that ask nothing: a name, a title, an address, a phone number, a legal notice."""
    legal = next((number for number, text in enumerate(tail) if separators.DISCLAIMER.match(text)), len(tail))
    card = tail[:legal]
    return (
        len(card) <= MAX_SIGNATURE_LINES
        and sum(len(text.split()) for text in card) <= MAX_SIGNATURE_WORDS
        and not any(text.rstrip().endswith("?") for text in card)
        and all(len(text) <= 100 for text in card)
    )


def _without_formalities(segment: list[_Line]) -> list[_Line]:
    """`segment` less a greeting at its head and a legal notice at its foot."""
    first = next((number for number, line in enumerate(segment) if not line.is_blank), 0)
    start = first + 1 if segment and separators.GREETING.match(segment[first].text) else 0
    end = next(
        (i for i in range(max(start, 1), len(segment)) if separators.DISCLAIMER.match(segment[i].text)), len(segment)
    )
    return segment[start:end]


def _spans(segments: Sequence[Sequence[_Line]]) -> tuple[Span, ...]:
    """The segments as spans; a segment with a gap in it makes two."""
    bounds: list[tuple[int, int]] = []
    start, end = 0, -1
    for line in (line for segment in segments for line in segment):
        if line.start != end + 1:
            bounds.append((start, end))
            start = line.start
        end = line.end
    bounds.append((start, end))
    return tuple(Span(first, last) for first, last in bounds if last > first)
