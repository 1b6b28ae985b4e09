"""Prometheus: what is counted and timed comes out under its documented name; a scrape never fails and asks seldom."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from mailflow.adapters.metrics import CACHE_SECONDS, PrometheusMeter, _StoreCollector, metrics_table
from mailflow.core.telemetry import EVENTS, NO_METER, STAGES, Backlog, Event, Stage
from mailflow.errors import StoreError
from mailflow.testing import NOON, FrozenClock

MINUTE = timedelta(minutes=1)
PAGE = Path(__file__).parents[2] / "docs" / "operating.md"


def exported(meter: PrometheusMeter) -> dict[str, float]:
    """name{label="value"} -> value, of our own metrics."""
    _, body = meter.page("")
    return {
        sample.name + "".join(f"{{{k}={v}}}" for k, v in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name.startswith("mailflow_")
    }


def test_what_is_counted_is_exported_with_its_labels() -> None:
    meter = PrometheusMeter()
    meter.count(Event.MAILS_RECEIVED, 3)
    meter.count(Event.MAILS_DECIDED, action="reply", reason="playbook")
    meter.count(Event.MAILS_DECIDED, 2, action="reply", reason="playbook")
    found = exported(meter)
    assert found["mailflow_mails_received_total"] == 3
    assert found["mailflow_mails_decided_total{action=reply}{reason=playbook}"] == 3


@pytest.mark.parametrize("event", EVENTS)
def test_each_event_can_be_counted_with_the_labels_of_its_row(event: Event) -> None:
    meter = PrometheusMeter()
    meter.count(event, 2, **dict.fromkeys(EVENTS[event].labels, "x"))
    assert [value for name, value in exported(meter).items() if name.startswith(f"mailflow_{event}_total")] == [2]


def test_labels_that_do_not_fit_are_told_and_fail_nothing() -> None:
    meter = PrometheusMeter()
    with capture_logs() as lines:
        meter.count(Event.MAILS_DECIDED, action="reply")
        meter.count(Event.MAILS_RECEIVED, subject="x")
    assert [line["event"] for line in lines] == ["not counted"] * 2
    assert exported(meter)["mailflow_mails_received_total"] == 0


@pytest.mark.parametrize("amount", [0, -3])
def test_nothing_is_counted_where_nothing_happened(amount: int) -> None:
    meter = PrometheusMeter()
    meter.count(Event.BOUNCES, amount)
    assert exported(meter)["mailflow_bounces_total"] == 0


def test_each_stage_has_its_series_before_its_first_observation() -> None:
    meter = PrometheusMeter()
    meter.observe(Stage.READ, 0.2)
    found = exported(meter)
    assert {stage: found[f"mailflow_stage_seconds_count{{stage={stage}}}"] for stage in STAGES} == {
        stage: float(stage is Stage.READ) for stage in STAGES
    }
    assert found["mailflow_stage_seconds_sum{stage=read}"] == pytest.approx(0.2)
    assert found["mailflow_stage_seconds_bucket{le=0.1}{stage=read}"] == 0
    assert found["mailflow_stage_seconds_bucket{le=0.25}{stage=read}"] == 1


def test_what_the_store_holds_is_read_at_scrape_time() -> None:
    meter = PrometheusMeter()
    backlog = Backlog(
        mails_waiting=3,
        oldest_mail_due_at=NOON - 2 * MINUTE,
        answers_queued=4,
        oldest_answer_due_at=NOON + MINUTE,
        answers_failed=5,
        answers_uncertain=6,
        mails_quarantined=7,
        workers_alive=8,
    )
    meter.watch(lambda: backlog, FrozenClock())
    gauges = {name: value for name, value in exported(meter).items() if name in GAUGES}
    assert gauges == {
        "mailflow_store_up": 1,
        "mailflow_mails_waiting": 3,
        "mailflow_oldest_mail_seconds": 120,
        "mailflow_mails_quarantined": 7,
        "mailflow_answers_queued": 4,
        "mailflow_oldest_answer_seconds": 0,
        "mailflow_answers_failed": 5,
        "mailflow_answers_uncertain": 6,
        "mailflow_workers": 8,
    }


GAUGES = {one.name for one in metrics_table() if one.kind == "gauge"}


def test_a_store_that_does_not_answer_is_told_and_the_other_numbers_come_out() -> None:
    def fails() -> Backlog:
        raise StoreError("the database refused")

    meter = PrometheusMeter()
    meter.watch(fails, FrozenClock())
    meter.count(Event.BOUNCES)
    with capture_logs() as lines:
        found = exported(meter)
    assert {name: value for name, value in found.items() if name in GAUGES} == {"mailflow_store_up": 0}
    assert found["mailflow_bounces_total"] == 1
    assert [(line["event"], line["error"]) for line in lines] == [("store not read", "StoreError")]


def test_the_store_is_asked_once_in_a_while_however_many_ask_and_not_at_start() -> None:
    asked: list[None] = []

    def backlog() -> Backlog:
        asked.append(None)
        return Backlog(mails_waiting=len(asked))

    elapsed = [0.0]
    registry = CollectorRegistry()
    collector = _StoreCollector(backlog, FrozenClock(), lambda: elapsed[0])
    registry.register(collector)
    assert asked == []

    def waiting() -> Any:
        return registry.get_sample_value("mailflow_mails_waiting")

    assert [waiting(), waiting()] == [1, 1]
    elapsed[0] = CACHE_SECONDS - 0.1
    assert waiting() == 1
    elapsed[0] = CACHE_SECONDS
    assert waiting() == 2


def test_the_page_is_in_the_format_that_the_visitor_prefers() -> None:
    meter = PrometheusMeter()
    assert meter.page("")[0].startswith("text/plain")
    content_type, body = meter.page("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text") and body.endswith(b"# EOF\n")


def test_two_meters_do_not_know_each_other() -> None:
    one, other = PrometheusMeter(), PrometheusMeter()
    one.count(Event.BOUNCES)
    assert exported(other)["mailflow_bounces_total"] == 0


def test_no_meter_takes_everything() -> None:
    NO_METER.count(Event.BOUNCES, 3)
    NO_METER.observe(Stage.WAIT, 1.0)


def test_every_event_and_stage_has_its_row() -> None:
    assert set(EVENTS) == set(Event) and set(STAGES) == set(Stage)


def test_the_table_names_what_is_exported() -> None:
    meter = PrometheusMeter()
    meter.watch(Backlog, FrozenClock())
    for event, row in EVENTS.items():
        meter.count(event, 1, **dict.fromkeys(row.labels, "x"))
    named = {name.partition("{")[0] for name in exported(meter)}
    suffixes = ("_bucket", "_count", "_sum", "_created")
    histogram = {f"mailflow_stage_seconds{suffix}" for suffix in suffixes}
    bare = {name for name in named if not name.endswith("_created")} - histogram
    assert bare | {"mailflow_stage_seconds"} == {one.name for one in metrics_table()}


def test_the_documentation_has_the_rows_of_the_tables_word_for_word() -> None:
    rows = [
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} | {one.meaning} |"
        for one in metrics_table()
    ]
    stages = [f"| `{stage}` | {meaning} |" for stage, meaning in STAGES.items()]
    page = PAGE.read_text(encoding="utf-8")
    assert "\n".join(["| Metric | Kind | Labels | What |", "|---|---|---|---|", *rows]) + "\n\n" in page
    assert "\n".join(["| `stage` | What is timed |", "|---|---|", *stages]) + "\n\n" in page
