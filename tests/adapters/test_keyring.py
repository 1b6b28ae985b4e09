"""Raw mail at rest: what comes out is what went in, where it went in, or an error; never garbage."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.adapters.keyring import NO_KEYS, Keyring, key_id, read_keys
from mailflow.errors import SettingsError, StoreError

OLD, NEW = b"o" * 32, b"n" * 32
RING = Keyring([NEW, OLD])
KEYS = st.binary(min_size=32, max_size=32)


def line(key: bytes) -> str:
    return base64.b64encode(key).decode()


@given(st.binary(), KEYS, st.text(max_size=70))
def test_what_was_sealed_comes_out_as_it_was(octets: bytes, key: bytes, place: str) -> None:
    ring = Keyring([key])
    assert ring.open(*ring.seal(octets, place), place) == octets


@given(st.binary(), KEYS, KEYS)
def test_another_key_opens_nothing_even_under_the_same_id(octets: bytes, key: bytes, other: bytes) -> None:
    id_, sealed = Keyring([key]).seal(octets, "a/0")
    wrong = Keyring([other])
    if key != other:
        with pytest.raises(StoreError, match="not among the keys"):
            wrong.open(id_, sealed, "a/0")
        with pytest.raises(StoreError, match="was changed since"):
            wrong.open(wrong.current, sealed, "a/0")


@given(st.binary(min_size=1), st.data())
def test_an_octet_that_was_changed_is_noticed(octets: bytes, data: st.DataObject) -> None:
    id_, sealed = RING.seal(octets, "a/0")
    at = data.draw(st.integers(0, len(sealed) - 1))
    flipped = bytearray(sealed)
    flipped[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(StoreError, match="was changed since"):
        RING.open(id_, bytes(flipped), "a/0")


@given(st.binary(), st.integers(0, 40))
def test_what_was_cut_short_is_noticed(octets: bytes, kept: int) -> None:
    id_, sealed = RING.seal(octets, "a/0")
    if kept < len(sealed):
        with pytest.raises(StoreError, match="was changed since"):
            RING.open(id_, sealed[:kept], "a/0")


@given(st.binary(), st.text(max_size=5), st.text(max_size=5))
def test_a_seal_holds_only_where_it_was_made(octets: bytes, here: str, there: str) -> None:
    id_, sealed = RING.seal(octets, here)
    if here != there:
        with pytest.raises(StoreError, match="was changed since"):
            RING.open(id_, sealed, there)


def test_the_same_octets_are_sealed_differently_each_time() -> None:
    assert RING.seal(b"same", "a/0")[1] != RING.seal(b"same", "a/0")[1]


def test_nothing_of_the_octets_is_in_the_seal() -> None:
    octets = os.urandom(64) * 100
    assert octets[:8] not in RING.seal(octets, "a/0")[1]


def test_the_first_key_seals_and_the_others_open() -> None:
    assert RING.seal(b"x", "a/0")[0] == key_id(NEW) == RING.current
    assert RING.open(*Keyring([OLD]).seal(b"x", "a/0"), "a/0") == b"x"
    assert RING.ids == (key_id(NEW), key_id(OLD))


def test_without_a_key_octets_are_stored_as_they_are() -> None:
    assert NO_KEYS.seal(b"x", "a/0") == ("", b"x")
    assert RING.open("", b"stored before there was a key", "a/0") == b"stored before there was a key"


def test_an_id_tells_nothing_of_its_key() -> None:
    assert key_id(NEW) != key_id(OLD)
    assert key_id(NEW) not in (line(NEW), NEW.hex())


def test_a_file_holds_keys_one_a_line_in_either_base64() -> None:
    odd = b"\xfb\xff" * 16
    text = f"# of this year\n{line(NEW)}\n\n  {base64.urlsafe_b64encode(odd).decode()}\r\n"
    assert read_keys(text, "keys").ids == (key_id(NEW), key_id(odd))


@pytest.mark.parametrize("text", ["", "# nothing\n", "secret-words", line(b"short"), line(NEW + b"!"), line(NEW)[1:]])
def test_what_is_no_key_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(SettingsError, match="openssl rand -base64 32") as refused:
        read_keys(text, "[store] encryption_key_file /etc/key")
    assert str(refused.value).startswith("[store] encryption_key_file /etc/key: ")
    assert not text.strip() or text.startswith("#") or text not in str(refused.value)
