"""What of a body this sender wrote now: quotes out, forwards in, the signature out; as offsets, nothing is deleted.

    new       the text less quotes, their attributions and the signature
    content   the new text less greeting lines and legal notices: what the classifier reads

`quoting` finds what is not quoted, `signatures` what stands around the words.
Rule: if nothing is left, everything is kept. Why: losing a person's words is worse than reading a quote twice.
Why not mail-parser-reply, the best library there is: it rewrites the text where we need offsets, takes two minutes for
16 KB of blank lines, and its tables under our own walk read 229 of 285 known replies right, these 281 (48 kept quotes
against 4, 9 lost words against none).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mailflow.core.message import Span
from mailflow.reading import signatures
from mailflow.reading.quoting import BLANKS, WORD, Body, Stretch, stretches

MAX_SIGNATURE_LAYERS = 4
"""A name, a company footer, a phone's footer, a mailing list's footer."""
MAX_GREETINGS = 3
MAX_BANNER = 5
"""Lines of a gateway's warning; a longer paragraph holds the sender's words as well."""
_LONG_LINE = 50
"""A legal notice begins a paragraph, or its first line is long."""


@dataclass(frozen=True, slots=True)
class Split:
    new: tuple[Span, ...]
    content: tuple[Span, ...]


def split(text: str, quoted: tuple[Span, ...] = (), *, is_forward: bool = False) -> Split:
    """The spans of `text` that are new. `quoted`: what stood in an HTML quote; `is_forward`: the subject says so."""
    body = Body.read(text, quoted)
    whole = [Stretch(0, len(body.lines))]
    unquoted = _or_all(body, stretches(body, is_forward), whole)
    unsigned = _or_all(body, _unsigned(body, unquoted), unquoted)
    informal = _or_all(body, [_informal(body, stretch) for stretch in unsigned], unsigned)
    new = _spans(body, unsigned)
    return Split(new, new if informal == unsigned else _spans(body, informal))


def _or_all(body: Body, some: list[Stretch], everything: list[Stretch]) -> list[Stretch]:
    """`some`, or `everything` if `some` says nothing."""
    return some if some == everything or _says_something(body, some) else everything


# ---- signatures and formalities -----------------------------------------------------------------------------


def _unsigned(body: Body, parts: Sequence[Stretch]) -> list[Stretch]:
    """The stretches; the first and the last that this sender wrote less their signatures."""
    own = [number for number, part in enumerate(parts) if not part.is_forward and _says_something(body, [part])]
    unsigned: list[Stretch] = []
    for number, stretch in enumerate(parts):
        is_end = bool(own) and number in (own[0], own[-1])
        unsigned += _without_signature(body, stretch, is_first=number == 0) if is_end else [stretch]
    return unsigned


def _without_signature(
    body: Body, stretch: Stretch, *, is_first: bool, layers: int = MAX_SIGNATURE_LAYERS
) -> list[Stretch]:
    """`stretch` less its signature, and less what software put under that; a postscript behind it stays."""
    found = signatures.signature(_signed_lines(body, stretch), is_first=is_first) if layers else None
    if found is None:
        return [stretch]
    start, end = (stretch.first + bound for bound in found)
    head = _without_signature(body, Stretch(stretch.first, start), is_first=is_first, layers=layers - 1)
    if end == stretch.last:
        return head
    return head + _without_signature(body, stretch._replace(first=end), is_first=True, layers=layers - 1)


def _signed_lines(body: Body, stretch: Stretch) -> list[str]:
    """The lines of `stretch` without the white space around them, but for that of the signature separator."""
    lines = body.bare[stretch.first : stretch.last]
    if stretch.cut is not None:
        lines[-1] = body.lines[stretch.last - 1][: stretch.cut].strip(BLANKS)
    if "--" in lines:
        raw = body.lines[stretch.first : stretch.last]
        lines = [
            signatures.EXACT_DASHES if line == "--" and "-- " in whole else line
            for line, whole in zip(lines, raw, strict=True)
        ]
    return lines


def _informal(body: Body, stretch: Stretch) -> Stretch:
    """`stretch` less greetings and a gateway's warning at its head and a legal notice at its foot."""
    if stretch.is_forward:
        return stretch
    first = stretch.first
    greetings = 0
    while first < stretch.last:
        line = body.bare[first]
        if line and signatures.is_banner(line):
            first = next(
                (near for near in range(first, first + MAX_BANNER) if not any(body.bare[near : near + 1])), first + 1
            )
            continue
        greetings += bool(line)
        if line and (greetings > MAX_GREETINGS or not signatures.is_greeting(line)):
            break
        first += 1
    for near in range(max(first, stretch.first + 1), stretch.last):
        line = body.bare[near]
        begins = len(line) >= _LONG_LINE or not WORD.search(body.bare[near - 1].strip("_"))
        if line and begins and signatures.is_disclaimer(line):
            return Stretch(first, near)
    return Stretch(first, stretch.last, stretch.cut)


def _says_something(body: Body, parts: Sequence[Stretch]) -> bool:
    return any(
        any(map(WORD.search, body.bare[stretch.first : stretch.last]))
        if stretch.cut is None or stretch.last - stretch.first > 1
        else WORD.search(body.lines[stretch.first][: stretch.cut]) is not None
        for stretch in parts
    )


def _spans(body: Body, parts: Sequence[Stretch]) -> tuple[Span, ...]:
    """The stretches as spans, without blank lines around; those with nothing but blank lines between them are one."""
    spans: list[Span] = []
    behind = 0
    for stretch in parts:
        first, last, cut = stretch.first, stretch.last, stretch.cut
        while first < last and not body.bare[first]:
            first += 1
        while first < last and not body.bare[last - 1]:
            last, cut = last - 1, None
        if first == last:
            continue
        start = body.starts[first]
        if spans and not any(body.bare[behind:first]):
            start = spans.pop().start
        spans.append(Span(start, body.starts[last - 1] + (len(body.lines[last - 1]) if cut is None else cut)))
        behind = last
    return tuple(span for span in spans if span.end > span.start)
