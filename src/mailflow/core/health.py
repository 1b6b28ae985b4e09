"""Whether the loops of a process turn: each says so when it comes round, and one that has not for too long is stale.

Rule: a loop turns also when its work fails: that it goes round is life, that it succeeds is readiness. So the longest
silence of a loop is longer than its longest wait, pauses after failures included.
Rule: values of one assignment. Why no lock: an item is set, and a mapping copied, in one step of the interpreter, so
any number of threads may report while another one asks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Pulse:
    """How one loop is."""

    name: str
    last_at: datetime
    """When it last came round, or when it began."""
    silence: timedelta
    allowed: timedelta

    @property
    def is_stale(self) -> bool:
        return self.silence > self.allowed


class Health:
    """The loops of one process. Each thread reports its own; anybody may ask."""

    def __init__(self) -> None:
        self._allowed: dict[str, timedelta] = {}
        self._turned: dict[str, datetime] = {}

    def expect(self, name: str, allowed: timedelta, at: datetime) -> None:
        """From `at` on the loop `name` comes round at least every `allowed`."""
        self._allowed[name] = allowed
        self._turned[name] = at

    def turned(self, name: str, at: datetime) -> None:
        """The loop `name` came round. One that nobody expects is not watched."""
        self._turned[name] = at

    def ended(self, name: str) -> None:
        """The loop `name` ended on purpose; nothing is expected of it any more."""
        self._allowed.pop(name, None)

    def pulses(self, now: datetime) -> tuple[Pulse, ...]:
        allowed, turned = self._allowed.copy(), self._turned.copy()
        return tuple(_pulse(name, turned[name], allowed[name], now) for name in sorted(allowed))

    def stale(self, now: datetime) -> tuple[Pulse, ...]:
        return tuple(pulse for pulse in self.pulses(now) if pulse.is_stale)


def _pulse(name: str, last_at: datetime, allowed: timedelta, now: datetime) -> Pulse:
    return Pulse(name, last_at, max(now - last_at, timedelta(0)), allowed)


def as_document(pulses: tuple[Pulse, ...]) -> Mapping[str, Mapping[str, str | float | bool]]:
    """What /healthz says of each loop."""
    return {
        pulse.name: {
            "is_fresh": not pulse.is_stale,
            "last_turn": pulse.last_at.isoformat(timespec="seconds"),
            "seconds": round(pulse.silence.total_seconds(), 1),
            "allowed_seconds": pulse.allowed.total_seconds(),
        }
        for pulse in pulses
    }


def lacking(pulses: tuple[Pulse, ...]) -> str:
    """What /readyz says where something did not succeed in time, '' where all did."""
    late = [pulse for pulse in pulses if pulse.is_stale]
    return "; ".join(f"{pulse.name}: nothing for {pulse.silence.total_seconds():.0f} s" for pulse in late)
