"""What more workers bring on PostgreSQL: python -m benchmarks.postgres_workers [--mails 2000] [--workers 1,2,4]

So many `mailflow run --role process --role send` are started; when all are on the roll the mails are stored,
and they deal with them. Timed from the first claim to the last answer, by the instants in the store, so that starting
and stopping count for nobody. Answers go to a server in this process that takes everything: the figure is of the
workers and the database, not of Exim.

Wall time: the workers, the database, and whatever else the machine has to do share its cores. More workers than cores
bring nothing; the table says how many cores there are.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.loopback import (
    ListSource,
    cpu_of,
    desk_assets,
    desk_settings,
    environment,
    keep,
    spread,
    training_mails,
)
from benchmarks.sink import MailSink
from sqlalchemy import Engine, TextClause, create_engine, text
from tests.databases import PostgresServer, postgres_programs, running_postgres

from mailflow import bootstrap
from mailflow.bootstrap import SystemClock
from mailflow.services.ingest import ingest
from mailflow.settings import Settings

LOOK_SECONDS, PATIENCE = 0.25, 900.0
_PENDING = text("""
    SELECT (SELECT count(*) FROM inbound WHERE state IN ('received', 'processing'))
         + (SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending'))
""")
_ON_THE_ROLL = text("SELECT count(*) FROM worker")
_SPAN = text("""
    SELECT extract(epoch FROM greatest((SELECT max(finished_at) FROM outbox), (SELECT max(decided_at) FROM decision))
                            - (SELECT min(claimed_at) FROM inbound)) AS seconds,
           (SELECT count(*) FROM decision) AS decided, (SELECT count(*) FROM outbox WHERE state = 'sent') AS sent
""")


def deal_with(server: PostgresServer, folder: Path, mails: Sequence[bytes], workers: int) -> dict[str, float]:
    """Mails a second, and milliseconds of CPU a mail of workers and database."""
    url = server.new_database()
    with MailSink() as sink:
        settings = sink.settings(desk_settings(None, folder / "assets", url))
        bootstrap.upgrade_store(settings)
        store = bootstrap.build_store(settings)
        engine = create_engine(url)
        with ExitStack() as stack:
            pool = [stack.enter_context(_worker(settings, folder / f"worker{n}.log")) for n in range(workers)]
            _await(engine, pool, _ON_THE_ROLL, workers)
            before = sum(cpu_of(one.pid) for one in pool)
            ingest(ListSource(mails), store, SystemClock())
            _await(engine, pool, _PENDING, 0)
            used = sum(cpu_of(one.pid) for one in pool) - before
            for one in pool:
                one.terminate()
        store.close()
        with engine.connect() as connection:
            span = connection.execute(_SPAN).one()
        engine.dispose()
    if span.decided < 0.9 * len(mails) or span.sent != sink.taken:
        raise SystemExit(f"{span.decided} decided, {span.sent} sent, {sink.taken} taken of {len(mails)} mails")
    return {"mails_a_second": len(mails) / float(span.seconds), "worker_ms": 1000 * used / len(mails)}


def _worker(settings: Settings, log: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "mailflow.cli", "run", "--role", "process", "--role", "send"]
    return subprocess.Popen(command, env=environment(settings), stdout=log.open("wb"), stderr=subprocess.STDOUT)


def _await(engine: Engine, pool: Sequence["subprocess.Popen[bytes]"], query: TextClause, wanted: int) -> None:
    pause = threading.Event()
    for _ in range(int(PATIENCE / LOOK_SECONDS)):
        with engine.connect() as connection:
            if connection.scalar(query) == wanted:
                return
        if any(one.poll() is not None for one in pool):
            raise SystemExit("a worker has ended")
        pause.wait(LOOK_SECONDS)
    raise SystemExit(f"not done in {PATIENCE:.0f} s")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--mails", type=int, default=2000)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--workers", default="1,2,4")
    given = asked.parse_args()
    counts = list(map(int, given.workers.split(",")))
    programs = postgres_programs()
    if programs is None:
        raise SystemExit("PostgreSQL is not installed")
    found: dict[int, list[dict[str, float]]] = {count: [] for count in counts}
    with tempfile.TemporaryDirectory() as name, running_postgres(programs) as server:
        folder = Path(name)
        desk_assets(folder / "assets")
        mails = training_mails(given.mails)
        for _ in range(given.rounds):
            for count in counts:
                now = deal_with(server, folder, mails, count)
                found[count].append(now)
                print(f"{count} workers: {now['mails_a_second']:.1f} mails/s", file=sys.stderr, flush=True)
    told(given.mails, found)


def told(mails: int, found: dict[int, list[dict[str, float]]]) -> None:
    cores = len(os.sched_getaffinity(0))
    first = [one["mails_a_second"] for one in next(iter(found.values()))]
    print(f"{mails} mails, PostgreSQL, {cores} cores; median of the rounds (least to most)")
    for count, them in found.items():
        rates = [one["mails_a_second"] for one in them]
        gains = [rate / least for rate, least in zip(rates, first, strict=True)]
        print(f"{count} workers: {spread(rates, 1)} mails/s, {spread(gains)} times one worker")
    keep(
        "postgres_workers",
        {
            "mails": mails,
            "cores": cores,
            "rates": {str(count): [one["mails_a_second"] for one in them] for count, them in found.items()},
            "worker_ms": {
                str(count): statistics.median(one["worker_ms"] for one in them) for count, them in found.items()
            },
        },
    )


if __name__ == "__main__":
    main()
