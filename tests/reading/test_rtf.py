"""Rich text as words (RTF 1.9.1), HTML inside it (MS-OXRTFEX) and its packing (MS-OXRTFCP)."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.reading.rtf import rtf_text, unpacked


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (rb"{\rtf1\ansi Hello\par world}", "Hello\nworld"),
        (rb"{\rtf1\ansi{\fonttbl{\f0 Arial;}}{\colortbl;\red0;}\f0\fs20 Hello}", "Hello"),
        (rb"{\rtf1\ansi\ansicpg1252 Gr\'fc\'dfe}", "Grüße"),
        (rb"{\rtf1\ansi\ansicpg1251 \'cf\'f0\'e8}", "При"),
        (rb"{\rtf1\ansi\ansicpg932 \'93\'fa\'96\'7b}", "日本"),
        (rb"{\rtf1\uc1 caf\u233?, \u8364? \u55357?\u56832?}", "café, € 😀"),
        (rb"{\rtf1\uc0\u228 x}", "äx"),
        (rb"{\rtf1 a\tab b\line c\~d\_e \{x\}}", "a\tb\nc\u00a0d-e {x}"),
        (rb"{\rtf1{\*\generator Riched20;}{\info{\author nobody}}text}", "text"),
        (rb"{\rtf1\fromhtml1{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 Hi\htmlrtf }\htmlrtf0{\*\htmltag72 </p>}}", "Hi"),
        (rb"no rich text", "no rich text"),
        (b"", ""),
    ],
)
def test_rich_text_reads_as_its_words(source: bytes, expected: str) -> None:
    assert rtf_text(source) == expected


@given(st.binary(max_size=200))
def test_rich_text_is_total_and_storable(data: bytes) -> None:
    rtf_text(b"{\\rtf1 " + data).encode("utf-8")


def packed(runs: bytes, raw_size: int) -> bytes:
    return struct.pack("<II4sI", len(runs) + 12, raw_size, b"LZFu", 0) + runs


def test_packed_rich_text_of_the_specification() -> None:
    """The example of MS-OXRTFCP, 4.1.1: seven literals, then references into the known start and into itself."""
    source = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    assert unpacked(source) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"


def test_a_reference_may_overlap_what_it_writes() -> None:
    """MS-OXRTFCP, 4.1.2: `WXYZ` four times and a half."""
    source = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")
    assert unpacked(source) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"


@pytest.mark.parametrize("data", [b"", b"x" * 12, packed(b"\xff" * 40, 9), packed(b"\x00ab", 2), b"12345678MELA"])
def test_damaged_packing_ends_quietly(data: bytes) -> None:
    assert isinstance(unpacked(data), bytes)


@given(st.binary(max_size=100))
def test_unpacking_is_total(runs: bytes) -> None:
    assert isinstance(unpacked(packed(runs, 100)), bytes)
