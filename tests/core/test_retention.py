"""What is forgotten of a text, and how long nothing is."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.retention import (
    LEAST_AGE,
    REPLACEMENT,
    Counts,
    Person,
    address_hmac,
    age,
    cleaned,
    kept_evidence,
    names_him,
    own_words,
    without,
)

ANN = Person("ann.example@partner.example", ("Ann Example", "Example, Ann", "Ñandú Pérez", "An"))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("write to ann.example@partner.example.", "write to [erased]."),
        ("<Ann.Example@PARTNER.example>", "<[erased]>"),
        ("Dear Ann Example,\nthanks", "Dear [erased],\nthanks"),
        ("ann  EXAMPLE wrote:", "[erased] wrote:"),
        ("Example, Ann", "[erased]"),
        ("mailto:ann.example@partner.example?subject=x", "mailto:[erased]?subject=x"),
        ("ÑANDÚ PÉREZ", "[erased]"),
    ],
)
def test_he_is_found_by_address_and_name(text: str, left: str) -> None:
    assert without(text, ANN.pattern) == left


@pytest.mark.parametrize(
    "text",
    [
        "joann.example@partner.example",
        "x.ann.example@partner.example",
        "ann.example@partner.example.org",
        "ann.example@partner.example-shop.example",
        "Joann Examples",
        "An apple, and Ann of another firm",
    ],
)
def test_who_only_looks_like_him_is_left_alone(text: str) -> None:
    assert without(text, ANN.pattern) == text


@given(st.text(), st.text(), st.emails())
def test_no_address_is_left_between_blanks(before: str, after: str, address: str) -> None:
    person = Person(address.lower()).pattern
    left = without(f"{before} {address} {after}", person)
    assert f" {address} " not in left
    assert left.count(REPLACEMENT) >= 1


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda some: st.lists(some), max_leaves=20))
def test_values_without_him_stay_as_they_are(value: object) -> None:
    assert cleaned(value, ANN.pattern) == value


def test_every_text_of_a_value_is_cleaned_and_no_key() -> None:
    value = {"to": ["ann.example@partner.example", "bob@x.example"], "n": [1, None, {"Ann Example": "Ann Example"}]}
    assert names_him(value, ANN.pattern)
    left = cleaned(value, ANN.pattern)
    assert left == {"to": ["[erased]", "bob@x.example"], "n": [1, None, {"Ann Example": "[erased]"}]}
    assert not names_him(left, ANN.pattern)


def test_of_others_mails_their_own_words_stay() -> None:
    text = "I agree.\n\nAnn wrote:\n> please send it\n\nRegards\nBob"
    assert own_words(text, [[0, 8], [text.index("Regards"), len(text)]]) == "I agree.\nRegards\nBob"
    assert own_words(text, []) == text


def test_evidence_that_is_not_in_the_mail_any_more_goes() -> None:
    intents: list[dict[str, object]] = [
        {"intent": "x", "confidence": 0.9, "evidence": [{"text": "kept"}, {"text": "quoted"}]},
        {"intent": "y"},
    ]
    left = kept_evidence(intents, "what is kept")
    assert left[0] == {"intent": "x", "confidence": 0.9, "evidence": [{"text": "kept"}]}
    assert left[1] == {"intent": "y", "evidence": []}


@pytest.mark.parametrize(("text", "days"), [("365d", 365), ("52w", 364), ("2y", 730), (" 30D ", 30)])
def test_an_age_is_days_weeks_or_years(text: str, days: int) -> None:
    assert age(text) == timedelta(days=days)


@pytest.mark.parametrize("text", ["", "365", "-1d", "1.5y", "29d", "0y", "999999d", "a year"])
def test_an_age_that_is_none_or_too_short_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time like 365d|is less than 30 days"):
        age(text)
    assert timedelta(days=30) == LEAST_AGE


def test_an_address_is_hashed_under_a_key_however_it_is_written() -> None:
    assert address_hmac(b"k", " Ann@X.example ") == address_hmac(b"k", "ann@x.example")
    assert address_hmac(b"k", "ann@x.example") != address_hmac(b"l", "ann@x.example")
    assert "ann" not in address_hmac(b"k", "ann@x.example")


def test_counts_add_up() -> None:
    one = Counts(threads=1, mails=2, left=3)
    assert one.plus(one).as_dict["mails"] == 4
    assert Counts(**one.as_dict) == one
