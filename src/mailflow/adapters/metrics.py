"""Numbers for Prometheus: core.telemetry's Meter on a registry of its own, and what the store holds at scrape time.

Rule: the table of core.telemetry decides which numbers there are; what is not in it is not counted.
Rule: a scrape never fails and never hurts. The store is asked at most every CACHE_SECONDS, however many ask; where it
      does not answer, `mailflow_store_up` is 0 and its gauges are absent, so that nobody takes an old number for true.
Why a registry of its own: the global one is shared by whatever is imported, and a test could not make a second one.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from mailflow.core.ports import Clock
from mailflow.core.telemetry import EVENTS, STAGES, Backlog, Event, Stage

log = structlog.get_logger()
CACHE_SECONDS = 5.0
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
"""Seconds: from a mail that is read in passing to one that waited for its retry."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of docs/operating.md."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


@dataclass(frozen=True, slots=True)
class _Gauge:
    name: str
    meaning: str
    value: Callable[[Backlog, datetime], float]


def _age(instant: datetime | None, now: datetime) -> float:
    return max((now - instant).total_seconds(), 0.0) if instant else 0.0


_GAUGES = (
    _Gauge("mailflow_mails_waiting", "mails stored and not yet decided", lambda b, _: b.mails_waiting),
    _Gauge(
        "mailflow_oldest_mail_seconds",
        "how long the oldest waiting mail has been due, 0 where none is",
        lambda b, now: _age(b.oldest_mail_due_at, now),
    ),
    _Gauge("mailflow_mails_quarantined", "mails that a person must look at", lambda b, _: b.mails_quarantined),
    _Gauge("mailflow_answers_queued", "answers on their way", lambda b, _: b.answers_queued),
    _Gauge(
        "mailflow_oldest_answer_seconds",
        "how long the oldest answer has been due, 0 where none is",
        lambda b, now: _age(b.oldest_answer_due_at, now),
    ),
    _Gauge("mailflow_answers_failed", "answers that were refused or given up", lambda b, _: b.answers_failed),
    _Gauge(
        "mailflow_answers_uncertain",
        "answers of which nobody knows whether they went out",
        lambda b, _: b.answers_uncertain,
    ),
    _Gauge("mailflow_workers", "workers that were heard of lately", lambda b, _: b.workers_alive),
)
_STORE_UP = _Gauge("mailflow_store_up", "1 if the store answered, else 0", lambda _b, _n: 1.0)
_STAGE_SECONDS = ("mailflow_stage_seconds", "how long one step takes, by its name")


def metrics_table() -> tuple[Metric, ...]:
    """Every metric by its exported name."""
    counted = [Metric(f"mailflow_{e}_total", "counter", c.labels, c.meaning) for e, c in EVENTS.items()]
    timed = Metric(_STAGE_SECONDS[0], "histogram", ("stage",), _STAGE_SECONDS[1])
    gauges = [Metric(gauge.name, "gauge", (), gauge.meaning) for gauge in (*_GAUGES, _STORE_UP)]
    return (*counted, timed, *gauges)


class PrometheusMeter:
    """Implements core.telemetry.Meter. Any thread may call it."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._counters = {
            event: Counter(f"mailflow_{event}", row.meaning, row.labels, registry=self.registry)
            for event, row in EVENTS.items()
        }
        name, meaning = _STAGE_SECONDS
        self._stages = Histogram(name, meaning, ("stage",), buckets=_BUCKETS, registry=self.registry)
        for stage in STAGES:
            self._stages.labels(stage)  # so that its series are there before the first observation

    def count(self, event: Event, amount: int = 1, **labels: str) -> None:
        if amount <= 0:
            return
        if labels.keys() != set(EVENTS[event].labels):
            log.warning("not counted", metric=event.value, labels=sorted(labels))
            return
        counter = self._counters[event]
        (counter.labels(**labels) if labels else counter).inc(amount)

    def observe(self, stage: Stage, seconds: float) -> None:
        self._stages.labels(stage.value).observe(seconds)

    def watch(self, backlog: Callable[[], Backlog], clock: Clock) -> None:
        """Export what `backlog` reads from the store, read anew at most every CACHE_SECONDS."""
        self.registry.register(_StoreCollector(backlog, clock))

    def page(self, accept: str) -> tuple[str, bytes]:
        """(content type, body) of a scrape, in the format that `accept` (the header) prefers."""
        encode, content_type = choose_encoder(accept)
        return content_type, encode(self.registry)


class _StoreCollector(Collector):
    def __init__(self, backlog: Callable[[], Backlog], clock: Clock, elapsed: Callable[[], float] = monotonic) -> None:
        self._backlog, self._clock, self._elapsed = backlog, clock, elapsed
        self._lock = threading.Lock()
        self._read: Backlog | None = None
        self._read_at = -CACHE_SECONDS

    def collect(self) -> Iterator[GaugeMetricFamily]:
        backlog, now = self._latest(), self._clock.now()
        yield GaugeMetricFamily(_STORE_UP.name, _STORE_UP.meaning, value=float(backlog is not None))
        if backlog is not None:
            for gauge in _GAUGES:
                yield GaugeMetricFamily(gauge.name, gauge.meaning, value=gauge.value(backlog, now))

    def _latest(self) -> Backlog | None:
        """None where the store did not answer. One thread asks, the others wait for what it gets."""
        with self._lock:
            if self._elapsed() - self._read_at >= CACHE_SECONDS:
                try:
                    self._read = self._backlog()
                except Exception as error:  # noqa: BLE001 - the edge of one scrape: told as store_up 0, and logged
                    log.warning("store not read", error=type(error).__name__, sentence=str(error))
                    self._read = None
                self._read_at = self._elapsed()
            return self._read
