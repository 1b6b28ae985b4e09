"""HTML as the text a person sees in it: a walk over the lexbor tree that knows blocks, and remembers what was quoted.

Why an own walk: `text(separator)` splits words at inline tags, text_content joins paragraphs, html2text loses umlauts.
Rule: a quote is a <blockquote> that is not a mere indent, or the attribution that a known client puts before it.
Why not `div.gmail_quote`: answers between the quotes and forwarded mails lie inside it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from mailflow.core.message import Span

MAX_HTML = 1_000_000
"""Characters of HTML that are looked at."""
MAX_NODES = 200_000
MAX_TEXT = 500_000
_MAX_DEPTH = 300
"""Elements that may be open at once; what nests deeper is read without its tags. No honest mail nests so deep."""

_SKIPPED = frozenset("head script style title template noscript object svg math select textarea iframe".split())
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "pre", "table", "blockquote"})
_BLOCKS = _PARAGRAPHS | frozenset(
    "address article aside body caption center dd details dir div dt fieldset figcaption figure footer form header hr "
    "html legend li main menu nav section summary tbody tfoot thead tr".split()
)
_CELLS = frozenset({"td", "th"})
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_BORDERLESS = re.compile(r"border(?:-left)?(?:-width|-style)?\s*:\s*(?:none|0)", re.IGNORECASE)
_ATTRIBUTION_CLASSES = frozenset({"gmail_attr", "moz-cite-prefix", "moz-email-headers-table-reply"})
_ATTRIBUTION_IDS = frozenset({"reply-intro", "isreplycontent"})
_WHITE = re.compile(r"[ \t\r\n\f]+")
_OPEN_TAG = re.compile(r"<(/?)([a-zA-Z]+)[^<>]*(>?)")
_VOID = frozenset("area base br col embed hr img input link meta p li td tr th source track wbr".split())


@dataclass(frozen=True, slots=True)
class HtmlText:
    text: str
    quoted: tuple[Span, ...]
    """Stretches of `text` that stood in a quote, in order, not overlapping."""
    content_ids: frozenset[str]
    """The Content-IDs that the HTML shows (`cid:`, RFC 2392)."""


def html_text(source: str) -> HtmlText:
    """The text of an HTML body. Total; looks at MAX_HTML characters."""
    html = _bounded_depth(source[:MAX_HTML])
    writer = _Writer()
    root = LexborHTMLParser(html).body
    if root is not None:
        _walk(root, writer)
    text, quoted = writer.finished()
    return HtmlText(text, quoted, frozenset(_CONTENT_ID.findall(source[:MAX_HTML])))


_CONTENT_ID = re.compile(r"""cid:([^"'\s>)]{1,250})""", re.IGNORECASE)


def _bounded_depth(html: str) -> str:
    """`html`, or its tags blanked out where too many elements are open at once: the tree would cost quadratic time."""
    if html.count("<") < _MAX_DEPTH:
        return html
    depth = deepest = 0
    for tag in _OPEN_TAG.finditer(html):
        if tag[2].lower() not in _VOID:
            depth = max(depth - 1, 0) if tag[1] else depth + 1
            deepest = max(deepest, depth)
    return html if deepest <= _MAX_DEPTH else re.sub(r"<[^<>]*>?", "\n", html)


@dataclass(slots=True)
class _Writer:
    """Collects text with the line ends that the blocks ask for; at most one blank line, no space at line ends."""

    pieces: list[str] = field(default_factory=list)
    length: int = 0
    pending: str = ""
    marks: list[tuple[int, bool]] = field(default_factory=list)
    depth: int = 0

    def put(self, text: str, *, keeps_indent: bool = False) -> None:
        if not text:
            return
        if self.pending and self.length:
            self._append(self.pending)
        is_line_start = not self.length or self.pending[-1:] == "\n"
        if is_line_start and not keeps_indent:
            text = text.lstrip(" ")
        self.pending = ""
        self._append(text)

    def _append(self, text: str) -> None:
        self.pieces.append(text)
        self.length += len(text)

    def space(self) -> None:
        self.pending = self.pending or " "

    def line(self, count: int = 1) -> None:
        have = self.pending.count("\n")
        self.pending = "\n" * max(have, count)

    def line_break(self) -> None:
        self.pending = "\n" * min(self.pending.count("\n") + 1, 3)

    def quote(self, opens: bool) -> None:
        if opens:
            self.line()
        self.depth += 1 if opens else -1
        if (opens and self.depth == 1) or (not opens and self.depth == 0):
            self.marks.append((self.length, opens))

    def finished(self) -> tuple[str, tuple[Span, ...]]:
        text = "".join(self.pieces)
        ends = [*self.marks, (self.length, False)]
        opened: int | None = None
        spans: list[Span] = []
        for position, opens in ends:
            if opens and opened is None:
                opened = position
            elif not opens and opened is not None:
                spans.append(Span(opened, position))
                opened = None
        return text, tuple(span for span in spans if span.end > span.start)


class _Element(NamedTuple):
    node: LexborNode
    tag: str
    is_quote: bool
    margin: int


def _walk(root: LexborNode, out: _Writer) -> None:
    """Depth first, with an own stack: HTML nests deeper than Python. Nodes are never compared: `==` serialises both."""
    open_elements: list[_Element] = []
    preformatted = 0
    node: LexborNode | None = root
    for _ in range(MAX_NODES):
        if node is None or out.length > MAX_TEXT:
            break
        tag = node.tag or ""
        child: LexborNode | None = None
        is_open = False
        if tag == "-text":
            _put_text(node.text_content or "", preformatted > 0, out)
        elif not tag.startswith("-") and tag not in _SKIPPED:
            attributes = node.attributes
            if not _HIDDEN.search(attributes.get("style") or ""):
                element = _Element(node, tag, _is_quote(tag, attributes), _margin(tag, attributes))
                _open(element, out)
                preformatted += tag == "pre"
                child = node.first_child
                open_elements.append(element)
                is_open = True
        if child is not None:
            node = child
            continue
        following: LexborNode | None = None if is_open else node.next
        while open_elements and following is None:
            closing = open_elements.pop()
            _close(closing, out)
            preformatted -= closing.tag == "pre"
            following = closing.node.next if open_elements else None
        node = following


def _put_text(text: str, preformatted: bool, out: _Writer) -> None:
    if preformatted:
        lines = text.replace("\r\n", "\n").split("\n")
        for number, line in enumerate(lines):
            if number:
                out.line_break()
            out.put(line, keeps_indent=True)
        return
    text = _WHITE.sub(" ", text)
    if text == " ":
        out.space()
        return
    if text[:1] == " ":
        out.space()
    out.put(text.strip(" "))
    if text[-1:] == " ":
        out.space()


def _open(element: _Element, out: _Writer) -> None:
    if element.tag == "br":
        out.line_break()
    elif element.tag in _CELLS:
        out.space()
    elif element.margin:
        out.line(element.margin)
    if element.tag == "li":
        out.put("- ")
    if element.is_quote:
        out.quote(True)


def _close(element: _Element, out: _Writer) -> None:
    if element.is_quote:
        out.quote(False)
    if element.tag in _CELLS:
        out.space()
    elif element.margin:
        out.line(element.margin)


def _margin(tag: str, attributes: Mapping[str, str | None]) -> int:
    """Line ends around an element; Outlook writes each line as a paragraph of class MsoNormal, without margins."""
    if tag not in _BLOCKS:
        return 0
    return 2 if tag in _PARAGRAPHS and "MsoNormal" not in (attributes.get("class") or "") else 1


def _is_quote(tag: str, attributes: Mapping[str, str | None]) -> bool:
    if tag == "blockquote":
        return attributes.get("type") == "cite" or not _BORDERLESS.search(attributes.get("style") or "")
    if tag not in ("div", "p"):
        return False
    names = (attributes.get("class") or "").split()
    return any(name in _ATTRIBUTION_CLASSES for name in names) or (
        (attributes.get("id") or "").lower().removeprefix("x_") in _ATTRIBUTION_IDS
    )
