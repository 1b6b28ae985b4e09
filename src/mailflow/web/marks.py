"""The text of a mail as it is shown: what is new in it, quotes to be folded, and the words that spoke for an intent.

Pure: text, spans and evidence in, blocks of pieces out; the template writes them, and escapes them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MOST_EVIDENCE = 8
"""Stretches of one intent that are marked."""
_LONGEST_EVIDENCE = 600


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    intent: int = 0
    """Number of the intent that it spoke for, from 1; 0 for none."""


@dataclass(frozen=True, slots=True)
class Block:
    pieces: tuple[Piece, ...]
    is_quoted: bool
    lines: int


def blocks(text: str, new_spans: Sequence[tuple[int, int]], evidence: Sequence[Sequence[str]]) -> tuple[Block, ...]:
    """`text` in order. `evidence`: of each intent, as it stands in the text but for line ends."""
    marks = _marks(text, evidence)
    return tuple(_block(text, start, end, is_quoted, marks) for start, end, is_quoted in _stretches(text, new_spans))


def _stretches(text: str, new_spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, bool]]:
    """(start, end, is quoted), without what is blank; a mail of which nothing is new is shown whole."""
    at, open_from = 0, -1
    spans = new_spans or [(0, len(text))]
    for start, end in spans:
        if text[at:start].strip():
            if open_from >= 0:
                yield open_from, at, False
            yield at, start, True
            open_from = start
        elif open_from < 0:
            open_from = start
        at = end
    if open_from >= 0 and text[open_from:at].strip():
        yield open_from, at, False
    if text[at:].strip():
        yield at, len(text), True


def _block(text: str, start: int, end: int, is_quoted: bool, marks: Sequence[tuple[int, int, int]]) -> Block:
    while start < end and text[start] == "\n":
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    pieces: list[Piece] = []
    at = start
    for first, last, intent in [] if is_quoted else marks:
        first, last = max(first, at), min(last, end)
        if first >= last:
            continue
        if first > at:
            pieces.append(Piece(text[at:first]))
        pieces.append(Piece(text[first:last], intent))
        at = last
    if at < end:
        pieces.append(Piece(text[at:end]))
    return Block(tuple(pieces), is_quoted, text.count("\n", start, end) + 1)


def _marks(text: str, evidence: Sequence[Sequence[str]]) -> list[tuple[int, int, int]]:
    """(start, end, intent) in the order of the text; where two would overlap, the intent that comes first has it."""
    taken: list[tuple[int, int, int]] = []
    for number, stretches in enumerate(evidence, 1):
        for one in sorted(stretches[:MOST_EVIDENCE], key=len, reverse=True):
            found = next((span for span in _found(text, one) if not _overlaps(span, taken)), None)
            if found is not None:
                taken.append((*found, number))
    return sorted(taken)


def _found(text: str, evidence: str) -> Iterator[tuple[int, int]]:
    """Where it stands, its words parted by any blanks."""
    words = evidence[:_LONGEST_EVIDENCE].split()
    if not words:
        return
    before, behind = (r"\b" if words[0][0].isalnum() else ""), (r"\b" if words[-1][-1].isalnum() else "")
    pattern = re.compile(before + r"\s+".join(map(re.escape, words)) + behind)
    for match in pattern.finditer(text):
        yield match.span()


def _overlaps(span: tuple[int, int], taken: Sequence[tuple[int, int, int]]) -> bool:
    return any(span[0] < end and start < span[1] for start, end, _ in taken)
