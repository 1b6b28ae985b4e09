"""A mail as numbers: TF-IDF of word and character n-grams of its cleaned text, and the facts beside the text.

    mailflow_features: ClassifierInput -> a sparse row (words | characters | facts) in doc.user_data

Rule: words and characters are two blocks, each of length 1, so that a long mail does not drown its words in characters.
Rule: what is particular to one mail (an address, an order number) becomes the name of its kind before it is counted.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from spacy.language import Language
from spacy.tokens import Doc

from mailflow.adapters.component import MAIL, ROW, Component, Matrix, mail_of
from mailflow.core.classification import ClassifierInput

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

    def idf(self) -> Matrix:
        return np.concatenate([block.idf_ for block in self._blocks]).astype(np.float32)

    def restore(self, vocabularies: Sequence[Sequence[str]], idf: Matrix) -> None:
        start = 0
        for block, terms in zip(self._blocks, vocabularies, strict=True):
            block.vocabulary = {term: column for column, term in enumerate(terms)}
            block.idf_ = idf[start : start + len(terms)]
            start += len(terms)


def _side_by_side(blocks: Sequence[csr_matrix]) -> csr_matrix:
    return (hstack(blocks) * np.float32(1 / np.sqrt(len(blocks)))).tocsr()


def with_facts(rows: csr_matrix, facts: Matrix, weight: float) -> csr_matrix:
    """(mails, features + facts): what every head reads. `weight`: of a fact that holds, beside a text of length 1."""
    return hstack([rows, csr_matrix(facts.astype(np.float32) * np.float32(weight))]).tocsr()


class FeaturesComponent(Component):
    """Arrays: idf. Document: vocabularies (words, characters)."""

    def __init__(self, name: str, settings: VectorizerSettings, facts_weight: float) -> None:
        super().__init__(name)
        self.vectorizer = Vectorizer(settings)
        self._facts_weight = facts_weight
        self.word_columns: dict[str, int] = {}
        """Words and groups of words -> column. They are the first columns of a row."""

    def fit(self, mails: Sequence[ClassifierInput]) -> csr_matrix:
        """Learns the vocabularies. Returns the mails' rows."""
        text = self.vectorizer.fit([normalise(whole_text(mail)) for mail in mails])
        self.arrays = {"idf": self.vectorizer.idf()}
        self.document = {"vocabularies": self.vectorizer.vocabularies()}
        self._name_columns()
        return self._with_facts(text, mails)

    def restored(self) -> None:
        self.vectorizer.restore(self.document["vocabularies"], self.arrays["idf"])
        self._name_columns()

    def _name_columns(self) -> None:
        self.word_columns = {term: column for column, term in enumerate(self.document["vocabularies"][0])}

    def annotate(self, docs: Sequence[Doc]) -> None:
        mails = [mail_of(doc) for doc in docs]
        text = self.vectorizer.transform([normalise(whole_text(mail)) for mail in mails])
        for doc, row in zip(docs, self._with_facts(text, mails), strict=True):
            doc.user_data[ROW] = row

    def _with_facts(self, text: csr_matrix, mails: Sequence[ClassifierInput]) -> csr_matrix:
        return with_facts(text, np.array([fact_row(mail) for mail in mails]), self._facts_weight)


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
