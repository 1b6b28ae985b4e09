"""What travels with a browser while it signs in elsewhere, and which account somebody has."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.accounts import SignInRefused
from mailflow.core.sign_in_elsewhere import (
    LASTS,
    LONGEST_NEXT,
    Flow,
    Identity,
    account_name,
    display_name,
    opened,
    sealed,
)
from mailflow.testing import NOON

KEY = b"a key of the store"
FLOW = Flow("state", "nonce", "verifier", "/threads/7?a=b", int(NOON.timestamp()))
SAM = Identity("248289761001", "sam@desk.example", True, "Sam Example")
DOMAINS = ("desk.example",)


def test_what_comes_back_in_time_is_what_was_sent() -> None:
    assert opened(sealed(FLOW, KEY), KEY, NOON + LASTS) == FLOW


@given(st.text(max_size=LONGEST_NEXT))
def test_wherever_it_leads_it_fits_into_a_cookie(next_: str) -> None:
    kept = sealed(replace(FLOW, next=next_), KEY)
    assert len(kept) < 4_000
    assert kept.isascii()
    assert set(kept) & set('=;,"\\ ') == set()


@pytest.mark.parametrize(
    ("key", "late"),
    [(b"another key", timedelta(0)), (KEY, LASTS + timedelta(seconds=1)), (KEY, -timedelta(seconds=1))],
    ids=["not ours", "too late", "from the future"],
)
def test_what_is_not_ours_or_not_of_now_is_nothing(key: bytes, late: timedelta) -> None:
    assert opened(sealed(FLOW, key), KEY, NOON + late) is None


@given(st.text(max_size=300))
def test_what_somebody_makes_up_is_nothing(text: str) -> None:
    assert opened(text, KEY, NOON) is None


@given(st.integers(min_value=0, max_value=300), st.sampled_from("abcXYZ012-_."))
def test_what_was_changed_is_nothing(at: int, char: str) -> None:
    kept = sealed(FLOW, KEY)
    changed = kept[:at] + char + kept[at + 1 :]
    assert changed == kept or opened(changed, KEY, NOON) is None


def test_an_account_is_named_by_the_verified_address() -> None:
    assert account_name(replace(SAM, email=" Sam@Desk.EXAMPLE "), DOMAINS) == "sam@desk.example"


@pytest.mark.parametrize(
    ("identity", "sentence"),
    [
        (replace(SAM, is_verified=False), "verified"),
        (replace(SAM, email="sam@elsewhere.example"), "domain"),
        (replace(SAM, email="sam@desk.example.evil.example"), "domain"),
        (replace(SAM, email="sam@evil.example@desk.example"), "no mail address"),
        (replace(SAM, email="sam@sub.desk.example"), "domain"),
        (replace(SAM, email=""), "no mail address"),
        (replace(SAM, email="sam desk@desk.example"), "no mail address"),
        (replace(SAM, email="\u015fam@desk.example"), "no mail address"),
        (replace(SAM, email=f"{'s' * 64}@desk.example"), "no mail address"),
        (replace(SAM, email="sam\n@desk.example"), "no mail address"),
    ],
    ids=lambda value: value.email[:20] if isinstance(value, Identity) else "",
)
def test_nobody_else_has_one(identity: Identity, sentence: str) -> None:
    with pytest.raises(SignInRefused, match=sentence):
        account_name(identity, DOMAINS)


@given(st.text())
def test_a_name_is_shown_on_one_line_and_is_never_empty(said: str) -> None:
    shown = display_name(replace(SAM, display_name=said), "sam@desk.example")
    assert shown.isprintable()
    assert 0 < len(shown) <= 80
