"""Mails as numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.adapters.features import (
    FACT_NAMES,
    MOST_CHARACTERS,
    Vectorizer,
    VectorizerSettings,
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


def test_rebuilt_from_words_and_weights_it_gives_the_same_rows() -> None:
    texts = [normalise(text) for text in ("a lab licence, please", "the portal login fails", "ライセンスを希望")]
    fitted = Vectorizer(SETTINGS)
    rows = fitted.fit(texts)
    rebuilt = Vectorizer(SETTINGS)
    rebuilt.restore(fitted.vocabularies(), fitted.idf())
    np.testing.assert_allclose(rebuilt.transform(texts).toarray(), rows.toarray(), atol=1e-6)


def test_short_and_long_mails_have_the_same_length() -> None:
    rows = Vectorizer(SETTINGS).fit(["one word", "many words of one long mail " * 20 + "and an end"])
    np.testing.assert_allclose(np.sqrt(rows.multiply(rows).sum(axis=1)), 1, atol=1e-6)


@given(content=st.text(max_size=300), cc=st.integers(0, 1000), origin=st.sampled_from(["human", "bounce", "list"]))
def test_facts_lie_between_0_and_1(content: str, cc: int, origin: str) -> None:
    mail = ClassifierInput("", content, Role.UNKNOWN, False, cc_count=cc, origin=origin)
    row = fact_row(mail)
    assert len(row) == len(FACT_NAMES)
    assert all(0 <= value <= 1 for value in row)


def test_facts_stand_beside_the_text_with_their_weight() -> None:
    text = Vectorizer(SETTINGS).fit(["a lab licence", "a portal login"])
    rows = with_facts(text, np.array([[1.0, 0.0], [0.0, 0.5]]), 0.4)
    np.testing.assert_allclose(rows[:, -2:].toarray(), [[0.4, 0], [0, 0.2]], atol=1e-6)


def test_a_stretch_without_blanks_is_broken_so_that_it_costs_no_square() -> None:
    mail = ClassifierInput("a subject", "Why?\n" + ">" * 441_000, Role.UNKNOWN, is_authenticated_internal=False)
    text = whole_text(mail)
    assert len(text) == MOST_CHARACTERS
    assert max(map(len, text.split())) == 500
    assert text.startswith("a subject\nWhy?\n>>>")
