"""How much memory something takes at its highest. Counted by the interpreter: the same on every machine."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

MIB = 1 << 20


@dataclass(slots=True)
class Peak:
    octets: int = 0
    """What was held at the highest moment beyond what was held before; known once the block has ended."""


@contextmanager
def peak_memory() -> Iterator[Peak]:
    peak = Peak()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield peak
        peak.octets = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
