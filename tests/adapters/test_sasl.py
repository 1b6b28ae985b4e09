"""The strings that carry an access token, taken apart again by the rules of the RFC and not by ours."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.adapters.sasl import MECHANISMS, choose, oauthbearer, xoauth2

USERS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1) | st.from_regex(r"\A[a-z=,@.]+\Z")
TOKENS = st.from_regex(r"\A[A-Za-z0-9._~+/-]+=*\Z")


def key_values(response: bytes) -> list[tuple[str, str]]:
    """RFC 7628, 3.1: kvpairs, each `key=value` and ^A, then one more ^A."""
    assert response.endswith(b"\x01\x01")
    pairs = response.decode()[:-2].split("\x01")
    return [(key, value) for key, _, value in (pair.partition("=") for pair in pairs)]


@given(USERS, TOKENS)
def test_an_oauthbearer_response_names_the_user_and_the_token(user: str, token: str) -> None:
    header, _, rest = oauthbearer(user, token).partition(b"\x01")
    found = re.fullmatch(r"n,a=((?:[^,=]|=2C|=3D)+),", header.decode(), re.S)
    assert found is not None
    assert found[1].replace("=2C", ",").replace("=3D", "=") == user
    assert key_values(rest) == [("auth", f"Bearer {token}")]


@given(USERS, TOKENS)
def test_an_xoauth2_response_names_the_user_and_the_token(user: str, token: str) -> None:
    assert key_values(xoauth2(user, token)) == [("user", user), ("auth", f"Bearer {token}")]


def test_the_form_is_that_of_those_who_invented_them() -> None:
    """RFC 7628, 4.1 (without host and port, which Bearer does not need); Google's page on XOAUTH2."""
    assert oauthbearer("user@mail.example", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==") == (
        b"n,a=user@mail.example,\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
    )
    assert xoauth2("someuser@mail.example", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg") == (
        b"user=someuser@mail.example\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01"
    )


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ({"PLAIN", "XOAUTH2", "OAUTHBEARER"}, "OAUTHBEARER"),
        ({"PLAIN", "XOAUTH2"}, "XOAUTH2"),
        ({"OAUTHBEARER"}, "OAUTHBEARER"),
        ({"PLAIN", "LOGIN"}, None),
        (set(), None),
    ],
)
def test_the_standard_is_preferred_to_its_forerunner(offered: set[str], chosen: str | None) -> None:
    mechanism = choose(offered)
    assert (mechanism.name if mechanism else None) == chosen


def test_each_mechanism_answers_an_error_in_its_own_way() -> None:
    """RFC 7628, 3.2.3: ^A; Google: an empty response."""
    assert {one.name: one.after_error for one in MECHANISMS} == {"OAUTHBEARER": b"\x01", "XOAUTH2": b""}
