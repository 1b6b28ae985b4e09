"""Mails as numbers."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer

from mailflow.adapters.component import Matrix, Row, as_matrix
from mailflow.adapters.features import (
    FACT_NAMES,
    MOST_CHARACTERS,
    TOKEN,
    Vectorizer,
    VectorizerSettings,
    Vocabulary,
    fact_row,
    normalise,
    normalised_word,
    surface_words,
    whole_text,
    with_facts,
    words,
)
from mailflow.core.classification import ClassifierInput
from mailflow.core.message import Role
from mailflow.errors import ModelError

SETTINGS = VectorizerSettings(word_ngrams=2, char_ngrams=(2, 5), min_df=1)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Write to Ana@firm.example now", ["write", "to", "xxaddress", "now"]),
        ("see https://firm.example/a?b=1", ["see", "xxurl"]),
        ("order PO4711-A/88", ["order", "xxid", "00"]),
        ("25 seats, 3 years", ["00", "seats", "0", "years"]),
        ("we don\u2019t know??", ["we", "don't", "know", "??"]),
        ("\uff2e\uff26\uff32 licence", ["nfr", "licence"]),
    ],
)
def test_what_is_particular_becomes_its_kind(text: str, wanted: list[str]) -> None:
    assert words(normalise(text)) == wanted


def test_words_as_they_are_spelled_are_found_at_their_place() -> None:
    text = "We don\u2019t know: what of \uff2e\uff26\uff32?"
    assert [text[one.start() : one.end()] for one in surface_words(text)][:3] == ["We", "don\u2019t", "know"]
    assert [normalised_word(one[0]) for one in surface_words(text)] == words(normalise(text))


def test_of_a_very_long_mail_the_beginning_counts() -> None:
    mail = ClassifierInput("licence", "a" * 10**6, Role.UNKNOWN, is_authenticated_internal=False)
    assert whole_text(mail).startswith("licence\naaa")
    assert len(whole_text(mail)) == MOST_CHARACTERS


@given(st.text())
def test_no_text_is_too_strange(text: str) -> None:
    assert isinstance(words(normalise(text)), list)


def _fitted(texts: list[str], settings: VectorizerSettings = SETTINGS) -> tuple[Vectorizer, list[list[str]], Matrix]:
    fitted = Vectorizer(settings)
    _, terms = fitted.fit(texts)
    return fitted, terms, fitted.idf()


def _dense(rows: Sequence[Row], width: int) -> Matrix:
    result: Matrix = as_matrix(rows, width).toarray()
    return result


def test_rebuilt_from_words_and_weights_it_gives_the_same_rows() -> None:
    texts = [normalise(text) for text in ("a lab licence, please", "the portal login fails", "ライセンスを希望")]
    fitted, terms, idf = _fitted(texts)
    rebuilt = Vectorizer(SETTINGS)
    rebuilt.restore(terms, idf)
    for text in texts:
        np.testing.assert_array_equal(rebuilt.row(text).columns, fitted.row(text).columns)
        np.testing.assert_array_equal(rebuilt.row(text).values, fitted.row(text).values)


def _as_scikit_learn_does(learned: list[str], settings: VectorizerSettings) -> Callable[[str], csr_matrix]:
    shared = {"lowercase": False, "sublinear_tf": True, "min_df": settings.min_df, "dtype": np.float32}
    blocks = (
        TfidfVectorizer(ngram_range=(1, settings.word_ngrams), token_pattern=TOKEN, **shared).fit(learned),
        TfidfVectorizer(ngram_range=settings.char_ngrams, analyzer="char_wb", **shared).fit(learned),
    )
    return lambda text: (hstack([one.transform([text]) for one in blocks]) * np.float32(1 / np.sqrt(2))).tocsr()


LEARNED = [
    normalise(text) for text in ("a lab licence, please??", "the portal's login fails", "ライセンスを希望", "x 00")
]
WORDS = st.sampled_from(
    [word for text in LEARNED for word in text.split()] + ["unseen", "", "\u2003", "\x1c", "e\u0301"]
)


@pytest.mark.parametrize("settings", [SETTINGS, VectorizerSettings(1, (3, 3), 1), VectorizerSettings(3, (1, 4), 1)])
@given(text=st.one_of(st.lists(WORDS, max_size=40).map(" ".join), st.text(max_size=80)))
def test_a_row_has_the_bits_that_scikit_learn_gives_it(settings: VectorizerSettings, text: str) -> None:
    ours, theirs = _of(settings)
    text = normalise(text)
    row, wanted = ours.row(text), theirs(text)
    np.testing.assert_array_equal(row.columns, wanted.indices)
    np.testing.assert_array_equal(row.values, wanted.data)
    assert row.values.dtype == wanted.dtype


@cache
def _of(settings: VectorizerSettings) -> tuple[Vectorizer, Callable[[str], csr_matrix]]:
    return _fitted(LEARNED, settings)[0], _as_scikit_learn_does(LEARNED, settings)


def test_a_mail_is_read_at_work_as_it_was_in_training() -> None:
    fitted = Vectorizer(SETTINGS)
    rows, _ = fitted.fit(LEARNED)
    width = len(fitted.idf())
    np.testing.assert_allclose(_dense([fitted.row(text) for text in LEARNED], width), rows.toarray(), rtol=1e-6)


def test_short_and_long_mails_have_the_same_length() -> None:
    texts = ["one word", "many words of one long mail " * 20 + "and an end"]
    fitted, _, idf = _fitted(texts)
    rows = _dense([fitted.row(text) for text in texts], len(idf))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


@given(st.lists(st.text(alphabet="ab \u00e9", max_size=4), unique=True))
def test_a_vocabulary_knows_its_terms_and_no_other(terms: list[str]) -> None:
    vocabulary = Vocabulary(terms)
    assert vocabulary.columns(terms).tolist() == list(range(len(terms)))
    assert vocabulary.columns(["never", *terms]).tolist() == [-1, *range(len(terms))]
    assert vocabulary.known(["never", *terms, "never"]).tolist() == list(range(len(terms)))


def test_two_terms_that_a_vocabulary_cannot_tell_apart_are_refused() -> None:
    with pytest.raises(ModelError, match="same hash"):
        Vocabulary(["lab", "lab"])


@given(content=st.text(max_size=300), cc=st.integers(0, 1000), origin=st.sampled_from(["human", "bounce", "list"]))
def test_facts_lie_between_0_and_1(content: str, cc: int, origin: str) -> None:
    mail = ClassifierInput("", content, Role.UNKNOWN, False, cc_count=cc, origin=origin)
    row = fact_row(mail)
    assert len(row) == len(FACT_NAMES)
    assert all(0 <= value <= 1 for value in row)


def test_facts_stand_beside_the_text_with_their_weight() -> None:
    text = Row(np.array([1, 4], dtype=np.int32), np.array([0.6, 0.8], dtype=np.float32))
    rows = [with_facts(text, 5, facts, np.float32(0.4)) for facts in ([1.0, 0.0], [0.0, 0.5])]
    np.testing.assert_allclose(_dense(rows, 7), [[0, 0.6, 0, 0, 0.8, 0.4, 0], [0, 0.6, 0, 0, 0.8, 0, 0.2]], atol=1e-6)


def test_a_stretch_without_blanks_is_broken_so_that_it_costs_no_square() -> None:
    mail = ClassifierInput("a subject", "Why?\n" + ">" * 441_000, Role.UNKNOWN, is_authenticated_internal=False)
    text = whole_text(mail)
    assert len(text) == MOST_CHARACTERS
    assert max(map(len, text.split())) == 500
    assert text.startswith("a subject\nWhy?\n>>>")
