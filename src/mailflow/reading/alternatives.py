"""Pieces of body text, and which of several alternatives a person would read (RFC 2046, 5.1.4).

Rule: alternatives say the same, until they are seen not to. The words of one are looked up in the other, a sample of
them, by their first letters: that stands line breaks inside words, and costs far less than to lay the HTML out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mailflow.core.message import Span
from mailflow.reading.html_text import HtmlText, Page

_WORD = re.compile(r"\w")
_SAMPLE = 60
_LONG_WORD = 4
"""Letters from which on a word is looked up; shorter ones are in every text."""
_LETTERS = 8
_FEW = 5
"""Words that are too few to say that a text is another."""
_SAME = 0.5
"""Share of words found in the other from which on that one says the same."""
_STUB_WORDS = 25
_STUB_FACTOR = 4


@dataclass(frozen=True)
class Piece:
    """One stretch of body text: plain, or a page that is laid out when its text is asked for."""

    plain: str = ""
    page: Page | None = field(default=None, compare=False)

    @property
    def is_html(self) -> bool:
        return self.page is not None

    @cached_property
    def _laid_out(self) -> HtmlText:
        return self.page.read() if self.page else HtmlText(self.plain, (), frozenset())

    @property
    def text(self) -> str:
        return self._laid_out.text if self.page else self.plain

    @property
    def quoted(self) -> tuple[Span, ...]:
        """Where in `text` an HTML quote stood."""
        return self._laid_out.quoted if self.page else ()

    @property
    def words(self) -> list[str]:
        return self.page.words if self.page else self.plain.split()

    @property
    def says_something(self) -> bool:
        return any(map(_WORD.search, self.page.words)) if self.page else _WORD.search(self.plain) is not None


def best_alternative(alternatives: Sequence[list[Piece]]) -> list[Piece]:
    """The first plain alternative that says something; the HTML where there is none or where that says much less; both
    where they differ."""
    speaking = [pieces for pieces in alternatives if any(piece.says_something for piece in pieces)]
    plain = next((pieces for pieces in speaking if not any(piece.is_html for piece in pieces)), None)
    html = next((pieces for pieces in speaking if any(piece.is_html for piece in pieces)), None)
    if plain is None or html is None:
        return plain or html or []
    plain_words = [word for piece in plain for word in piece.words]
    html_words = [word for piece in html for word in piece.words]
    if _says_no_more(html_words, plain_words):
        return plain
    if _is_stub(plain_words, html_words) or _says_no_more(plain_words, html_words):
        return html
    return [*plain, *html]


def _is_stub(plain_words: list[str], html_words: list[str]) -> bool:
    """`Your client cannot show HTML`: a few words where the HTML has many."""
    return len(plain_words) <= _STUB_WORDS and len(html_words) > _STUB_FACTOR * len(plain_words)


def _says_no_more(words: list[str], than: list[str]) -> bool:
    """Whether most of `words` are found in `than`."""
    asked = [word.strip("*_.,:;!?<>()[]\"'")[:_LETTERS] for word in words if len(word) >= _LONG_WORD]
    asked = [word for word in asked if word]
    sample = asked[:: max(1, len(asked) // _SAMPLE)]
    if len(sample) < _FEW:
        return True
    text = " ".join(than)
    return sum(word in text for word in sample) >= _SAME * len(sample)
