"""Markdown as plain text: the same words for readers whose client shows no HTML."""

from collections.abc import Callable, Iterable, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from mailflow.errors import AssetError

MARKDOWN = MarkdownIt("commonmark", {"html": False}).disable(["image", "autolink"])


def to_text(markdown: str) -> str:
    """`markdown` as plain text: steps keep their numbers, a link reads `label: address`. Raises AssetError."""
    return tokens_to_text(MARKDOWN.parse(markdown))


def tokens_to_text(tokens: Sequence[Token]) -> str:
    """As `to_text`, of what MARKDOWN made of it already."""
    return _join_blocks(SyntaxTreeNode(tokens).children) + "\n"


def _block(node: SyntaxTreeNode) -> str:
    if node.type not in _BLOCKS:
        raise AssetError(f"Markdown `{node.type}` has no plain-text form; use headings, paragraphs, lists")
    return _BLOCKS[node.type](node)


def _join_blocks(nodes: Iterable[SyntaxTreeNode], between: str = "\n\n") -> str:
    return between.join(map(_block, nodes))


def _heading(node: SyntaxTreeNode) -> str:
    title = _join_inline(node)
    return f"{title}\n{'-' * len(title)}"


def _ordered_list(node: SyntaxTreeNode) -> str:
    start = int(node.attrs.get("start", 1))
    return "\n".join(_item(f"{number}. ", item) for number, item in enumerate(node.children, start))


def _bullet_list(node: SyntaxTreeNode) -> str:
    return "\n".join(_item("- ", item) for item in node.children)


def _item(bullet: str, node: SyntaxTreeNode) -> str:
    lines = _join_blocks(node.children, "\n").split("\n")
    return bullet + ("\n" + " " * len(bullet)).join(lines)


def _join_inline(node: SyntaxTreeNode) -> str:
    return "".join(map(_inline, node.children))


def _inline(node: SyntaxTreeNode) -> str:
    if node.type not in _INLINES:
        raise AssetError(f"Markdown `{node.type}` has no plain-text form; use plain words, bold and links")
    return _INLINES[node.type](node)


def _link(node: SyntaxTreeNode) -> str:
    label, address = _join_inline(node), str(node.attrs["href"]).removeprefix("mailto:")
    return address if label == address.removeprefix("https://") else f"{label}: {address}"


_BLOCKS: dict[str, Callable[[SyntaxTreeNode], str]] = {
    "heading": _heading,
    "paragraph": _join_inline,
    "ordered_list": _ordered_list,
    "bullet_list": _bullet_list,
    "hr": lambda node: "--",
}

_INLINES: dict[str, Callable[[SyntaxTreeNode], str]] = {
    "inline": _join_inline,
    "text": lambda node: node.content,
    "softbreak": lambda node: " ",
    "hardbreak": lambda node: "\n",
    "strong": _join_inline,
    "em": _join_inline,
    "link": _link,
}
