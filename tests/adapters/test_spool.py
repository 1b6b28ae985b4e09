"""Large mails on disk: to whoever looks they are the same octets, and nothing of them stays."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.memory import MIB, peak_memory

from mailflow.adapters.spool import SPOOLED_FROM, SpooledOctets, opened, spooled
from mailflow.core.octets import SLICE, slices
from mailflow.errors import MailflowError

LARGE = bytes(range(256)) * (SPOOLED_FROM // 256) + b"the end"
_FEW = st.text("ab", max_size=30).map(str.encode)
_PLACES = st.integers(0, 40)


@given(_FEW, _FEW, st.lists(st.tuples(_PLACES, _PLACES), max_size=5), st.integers(1, 9))
def test_a_file_answers_as_bytes_would(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, wanted: bytes, ranges: list[tuple[int, int]], window: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "octets"
    path.write_bytes(content)
    with path.open("rb") as file:
        octets = SpooledOctets(file.fileno(), window)
        assert len(octets) == len(content)
        assert octets[:] == content
        for start, end in ranges:
            assert octets[start:end] == content[start:end]
            assert octets[start:] == content[start:]
            if wanted:
                assert octets.find(wanted, start, end) == content.find(wanted, start, end)


@given(st.binary(max_size=50), _PLACES, _PLACES)
def test_slices_are_all_of_a_range(content: bytes, start: int, end: int) -> None:
    assert b"".join(slices(content)) == content
    assert b"".join(slices(content, start, min(end, len(content)))) == content[start:end]


def test_slices_are_small() -> None:
    assert [len(one) for one in slices(LARGE)] == [SLICE] * 4 + [7]


@pytest.mark.parametrize("length", [0, 1, SPOOLED_FROM - 1])
def test_what_is_small_is_no_file(length: int) -> None:
    with spooled([LARGE[:length]]) as content:
        assert content == LARGE[:length]


@pytest.mark.parametrize("length", [SPOOLED_FROM, SPOOLED_FROM + 7])
def test_what_is_large_is_a_file_without_a_name_that_is_gone_afterwards(length: int) -> None:
    with spooled(slices(LARGE[:length])) as content:
        assert isinstance(content, SpooledOctets)
        assert content[:] == LARGE[:length]
        assert os.fstat(content.fileno()).st_nlink == 0
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(content.fileno())


def test_a_spool_is_closed_whatever_happens() -> None:
    with pytest.raises(RuntimeError), spooled([LARGE]) as content:
        raise RuntimeError("power cut")
    assert isinstance(content, SpooledOctets)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(content.fileno())


def test_a_file_is_opened_as_it_is(tmp_path: Path) -> None:
    for length in (0, 10, SPOOLED_FROM - 1, SPOOLED_FROM, len(LARGE)):
        (tmp_path / "mail").write_bytes(LARGE[:length])
        with opened(tmp_path / "mail") as content:
            assert content[:] == LARGE[:length]
            assert isinstance(content, bytes) == (length < SPOOLED_FROM)


def test_a_file_that_became_shorter_is_no_mail(tmp_path: Path) -> None:
    path = tmp_path / "mail"
    path.write_bytes(LARGE)
    with opened(path) as content:
        os.truncate(path, SLICE)
        with pytest.raises(MailflowError, match="was changed"):
            content[:]


def test_a_disk_that_fails_is_named(tmp_path: Path) -> None:
    with (tmp_path / "mail").open("wb") as write_only:
        write_only.write(LARGE)
        write_only.flush()
        with pytest.raises(MailflowError, match="cannot be read"):
            SpooledOctets(write_only.fileno())[:]


def test_fifty_mib_are_collected_and_looked_through_in_a_few() -> None:
    with peak_memory() as peak, spooled(b"%08d" % number * (MIB // 8) for number in range(50)) as content:
        assert len(content) == 50 * MIB
        assert content.find(b"0000004900000049", 0, len(content)) == 49 * MIB
        assert content.find(b"nowhere", 0, len(content)) == -1
    assert peak.octets < 12 * MIB


def test_many_small_looks_cost_one_read_a_window(tmp_path: Path) -> None:
    """What a hostile mail of nothing but delimiters would make cost a read each."""
    (tmp_path / "mail").write_bytes(b"--x" * SPOOLED_FROM)
    read: list[int] = []

    class Counting(SpooledOctets):
        def _read(self, start: int, length: int) -> bytes:
            read.append(length)
            return super()._read(start, length)

    with (tmp_path / "mail").open("rb") as file:
        octets = Counting(file.fileno())
        at, found = 0, 0
        while (at := octets.find(b"--x", at, len(octets)) + 1) and found < 100_000:
            found += octets[at - 1 : at + 2] == b"--x"
    assert found == 100_000
    assert sum(read) <= 2 * SLICE
