"""Large mails on disk: a spool file of which only slices are ever in memory.

Rule: a spool file has no name, so nobody else can open it, and it is gone when it is closed or the process dies. It
      lies in the system's folder for temporary files (TMPDIR).
Rule: what is smaller than SPOOLED_FROM stays `bytes`. Why: nearly all mail is, and a file would make it slower.
Why no mmap: pages of a file that are mapped count as memory of the process, as many as were looked at.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile

from mailflow.core.octets import SLICE, Octets, Windowed
from mailflow.errors import MailflowError

SPOOLED_FROM = 4 << 20
"""Octets."""


class SpooledOctets(Windowed):
    """The octets of an open file. Whoever opened the file closes it."""

    def __init__(self, descriptor: int, window: int = SLICE) -> None:
        super().__init__(os.fstat(descriptor).st_size, window)
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def _read(self, start: int, length: int) -> bytes:
        """Raises MailflowError where the file became shorter meanwhile: no mail now is better than half of one."""
        try:
            octets = os.pread(self._descriptor, length, start)
        except OSError as error:
            raise MailflowError(f"the file of a large mail cannot be read: {error.strerror}") from error
        if len(octets) != length:
            raise MailflowError("the file of a large mail was changed while it was read")
        return octets


@contextmanager
def spooled(slices: Iterable[bytes]) -> Iterator[Octets]:
    """All of `slices` one after the other, until the context ends."""
    with SpooledTemporaryFile(max_size=SPOOLED_FROM) as file:
        for one in slices:
            file.write(one)
        if file.tell() < SPOOLED_FROM:
            file.seek(0)
            yield file.read()
        else:
            file.rollover()
            file.flush()
            yield SpooledOctets(file.fileno())


@contextmanager
def opened(path: Path) -> Iterator[Octets]:
    """The file at `path`, until the context ends. Raises OSError."""
    with path.open("rb") as file:
        octets = SpooledOctets(file.fileno())
        yield octets if len(octets) >= SPOOLED_FROM else octets[:]
