"""A mail as numbers: word and character n-grams of its text, and the facts beside the text.

Rule: an n-gram of characters never leaves its word (scikit-learn calls that `char_wb`).
Why: so every feature belongs to one word or to two neighbours, the features of a word are computed once in a process, and
what a model saw in a mail can be shown word by word.
Rule: words and characters are two blocks, each of length 1, so that a long mail does not drown its words in characters.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mailflow.core.classification import ClassifierInput

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

# --- text -------------------------------------------------------------------------------------------------------------

_REPLACEMENTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"https?://\S+|www\.\S+"), " xxurl "),
    (re.compile(r"\S+@\S+\.\w+"), " xxaddress "),
    (re.compile(r"\b(?=\w*\d)(?=\w*[a-z])[\w-]{6,}\b"), " xxid "),
    (re.compile(r"\d[\d.,:/-]*\d"), " 00 "),
    (re.compile(r"\d"), "0"),
    (re.compile("[\u2018\u2019\u00b4`]"), "'"),
)
"""What is particular to one mail becomes the name of its kind, in this order."""

_WORD = re.compile(r"\w+(?:'\w+)?|[?!]+")


def normalise(text: str) -> str:
    """`text` in lower case (NFKC), with addresses, links, identifiers and numbers replaced by what they are. Pure.

    >>> normalise("Ticket ZD-4711-889 from Ana@firm.example: 25 seats?")
    'ticket  xxid  from  xxaddress  00  seats?'
    """
    text = unicodedata.normalize("NFKC", text).lower()
    for pattern, kind in _REPLACEMENTS:
        text = pattern.sub(kind, text)
    return text


def words(text: str) -> list[str]:
    """The words of a normalised text; runs of ? and ! count as words."""
    return _WORD.findall(text)
