"""A mail as numbers: TF-IDF of word and character n-grams of its cleaned text, and the facts beside the text.

    mailflow_features: ClassifierInput -> a Row (words | characters | facts) in doc.user_data

Rule: words and characters are two blocks, each of length 1, so that a long mail does not drown its words in characters.
Rule: what is particular to one mail (an address, an order number) becomes the name of its kind before it is counted.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_matrix, hstack
from spacy.language import Language
from spacy.strings import hash_string  # type: ignore[attr-defined] # the stub has not heard of it
from spacy.tokens import Doc

from mailflow.adapters.component import MAIL, ROW, Array, Component, Matrix, Row, mail_of
from mailflow.core.classification import ClassifierInput
from mailflow.errors import ModelError

_QUOTE = re.compile("[\u2018\u2019\u00b4`]")
_REPLACEMENTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"https?://\S+|www\.\S+"), " xxurl "),
    (re.compile(r"\S+@\S+\.\w+"), " xxaddress "),
    (re.compile(r"\b(?=\w*\d)(?=\w*[a-z])[\w-]{6,}\b"), " xxid "),
    (re.compile(r"\d[\d.,:/-]*\d"), " 00 "),
    (re.compile(r"\d"), "0"),
    (_QUOTE, "'"),
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


def surface_words(text: str) -> list[re.Match[str]]:
    """The words of a text as it is spelled, each with its place."""
    return list(_TOKEN.finditer(_QUOTE.sub("'", text)))


def normalised_word(word: str) -> str:
    """What `words` has of a word in which nothing is replaced."""
    return unicodedata.normalize("NFKC", word).lower()


MOST_CHARACTERS = 20_000
"""What is asked stands in the first pages; a log of megabytes behind them would only take time and drown it."""


_LONG_STRETCH = re.compile(r"\S{500}(?=\S)")


def whole_text(mail: ClassifierInput) -> str:
    """What is classified: the subject and what this sender wrote now, MOST_CHARACTERS of it.

    A stretch without blanks is broken after 500 characters, because spaCy's tokenizer takes time with its square.
    """
    content = mail.content[:MOST_CHARACTERS]
    return f"{mail.subject}\n{_LONG_STRETCH.sub(lambda stretch: stretch[0] + ' ', content)}"[:MOST_CHARACTERS]


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


class Vocabulary:
    """Which column a term has.

    Knows terms by spaCy's 64-bit hash of them. Why: 12 octets a term instead of 170, and one search for all terms of a
    mail. That a word which is no term has the hash of one happens once in 10^14 words.
    """

    def __init__(self, terms: Sequence[str]) -> None:
        """`terms`: in the order of their columns. Raises ModelError if two have one hash."""
        hashes = _hashes(terms)
        self._columns = np.argsort(hashes, kind="stable").astype(np.int32)
        self._hashes = hashes[self._columns]
        if (self._hashes[1:] == self._hashes[:-1]).any():
            raise ModelError("two terms of the vocabulary have the same hash: a larger min_df in config.cfg drops one")

    def __len__(self) -> int:
        return len(self._hashes)

    def columns(self, terms: Sequence[str]) -> Array:
        """Of each term; -1 for one that is not known."""
        if not len(self):
            return np.full(len(terms), -1, dtype=np.int32)
        asked = _hashes(terms)
        place = np.minimum(self._hashes.searchsorted(asked), len(self) - 1)
        result: Array = np.where(self._hashes[place] == asked, self._columns[place], np.int32(-1))
        return result

    def known(self, terms: Sequence[str]) -> Array:
        """The columns of those that are known."""
        found = self.columns(terms)
        result: Array = found[found >= 0]
        return result


def _hashes(terms: Sequence[str]) -> Array:
    return np.array([hash_string(term) for term in terms], dtype=np.uint64)


def word_groups(normalised: str, most: int) -> list[str]:
    """The words of a normalised text, and its groups of up to `most` words."""
    one = words(normalised)
    return [" ".join(group) for n in range(1, most + 1) for group in zip(*(one[k:] for k in range(n)), strict=False)]


def character_groups(word: str, low: int, high: int) -> list[str]:
    """Stretches of `low` to `high` characters of a word with a blank on either side; a shorter one once, as it is."""
    padded = f" {word} "
    longest = min(high, max(low, len(padded)))
    return [padded[k : k + n] for n in range(low, longest + 1) for k in range(max(len(padded) - n, 0) + 1)]


_NO_COLUMNS, _NO_WEIGHTS = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32)
_OFTEN = 4096
"""Words whose groups of characters are remembered: most words of a mail were in one before."""
_SHORT = 20
"""Characters of a word that is worth it."""


class Vectorizer:
    """Two TF-IDF blocks side by side: words and groups of words, groups of characters within a word.

    scikit-learn chooses terms and weights in training. What it would make of a mail is computed here, to the same bits:
    why, its import takes 50 MB and its checks of one mail longer than the mail.
    """

    def __init__(self, settings: VectorizerSettings) -> None:
        self._settings = settings
        self.words = self._characters = Vocabulary(())
        self._idf: tuple[Matrix, Matrix] = (_NO_WEIGHTS, _NO_WEIGHTS)
        self._spelled_often = lru_cache(_OFTEN)(self._spelled)

    def fit(self, normalised: Sequence[str]) -> tuple[csr_matrix, list[list[str]]]:
        """Learns. Returns the rows, and the terms of each block in the order of their columns."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        shared = {"lowercase": False, "sublinear_tf": True, "min_df": self._settings.min_df, "dtype": np.float32}
        blocks = (
            TfidfVectorizer(ngram_range=(1, self._settings.word_ngrams), token_pattern=TOKEN, **shared),
            TfidfVectorizer(ngram_range=self._settings.char_ngrams, analyzer="char_wb", **shared),
        )
        rows = hstack([block.fit_transform(normalised) for block in blocks]) * _SHARE
        terms = [[str(term) for term in block.get_feature_names_out()] for block in blocks]
        self.restore(terms, np.concatenate([block.idf_ for block in blocks]).astype(np.float32))
        return rows, terms

    def idf(self) -> Matrix:
        return np.concatenate(self._idf)

    def restore(self, terms: Sequence[Sequence[str]], idf: Matrix) -> None:
        self.words, self._characters = map(Vocabulary, terms)
        self._idf = idf[: len(self.words)], idf[len(self.words) :]
        self._spelled_often.cache_clear()

    def row(self, normalised: str) -> Row:
        """Of length 1: two blocks of equal weight."""
        groups = [
            self._spelled_often(word) if len(word) <= _SHORT else self._spelled(word) for word in normalised.split()
        ]
        of_words = _tf_idf(self.words.known(word_groups(normalised, self._settings.word_ngrams)), self._idf[0])
        of_characters = _tf_idf(np.concatenate([_NO_COLUMNS, *groups]), self._idf[1])
        columns = np.concatenate((of_words.columns, of_characters.columns + np.int32(len(self.words))))
        return Row(columns, np.concatenate((of_words.values, of_characters.values)) * _SHARE)

    def _spelled(self, word: str) -> Array:
        """The columns of its groups of characters."""
        return self._characters.known(character_groups(word, *self._settings.char_ngrams))


_SHARE = np.float32(1 / np.sqrt(2))


def _tf_idf(found: Array, idf: Matrix) -> Row:
    """Of length 1. `found`: the column of each term, as often as it occurs.

    The length is summed from left to right and in 64 bits, as scikit-learn does it.
    """
    columns, counts = np.unique(found, return_counts=True)
    values: Matrix = (np.log(counts.astype(np.float32)) + np.float32(1)) * idf[columns]
    if len(values):
        length = np.sqrt(np.cumsum(values * values, dtype=np.float64)[-1])
        values = (values / length).astype(np.float32)
    return Row(columns, values)


class FeaturesComponent(Component):
    """Arrays: idf. Document: vocabularies (words, characters), until it goes to work."""

    def __init__(self, name: str, settings: VectorizerSettings, facts_weight: float) -> None:
        super().__init__(name)
        self.vectorizer = Vectorizer(settings)
        self._facts_weight = np.float32(facts_weight)

    def fit(self, mails: Sequence[ClassifierInput]) -> csr_matrix:
        """Learns the vocabularies. Returns the mails' rows."""
        text, terms = self.vectorizer.fit([normalise(whole_text(mail)) for mail in mails])
        self.arrays, self.document = {"idf": self.vectorizer.idf()}, {"vocabularies": terms}
        facts = np.array([fact_row(mail) for mail in mails], dtype=np.float32) * self._facts_weight
        return hstack([text, csr_matrix(facts)]).tocsr()

    def restored(self) -> None:
        self.vectorizer.restore(self.document.pop("vocabularies"), self.arrays["idf"])

    def annotate(self, docs: Sequence[Doc]) -> None:
        for doc in docs:
            doc.user_data[ROW] = self.row(mail_of(doc))

    def row(self, mail: ClassifierInput) -> Row:
        """What every head reads: words and groups of words first, then characters, then facts."""
        text = self.vectorizer.row(normalise(whole_text(mail)))
        return with_facts(text, len(self.arrays["idf"]), fact_row(mail), self._facts_weight)


def with_facts(text: Row, start: int, facts: Sequence[float], weight: np.float32) -> Row:
    """`start`: the column of the first fact. `weight`: of a fact that holds, beside a text of length 1."""
    values = np.array(facts, dtype=np.float32) * weight
    (holding,) = values.nonzero()
    columns = (holding + start).astype(np.int32)
    return Row(np.concatenate((text.columns, columns)), np.concatenate((text.values, values[holding])))


def as_doc(nlp: Language, mail: ClassifierInput) -> Doc:
    """What the pipeline's components read."""
    doc = nlp.make_doc(whole_text(mail))
    doc.user_data[MAIL] = mail
    return doc


@Language.factory(
    "mailflow_features", default_config={"word_ngrams": 2, "char_ngrams": [2, 5], "min_df": 2, "facts_weight": 0.3}
)
def make_features(
    nlp: Language, name: str, word_ngrams: int, char_ngrams: list[int], min_df: int, facts_weight: float
) -> FeaturesComponent:
    low, high = char_ngrams
    return FeaturesComponent(name, VectorizerSettings(word_ngrams, (low, high), min_df), facts_weight)
