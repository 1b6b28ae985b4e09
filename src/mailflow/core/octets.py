"""The octets of a mail, however large: looked at in slices, never all in memory."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Protocol

SLICE = 1 << 20
"""Octets of a large mail that are in memory at a time."""


class Octets(Protocol):
    """What is asked of them. `bytes` are such; those of a large mail stay where they are (Windowed)."""

    def __len__(self) -> int: ...
    def __getitem__(self, where: slice, /) -> bytes: ...
    def find(self, octets: bytes, start: int, end: int, /) -> int: ...


def slices(octets: Octets, start: int = 0, end: int | None = None, size: int = SLICE) -> Iterator[bytes]:
    """`octets` from `start` to `end`, `size` by `size`; nothing of an empty range."""
    stop = len(octets) if end is None else end
    return (octets[at : min(at + size, stop)] for at in range(start, stop, size))


class Windowed(ABC):
    """Octets that lie elsewhere. One window of them is kept, so that many looks beside each other cost one read."""

    def __init__(self, size: int, window: int = SLICE) -> None:
        self._size, self._window = size, window
        self._start, self._kept = 0, b""

    @abstractmethod
    def _read(self, start: int, length: int) -> bytes:
        """Exactly these octets; they exist."""

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, where: slice, /) -> bytes:
        start, stop, _ = where.indices(self._size)
        if stop - start > self._window:
            return self._read(start, stop - start)
        self._look_at(start, stop)
        return self._kept[start - self._start : max(stop, start) - self._start]

    def find(self, octets: bytes, start: int, end: int, /) -> int:
        """As bytes.find, in windows that overlap by what could begin in one and end in the next."""
        end = min(end, self._size)
        while start + len(octets) <= end:
            self._look_at(start, start + len(octets))
            found = self._kept.find(octets, start - self._start, end - self._start)
            if found >= 0:
                return self._start + found
            start = self._start + len(self._kept) - len(octets) + 1
        return -1

    def _look_at(self, start: int, stop: int) -> None:
        """Make the window one that has all from `start` to `stop`."""
        if start < self._start or stop > self._start + len(self._kept):
            wanted = max(self._window, stop - start)
            self._start, self._kept = start, self._read(start, min(wanted, self._size - start))
