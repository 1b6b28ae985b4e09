"""Full-text search that finds the same on every database: text and query are folded here, before either sees them.

Why here: SQLite's tokenizer takes accents away, PostgreSQL's `simple` does not; `reclam` must find `Réclamation` by
either.
"""

import re
import unicodedata

LONGEST_TEXT = 100_000
"""Characters of a mail that are searched. Why: PostgreSQL's index takes a megabyte, and letters are shorter."""
_WORD = re.compile(r"\w+")
MOST_WORDS = 12


def fold(text: str) -> str:
    """`text` in small letters without accents (Unicode, NFKD)."""
    decomposed = unicodedata.normalize("NFKD", text[:LONGEST_TEXT])
    return "".join(char for char in decomposed if not unicodedata.combining(char)).casefold()


def words(query: str) -> list[str]:
    """The words of a query, folded; the last one may be the beginning of a word."""
    return _WORD.findall(fold(query))[:MOST_WORDS]


def searched_text(*parts: str) -> str:
    """What is stored of a mail to be found by: its words, folded, one space between."""
    return " ".join(_WORD.findall(fold(" ".join(parts))))
