"""How long a step takes, for the meter."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from mailflow.core.telemetry import Meter, Stage


@contextmanager
def timed(meter: Meter, stage: Stage) -> Iterator[None]:
    """Also a step that fails is measured."""
    began = perf_counter()
    try:
        yield
    finally:
        meter.observe(stage, perf_counter() - began)
