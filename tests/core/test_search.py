"""Text and query are folded alike, so that a search finds the same everywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.search import LONGEST_TEXT, MOST_WORDS, fold, searched_text, words


@pytest.mark.parametrize(
    ("text", "folded"),
    [("Réclamation", "reclamation"), ("STRAßE", "strasse"), ("ﬁle №5", "file no5"), ("ÅNGSTRÖM", "angstrom")],
)
def test_accents_and_case_do_not_count(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_a_query_is_words_and_nothing_else() -> None:
    assert words('"quote" OR (price:1) -x*') == ["quote", "or", "price", "1", "x"]
    assert words("!?*") == []


@given(st.text(max_size=300))
def test_what_is_stored_is_found_by_its_own_words(text: str) -> None:
    stored = searched_text(text).split()
    assert set(words(text)) <= set(stored) or len(words(text)) == MOST_WORDS
    assert len(words(text)) <= MOST_WORDS


def test_a_very_long_mail_is_searched_by_its_beginning() -> None:
    assert len(searched_text("word " * LONGEST_TEXT)) <= LONGEST_TEXT
