"""A mail as numbers: TF-IDF of word and character n-grams of its cleaned text, and the facts beside the text.

Rule: words and characters are two blocks, each of length 1, so that a long mail does not drown its words in characters.
Rule: what is particular to one mail (an address, an order number) becomes the name of its kind before it is counted.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer

from mailflow.core.classification import ClassifierInput

Floats = npt.NDArray[np.floating[Any]]

_REPLACEMENTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"https?://\S+|www\.\S+"), " xxurl "),
    (re.compile(r"\S+@\S+\.\w+"), " xxaddress "),
    (re.compile(r"\b(?=\w*\d)(?=\w*[a-z])[\w-]{6,}\b"), " xxid "),
    (re.compile(r"\d[\d.,:/-]*\d"), " 00 "),
    (re.compile(r"\d"), "0"),
    (re.compile("[\u2018\u2019\u00b4`]"), "'"),
)
TOKEN = r"\w+(?:'\w+)?|[?!]+"  # noqa: S105 - a pattern
_TOKEN = re.compile(TOKEN)


def normalise(text: str) -> str:
    """`text` in lower case (NFKC), with addresses, links, identifiers and numbers replaced by what they are. Pure.

    >>> normalise("Ticket ZD-4711-889 from Ana@firm.example: 25 seats?")
    'ticket  xxid  from  xxaddress   00  seats?'
    """
    text = unicodedata.normalize("NFKC", text).lower()
    for pattern, kind in _REPLACEMENTS:
        text = pattern.sub(kind, text)
    return text


def words(text: str) -> list[str]:
    """The words of a normalised text; runs of ? and ! count as words."""
    return _TOKEN.findall(text)


def whole_text(mail: ClassifierInput) -> str:
    """What is classified: the subject and what this sender wrote now."""
    return f"{mail.subject}\n{mail.content}"


FACT_NAMES = (
    "internal",
    "deliverable",
    "attachment",
    "quote",
    "cc",
    "foreign",
    "length",
    "questions",
    "tiny",
    "machine",
)


def fact_row(mail: ClassifierInput) -> list[float]:
    """The facts beside the text, each between 0 and 1, in the order of FACT_NAMES."""
    length = len(mail.content.split())
    return [
        float(mail.is_authenticated_internal),
        float(mail.has_deliverable),
        float(bool(mail.attachment_names)),
        float(mail.has_quote),
        min(mail.cc_count, 3) / 3,
        float(mail.language not in ("", "en")),
        min(length, 200) / 200,
        min(mail.content.count("?"), 5) / 5,
        float(length < 12),
        float(mail.origin not in ("human", "list")),
    ]


@dataclass(frozen=True, slots=True)
class VectorizerSettings:
    word_ngrams: int
    char_ngrams: tuple[int, int]
    min_df: int


class Vectorizer:
    """Two TF-IDF blocks side by side. Rebuilt from its vocabularies and weights alone: no object is pickled."""

    def __init__(self, settings: VectorizerSettings) -> None:
        shared = {"lowercase": False, "sublinear_tf": True, "min_df": settings.min_df, "dtype": np.float32}
        self._blocks = (
            TfidfVectorizer(ngram_range=(1, settings.word_ngrams), token_pattern=TOKEN, **shared),
            TfidfVectorizer(ngram_range=settings.char_ngrams, analyzer="char_wb", **shared),
        )

    def fit(self, normalised: Sequence[str]) -> csr_matrix:
        return _side_by_side([block.fit_transform(normalised) for block in self._blocks])

    def transform(self, normalised: Sequence[str]) -> csr_matrix:
        """(mails, features), rows of length 1: two blocks of equal weight."""
        return _side_by_side([block.transform(normalised) for block in self._blocks])

    def vocabularies(self) -> list[list[str]]:
        """The terms of each block in the order of their columns."""
        return [[str(term) for term in block.get_feature_names_out()] for block in self._blocks]

    def idf(self) -> Floats:
        return np.concatenate([block.idf_ for block in self._blocks]).astype(np.float32)

    def restore(self, vocabularies: Sequence[Sequence[str]], idf: Floats) -> None:
        start = 0
        for block, terms in zip(self._blocks, vocabularies, strict=True):
            block.vocabulary = {term: column for column, term in enumerate(terms)}
            block.idf_ = idf[start : start + len(terms)]
            start += len(terms)


def _side_by_side(blocks: Sequence[csr_matrix]) -> csr_matrix:
    return (hstack(blocks) * np.float32(1 / np.sqrt(len(blocks)))).tocsr()


def with_facts(rows: csr_matrix, facts: Floats, weight: float) -> csr_matrix:
    """(mails, features + facts): what every head reads. `weight`: of a fact that holds, beside a text of length 1."""
    return hstack([rows, csr_matrix(facts.astype(np.float32) * np.float32(weight))]).tocsr()
