"""The fault bench, short: every fault once on SQLite, some on PostgreSQL with three processes, and kills all along.

The long run is `make faults` (docs/faults.md). Without root a full disk is made in the database, and a cut cable by
relays that let nothing pass; that is no reason to skip, in CI neither.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.databases import postgres_programs
from tests.faults.bench import Area, Bench, Kind
from tests.faults.faults import FAULTS, faults_of
from tests.faults.world import World, running_world
from tests.servers import missing_binaries

pytestmark = pytest.mark.e2e

BRIEF = 0.6
"""Seconds that a fault lasts at most; in the recorded run it is several."""
ON_POSTGRES = (
    "PostgreSQL thrown over",
    "database connections cut",
    "a machine cut off for a moment",
    "disk full",
    "two workers on one mailbox, the lease lost",
    "SMTP reply to the content lost",
)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Servers of our own, because they are stopped and started."""
    missing = [*missing_binaries(), *([] if postgres_programs() else ["postgresql"])]
    if missing:
        sentence = f"not installed: {', '.join(missing)}"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    with running_world(with_postgres=True) as world:
        yield world


@pytest.fixture(scope="module")
def on_sqlite(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with Bench(world, Kind.SQLITE, tmp_path_factory.mktemp("bench") / "desk", seed=1) as bench:
        yield bench


@pytest.mark.parametrize("area", Area)
def test_what_fails_costs_no_mail_and_sends_none_twice(area: Area, on_sqlite: Bench) -> None:
    faults = {name: fault for name, fault in faults_of(Kind.SQLITE).items() if fault.area is area}
    on_sqlite.round({name: replace(one, seconds=min(one.seconds, BRIEF)) for name, one in faults.items()}, kills=0)
    assert all(on_sqlite.counts.faults[name] for name in faults)


def test_ten_kills_at_named_moments(on_sqlite: Bench) -> None:
    before = on_sqlite.counts.kills.total()
    facts = on_sqlite.round({}, kills=10)
    assert on_sqlite.counts.kills.total() >= before + 10
    assert facts.received


def test_three_workers_on_postgresql_are_killed_while_servers_fail(world: World, tmp_path: Path) -> None:
    """With an undo window of a second, so that answers wait as jobs."""
    with Bench(world, Kind.POSTGRES, tmp_path / "desk", seed=1, undo_seconds=1) as bench:
        facts = bench.round({name: replace(FAULTS[name], seconds=BRIEF) for name in ON_POSTGRES}, kills=10)
        bench.stop_all()
        assert facts.received
        with bench.store().view() as unit:
            assert unit.workers() == []
