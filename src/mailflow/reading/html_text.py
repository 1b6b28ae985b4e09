"""HTML as the text a person sees in it: a walk over the lexbor tree that knows blocks, and remembers what was quoted.

Why an own walk: `text(separator)` splits words at inline tags, text_content joins paragraphs, html2text loses umlauts.
Rule: a quote is a <blockquote> that is not a mere indent, or the attribution that a known client puts before it.
Why not `div.gmail_quote`: answers between the quotes and forwarded mails lie inside it.
Rule: what is hidden is not read: newsletters hide a first line for the list of mails, senders of spam hide prose.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from mailflow.core.message import Span

MAX_HTML = 1_000_000
"""Characters of HTML that are looked at."""
MAX_NODES = 200_000
MAX_TEXT = 500_000
_MAX_DEPTH = 300
"""Elements that may be open at once; what nests deeper is read without its tags. No honest mail nests so deep."""
_CHEAP_TAGS = 2_000
"""Even if all of so many tags nest, the tree costs milliseconds."""

_SKIPPED = frozenset("head script style title template noscript object svg math select textarea iframe".split())
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "pre", "table", "blockquote"})
_BLOCKS = _PARAGRAPHS | frozenset(
    "address article aside body caption center dd details dir div dt fieldset figcaption figure footer form header hr "
    "html legend li main menu nav section summary tbody tfoot thead tr".split()
)
_MARGINS = {tag: 2 if tag in _PARAGRAPHS else 1 for tag in _BLOCKS}
"""Line ends around an element."""
_CELLS = frozenset({"td", "th"})
_MAY_QUOTE = frozenset({"blockquote", "div", "p"})
_HIDING = '[hidden],[style*="none" i],[style*="hidden" i],[style*="opacity" i]'
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0?\.?0*(?![\d.])"
    r"|max-height\s*:\s*0(?![\d.]).*overflow\s*:\s*hidden|overflow\s*:\s*hidden.*max-height\s*:\s*0(?![\d.])",
    re.IGNORECASE | re.DOTALL,
)
_MAX_STYLE = 500
_BORDERLESS = re.compile(r"border(?:-left)?(?:-width|-style)?\s*:\s*(?:none|0)", re.IGNORECASE)
_ATTRIBUTION_CLASSES = frozenset({"gmail_attr", "moz-cite-prefix", "moz-email-headers-table-reply"})
_ATTRIBUTION_IDS = frozenset({"reply-intro", "isreplycontent"})
_BLANKS = " \t\r\n\f"
_WHITE = re.compile(f"[{_BLANKS}]+")
_FILLER = re.compile("[\\s\u00ad\u034f\u200b-\u200f\u2060\ufeff]+")
"""Invisible characters with which newsletters push the next words out of the list of mails."""
_OPEN_TAG = re.compile(r"<(/?)([a-zA-Z]+)[^<>]*(>?)")
_VOID = frozenset("area base br col embed hr img input link meta p li td tr th source track wbr".split())
_CONTENT_ID = re.compile(r"""cid:([^"'\s>)]{1,250})""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HtmlText:
    text: str
    quoted: tuple[Span, ...]
    """Stretches of `text` that stood in a quote, in order, not overlapping."""
    content_ids: frozenset[str]
    """The Content-IDs that the HTML shows (`cid:`, RFC 2392)."""


class Page:
    """An HTML body that is read only as far as somebody asks: `words` cost a tenth of `read()`. Total."""

    def __init__(self, source: str) -> None:
        self.source = source[:MAX_HTML]

    @cached_property
    def _root(self) -> LexborNode | None:
        return LexborHTMLParser(_bounded_depth(self.source)).body

    @cached_property
    def words(self) -> list[str]:
        """Roughly the words that it shows: hidden ones too, and some cut at tags."""
        if self._root is None:
            return []
        self._root.strip_tags(["script", "style", "title"])
        return self._root.text(separator=" ").split()

    @cached_property
    def content_ids(self) -> frozenset[str]:
        return frozenset(_CONTENT_ID.findall(self.source)) if "cid:" in self.source else frozenset()

    def read(self) -> HtmlText:
        writer = _Writer()
        if self._root is not None:
            _walk(self._root, writer)
        text, quoted = writer.finished()
        return HtmlText(text, quoted, self.content_ids)


def html_text(source: str) -> HtmlText:
    """The text of an HTML body. Total; looks at MAX_HTML characters."""
    return Page(source).read()


def _bounded_depth(html: str) -> str:
    """`html`, or its tags blanked out where too many elements are open at once: the tree would cost quadratic time."""
    if html.count("<") < _CHEAP_TAGS:
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
    hidden = {node.mem_id for node in root.css(_HIDING) if _is_hidden(node.attributes)}
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
        elif tag[:1] != "-" and tag not in _SKIPPED and not (hidden and node.mem_id in hidden):
            attributes = node.attributes if tag in _MAY_QUOTE else {}
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


def _is_hidden(attributes: Mapping[str, str | None]) -> bool:
    return "hidden" in attributes or _HIDDEN.search((attributes.get("style") or "")[:_MAX_STYLE]) is not None


def _put_text(text: str, preformatted: bool, out: _Writer) -> None:
    if preformatted:
        lines = text.replace("\r\n", "\n").split("\n")
        for number, line in enumerate(lines):
            if number:
                out.line_break()
            out.put(line, keeps_indent=True)
        return
    words = text.strip(_BLANKS)
    if not words or (words[0] > "\x7f" and words.strip("\xa0") and _FILLER.fullmatch(words)):
        if text:
            out.space()
        return
    if text[0] in _BLANKS:
        out.space()
    out.put(words if words.isalnum() else _WHITE.sub(" ", words))
    if text[-1] in _BLANKS:
        out.space()


def _open(element: _Element, out: _Writer) -> None:
    if element.margin:
        out.line(element.margin)
    elif element.tag == "br":
        out.line_break()
    elif element.tag in _CELLS:
        out.space()
    if element.tag == "li":
        out.put("- ")
    if element.is_quote:
        out.quote(True)


def _close(element: _Element, out: _Writer) -> None:
    if element.is_quote:
        out.quote(False)
    if element.margin:
        out.line(element.margin)
    elif element.tag in _CELLS:
        out.space()


def _margin(tag: str, attributes: Mapping[str, str | None]) -> int:
    """Line ends around an element; Outlook writes each line as a paragraph of class MsoNormal, without margins."""
    margin = _MARGINS.get(tag, 0)
    return 1 if tag == "p" and "MsoNormal" in (attributes.get("class") or "") else margin


def _is_quote(tag: str, attributes: Mapping[str, str | None]) -> bool:
    if not attributes:
        return tag == "blockquote"
    if tag == "blockquote":
        return attributes.get("type") == "cite" or not _BORDERLESS.search(attributes.get("style") or "")
    names = (attributes.get("class") or "").split()
    return any(name in _ATTRIBUTION_CLASSES for name in names) or (
        (attributes.get("id") or "").lower().removeprefix("x_") in _ATTRIBUTION_IDS
    )
