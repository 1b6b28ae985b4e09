"""Files inside a text: yEnc, and uuencoded parts (uuencoded texts: test_body)."""

import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.reading.transfer import decoded
from mailflow.reading.uuencode import without_yencoded

_CRITICAL = (0, 10, 13, 61)
"""Octets that yEnc escapes: NUL, LF, CR and `=`."""


def yenc(data: bytes) -> bytes:
    """One part, lines of 128 octets (yEnc 1.3)."""
    coded = []
    for octet in data:
        shifted = (octet + 42) % 256
        coded.append(bytes((61, (shifted + 64) % 256)) if shifted in _CRITICAL else bytes((shifted,)))
    lines = b"\r\n".join(b"".join(coded[at : at + 128]) for at in range(0, len(coded), 128))
    return b"=ybegin line=128 size=%d name=a b.bin\r\n%s\r\n=yend size=%d\r\n" % (len(data), lines, len(data))


@given(st.binary(min_size=1, max_size=400))
def test_yenc_files_are_taken_out_of_the_octets(data: bytes) -> None:
    assert without_yencoded(b"before\r\n" + yenc(data) + b"after") == (b"before\r\nafter", [("a b.bin", data)])


@pytest.mark.parametrize("octets", [b"=ybegin line=128 size=3 name=a\r\nabc", b"we say =ybegin here", b""])
def test_what_is_no_yenc_stays(octets: bytes) -> None:
    assert without_yencoded(octets) == (octets, [])


@pytest.mark.parametrize("frame", ["begin 644 a.bin\n{}`\nend\n", "{}"])
def test_a_uuencoded_part_with_and_without_its_frame(frame: str) -> None:
    assert decoded(frame.format(binascii.b2a_uu(b"words").decode()).encode(), "x-uuencode") == b"words"
