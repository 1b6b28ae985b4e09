"""What a page of the queue costs the store as the store grows: each list and each count, p50 and p95.

    python -m benchmarks.review_desk [--postgresql]

The threads are made by one statement each, not by mail: two mails a thread. The archive grows; what waits for a person
does not (WAITING threads, a draft for half of them, some snoozed, assigned or in doubt), unless `--waiting-grows` lets
a twentieth of all threads wait. What is timed is all that a request reads, as web/queue.py does it.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.loopback import keep
from sqlalchemy import Engine, text
from tests.databases import postgres_programs, running_postgres

from mailflow.adapters import schema
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.core.review import Box, Filter, Place, Sort
from mailflow.core.review_store import ReviewUnit

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ROWS, TIMES = 50, 60
WHO = "sam"
WAITING = 250
INTENTS = ("nfr_request", "quoting", "portal_access", "rebate", "account_data", "deal_registration")
WORDS = ("licence", "quote", "login", "rebate", "contact", "deal", "order", "training", "renewal", "seats")

_NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) ",
    "postgresql": "WITH n(i) AS (SELECT generate_series(1, :count)) ",
}
_AT = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f000', '2026-03-02 12:00:00', printf('-%d seconds', {}))",
    "postgresql": "timestamptz '2026-03-02 12:00:00+00' - ({}) * interval '1 second'",
}


def _pick(values: tuple[str, ...], by: str) -> str:
    cases = " ".join(f"WHEN {number} THEN '{value}'" for number, value in enumerate(values))
    return f"CASE {by} % {len(values)} {cases} END"


def fill(engine: Engine, messages: int, waiting: int) -> None:
    threads, kind = messages // 2, engine.dialect.name
    step = max(threads // waiting, 2)
    age = _AT[kind].format("(:count - i) * 40")
    due = _AT[kind].format("(:count - i) * 40 - 86400")
    true, false = ("1", "0") if kind == "sqlite" else ("true", "false")
    statements = (
        f"""INSERT INTO thread (id, subject, subject_key, requester, language, status, queue, priority, version, intent,
        reason, role, trust, partner, has_draft, trouble, assignee, due_at, snoozed_until, created_at, updated_at)
        {_NUMBERS[kind]} SELECT i, 'Question ' || i, 'question ' || i, 'ann@partner' || (i % 500) || '.example', 'en',
        CASE WHEN i % {step} = 1 THEN 'held' WHEN i % 3 = 0 THEN 'ignored' ELSE 'answered' END, 'support',
        {_pick(("normal", "high", "low", "normal"), f"(i / {step})")}, 1, {_pick(INTENTS, f"(i / {step})")},
        {_pick(("guard:fact", "unsure_action", "guard:rollout"), f"(i / {step})")}, 'partner', 'known',
        'Partner ' || (i % 500), CASE WHEN i % {2 * step} = 1 THEN {true} ELSE {false} END,
        CASE WHEN i % {50 * step} = 1 THEN 'uncertain' ELSE '' END,
        CASE WHEN i % {10 * step} = 1 THEN '{WHO}' ELSE '' END,
        {due}, CASE WHEN i % {25 * step} = {step + 1} THEN {_AT[kind].format("-90000")} END, {age}, {age} FROM n""",  # noqa: S608 - all of it is made here
        f"""INSERT INTO message (id, thread_id, direction, author, dedup_key, message_id, from_addr, subject, stored_at,
        text, parsed) {_NUMBERS[kind]} SELECT i, (i + 1) / 2, CASE WHEN i % 2 = 1 THEN 'in' ELSE 'out' END, '',
        'key ' || i, 'm' || i || '@x.example', 'ann@partner.example', 'Question', {_AT[kind].format("i")},
        'Good morning, ' || {_pick(WORDS, "i")} || ' for customer ' || i, '{{}}' FROM n""",  # noqa: S608 - all of it is made here
        "INSERT INTO message_search (rowid, body) SELECT id, lower(text) FROM message"
        if kind == "sqlite"
        else "INSERT INTO message_search SELECT id, to_tsvector('simple', lower(text)) FROM message",
    )
    counts = (threads, threads * 2, 0)
    for statement, count in zip(statements, counts, strict=True):
        with engine.begin() as connection:
            connection.execute(text(statement.replace(":count", str(count))))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


@dataclass(frozen=True, slots=True)
class Look:
    name: str
    at: Callable[[ReviewUnit], object]


def _page(unit: ReviewUnit, filter_: Filter, after: Place | None = None) -> object:
    """What the page of the queue reads."""
    found = unit.queue(filter_, WHO, NOW, after, ROWS)
    return (
        unit.newest_event(),
        unit.excerpts([row.id for row in found.rows]) if found.rows else {},
        unit.values_in_queue(),
        unit.box_counts(WHO, NOW),
        unit.waiting_counts(),
        unit.saved_views(WHO),
    )


def _looking_at(filter_: Filter) -> Callable[[ReviewUnit], object]:
    return lambda unit: _page(unit, filter_)


def looks() -> list[Look]:
    deep = Place(NOW + timedelta(hours=12), 1)
    boxes = [Look(f"box {box}", _looking_at(Filter(box))) for box in Box]
    return [
        *boxes,
        Look("held, further on", lambda unit: _page(unit, Filter(), deep)),
        Look("all, oldest first", lambda unit: _page(unit, Filter(Box.ALL, sort=Sort.OLDEST))),
        Look("held, one intent", lambda unit: _page(unit, Filter(intent="rebate"))),
        Look("held, one partner", lambda unit: _page(unit, Filter(partner="Partner 7"))),
        Look("all, one intent", lambda unit: _page(unit, Filter(Box.ALL, intent="rebate"))),
        Look("search, a rare word", lambda unit: _page(unit, Filter(Box.ALL, query="customer 77"))),
        Look("search, a common word", lambda unit: _page(unit, Filter(Box.ALL, query="rebate customer"))),
        Look("a thread", lambda unit: unit.thread_view(7, NOW)),
    ]


@contextmanager
def stores(folder: Path, messages: int, on_postgresql: bool, waiting: int = WAITING) -> Iterator[SqlStore]:
    with ExitStack() as stack:
        url = f"sqlite:///{folder / f'{messages}.sqlite3'}"
        if on_postgresql:
            programs = postgres_programs()
            assert programs is not None, "PostgreSQL is not installed"
            url = stack.enter_context(running_postgres(programs)).new_database()
        engine = open_engine(url)
        stack.callback(engine.dispose)
        schema.upgrade(engine)
        fill(engine, messages, waiting)
        yield SqlStore(engine)


def times(measured: Sequence[SqlStore]) -> list[dict[str, list[float]]]:
    """Milliseconds in each store, by turns; one connection a look, as requests have it."""
    found = [{look.name: list[float]() for look in looks()} for _ in measured]
    for _ in range(TIMES):
        for look in looks():
            for store, ms in zip(measured, found, strict=True):
                began = time.perf_counter()
                with store.view() as unit:
                    look.at(unit)
                ms[look.name].append(1000 * (time.perf_counter() - began))
    return found


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", default="1000,1000000")
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--waiting-grows", action="store_true")
    given = parser.parse_args()
    sizes = [int(one) for one in given.messages.split(",")]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        measured = [
            opened.enter_context(
                stores(Path(folder), size, given.postgresql, max(size // 40, 2) if given.waiting_grows else WAITING)
            )
            for size in sizes
        ]
        results = dict(zip(sizes, times(measured), strict=True))
    head = "".join(f"{f'{size:,}':>24}" for size in sizes)
    sys.stdout.write(f"{'p50 / p95 in ms':<26}{head}   last / first\n")
    for name in results[sizes[0]]:
        cells = "".join(f"{statistics.median(results[s][name]):>14.1f} /{p95(results[s][name]):>8.1f}" for s in sizes)
        ratio = p95(results[sizes[-1]][name]) / p95(results[sizes[0]][name])
        sys.stdout.write(f"{name:<26}{cells}{ratio:>12.2f}\n")
    keep(
        "queue_postgresql" if given.postgresql else "queue_sqlite",
        {
            "messages": sizes,
            "ms": [{name: [statistics.median(v), p95(v)] for name, v in results[s].items()} for s in sizes],
        },
    )


if __name__ == "__main__":
    main()
