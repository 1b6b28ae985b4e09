"""Whether a mail costs more in a large store than in a small one: python -m benchmarks.growth [--postgres]

Two stores with the same first mails; one of them is filled up with copies of all their rows, under other identities,
senders and days. Then both get the same new mails in turns. Counted is the CPU of this process, of the reading process
and, on PostgreSQL, of the server; the mail servers are left out. Each statement that was executed is timed and its plan
is looked at: a plan that walks through a table, or a statement that takes longer in the large store, is named.

    --small 1000 --large 1000000   messages in the two stores
    --mails 300 --rounds 5         new mails a round
"""

import argparse
import re
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.loopback import (
    ListSource,
    cpu,
    cpu_of,
    desk_assets,
    desk_settings,
    keep,
    log_nowhere,
    renumbered,
    require_done,
    spread,
    training_mails,
)
from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    MetaData,
    Table,
    Text,
    bindparam,
    case,
    event,
    func,
    insert,
    null,
    select,
    text,
)
from sqlmodel import SQLModel
from tests.databases import postgres_programs, running_postgres

from mailflow import bootstrap
from mailflow.adapters.store import SqlStore
from mailflow.adapters.tables import Instant
from mailflow.core.ports import Classifier
from mailflow.core.storage import Read
from mailflow.settings import Settings
from mailflow.testing import FrozenClock, ScriptedSubmission

FILLED = ("raw", "inbound", "thread", "message", "classification", "decision", "outbox", "audit_event")
SHIFTED = {"id", "uid", "thread_id", "suggested_thread_id", "merged_into", "decision_id", "inbound_id"}
"""Numbers that become other numbers in each copy; `message_id` too, where it is one."""
HASHES = {"sha256", "dedup_key"}
PEOPLE = {"requester", "from_addr", "recipient"}
STRANGERS, SAME_PEOPLE = 500, 20
"""Copies are by so many other people a sender; every so many copies are by the same sender as the mail itself."""
BETWEEN_COPIES, BETWEEN_ROUNDS = timedelta(hours=26), timedelta(hours=2)


# --- filling ----------------------------------------------------------------------------------------------------------


def fill(engine: Engine, messages: int, now: datetime) -> int:
    """Copy all rows until there are so many messages. Returns how many there are."""
    tables = [SQLModel.metadata.tables[name] for name in FILLED]
    with engine.connect() as connection:
        base = connection.scalar(select(func.count()).select_from(SQLModel.metadata.tables["message"])) or 0
        with_id = [table for table in tables if "id" in table.c]
        shift = max(connection.scalar(select(func.max(table.c.id))) or 0 for table in with_id) + 1
        copies = -(-messages // base)
        statements = [*(_copying(table, shift) for table in tables), _copying_words(engine.dialect.name, shift)]
        connection.rollback()
        for turn in range(1, copies):
            values = {
                "shift": turn * shift,
                "hash": f"z{turn:07}",
                "name": f"t{turn:07}.",
                "person": "" if turn % SAME_PEOPLE == 0 else f"p{turn % STRANGERS}.",
                "at": now - turn * BETWEEN_COPIES,
            }
            with connection.begin():
                for statement in statements:
                    connection.execute(statement, values)
            if turn % 100 == 0:
                print(f"filled {turn * base:,} messages", file=sys.stderr, flush=True)
        if engine.dialect.name == "postgresql":
            _advance(connection, with_id)
            connection.execute(text("ANALYZE"))
            connection.commit()
    return copies * base


def _copying(table: Table, shift: int) -> Any:
    """INSERT ... SELECT of the first rows as others. A copied hash begins with z, which no other does."""
    first = table.c.id < shift if "id" in table.c else table.c.sha256 < "z"
    return insert(table).from_select(list(table.c.keys()), select(*map(_copied, table.c)).where(first))


def _copying_words(dialect: str, shift: int) -> Any:
    """The words that mails are searched by."""
    number = Column("rowid" if dialect == "sqlite" else "message_id", BigInteger)
    words = Table("message_search", MetaData(), number, Column("body", Text))
    copied = select(number + bindparam("shift", type_=BigInteger), words.c.body).where(number < shift)
    return insert(words).from_select([number.name, "body"], copied)


def _copied(column: "Column[Any]") -> Any:
    is_number = "INT" in str(column.type).upper()
    if column.name in SHIFTED or (column.name == "message_id" and is_number):
        return column + bindparam("shift", type_=column.type)
    if column.name == "message_id":
        return bindparam("name", type_=column.type).concat(column)
    if column.name in HASHES:
        return bindparam("hash", type_=column.type).concat(func.substr(column, 9))
    if column.name in PEOPLE:
        return bindparam("person", type_=column.type).concat(column)
    if isinstance(column.type, Instant):
        return case((column.is_(None), null()), else_=bindparam("at", type_=column.type))
    return column


def _advance(connection: Any, tables: Sequence[Table]) -> None:
    """The sequences of PostgreSQL, past the copies."""
    for table in tables:
        connection.execute(
            select(
                func.setval(
                    func.pg_get_serial_sequence(table.name, "id"), select(func.max(table.c.id)).scalar_subquery()
                )
            )
        )


# --- statements -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Statements:
    """Every statement that an engine executed: how often, how long, and one example of its parameters."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    example: dict[str, tuple[str, Any]] = field(default_factory=dict)
    _began: float = 0.0

    def listen(self, engine: Engine) -> None:
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)

    def _before(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        self._began = time.perf_counter()

    def _after(self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        took = time.perf_counter() - self._began
        name = _shape(statement)
        self.seconds[name].append(took)
        self.example.setdefault(name, (statement, parameters[0] if many else parameters))

    def plans(self, engine: Engine) -> dict[str, str]:
        """What walks through a whole table or sorts, by statement."""
        found = {}
        with engine.connect() as connection:
            for name, (statement, parameters) in list(self.example.items()):
                if re.match(r"(SELECT|UPDATE|DELETE|WITH)\b", statement) and (
                    said := _walks(connection, engine.dialect.name, statement, parameters)
                ):
                    found[name] = said
                connection.rollback()
        return found


def _shape(statement: str) -> str:
    """A statement without its length: one line, lists of values as one."""
    line = re.sub(r"sa_savepoint_\d+", "...", " ".join(statement.split()))
    return re.sub(r"\((\?|%\(\w+\)s(::\w+)?)(, (\?|%\(\w+\)s(::\w+)?))+\)", "(...)", line)


def _walks(connection: Any, dialect: str, statement: str, parameters: Any) -> str:
    explain = "EXPLAIN QUERY PLAN " if dialect == "sqlite" else "EXPLAIN "
    rows = connection.exec_driver_sql(explain + statement, parameters).all()
    lines = [str(row[-1]).strip() for row in rows]
    wanted = r"^SCAN |TEMP B-TREE" if dialect == "sqlite" else r"Seq Scan on|^-?>?\s*Sort\b"
    return "; ".join(line for line in lines if re.search(wanted, line))


# --- the measuring ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Desk:
    """A store with its worker's parts."""

    name: str
    settings: Settings
    store: SqlStore
    messages: int = 0
    statements: Statements = field(default_factory=Statements)
    ms: list[float] = field(default_factory=list)


def deal_with(desk: Desk, mails: Sequence[bytes], classifier: Classifier, read: Read, now: datetime) -> float:
    """Milliseconds of CPU a mail."""
    worker = bootstrap.build_worker(
        desk.settings,
        store=desk.store,
        source=ListSource(mails, mailbox=f"INBOX{now:%j%H%M}"),
        submission=ScriptedSubmission(),
        classifier=classifier,
        read=read,
        clock=FrozenClock(now),
    )
    started = cpu() + _server_cpu(desk.store.engine)
    worker.run_once()
    took = 1000 * (cpu() + _server_cpu(desk.store.engine) - started) / len(mails)
    require_done(desk.store)
    return took


def _server_cpu(engine: Engine) -> float:
    """Of the PostgreSQL processes that serve the connections of now; they live as long as the connections."""
    if engine.dialect.name != "postgresql":
        return 0.0
    wanted = text("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'")
    with engine.connect() as connection:
        return sum(map(cpu_of, connection.scalars(wanted)))


def views() -> dict[str, Callable[[Any], object]]:
    """What people look at."""
    return {
        "counts": lambda unit: unit.counts(),
        "decided(0, 100)": lambda unit: unit.decided(0, 100),
        "threads(50)": lambda unit: unit.threads(50),
        "threads(50, held)": lambda unit: unit.threads(50, "held"),
        "threads(50, closed)": lambda unit: unit.threads(50, "closed"),
        "story(1)": lambda unit: unit.story(1),
        "outbox(50)": lambda unit: unit.outbox(50),
        "outbox(50, failed)": lambda unit: unit.outbox(50, "failed"),
        "quarantined(50)": lambda unit: unit.quarantined(50),
        "next_due": lambda unit: unit.next_due(),
    }


def looked_at(store: SqlStore) -> dict[str, float]:
    """Milliseconds of wall time for each view, the median of three."""
    found = {}
    for name, look in views().items():
        took = []
        for _ in range(3):
            started = time.perf_counter()
            with store.unit() as unit:
                look(unit)
            took.append(1000 * (time.perf_counter() - started))
        found[name] = statistics.median(took)
    return found


def desks(arguments: argparse.Namespace, folder: Path, stack: ExitStack) -> Iterator[tuple[str, str]]:
    """(name, URL) of the two stores."""
    if arguments.postgres:
        programs = postgres_programs()
        if programs is None:
            raise SystemExit("PostgreSQL is not installed")
        server = stack.enter_context(running_postgres(programs))
        yield from ((name, server.new_database()) for name in ("small", "large"))
    else:
        yield from ((name, f"sqlite:///{folder / name}.sqlite3") for name in ("small", "large"))


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--small", type=int, default=1_000)
    asked.add_argument("--large", type=int, default=1_000_000)
    asked.add_argument("--mails", type=int, default=300)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--postgres", action="store_true")
    asked.add_argument("--folder", type=Path, help="where the stores are made; about 10 GB")
    given = asked.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=given.folder)))
        measure(given, folder, list(desks(given, folder, stack)))


def measure(given: argparse.Namespace, folder: Path, urls: Sequence[tuple[str, str]]) -> None:
    assets = desk_assets(folder / "assets")
    found = bootstrap.find_assets(desk_settings(None, assets, urls[0][1]))
    classifier, _ = bootstrap.build_understanding(found)
    read = bootstrap.build_reader(Settings())
    log_nowhere()
    now = datetime.now(UTC)
    first, fresh = training_mails(given.small), training_mails(given.mails)
    pair = []
    for name, url in urls:
        settings = desk_settings(None, assets, url)
        if given.postgres:
            bootstrap.upgrade_store(settings)
        desk = Desk(name, settings, bootstrap.build_store(settings))
        deal_with(desk, first, classifier, read, now)
        desk.messages = fill(desk.store.engine, given.small if name == "small" else given.large, now)
        pair.append(desk)
    for turn in range(given.rounds + 1):
        at = now + timedelta(days=2) + turn * BETWEEN_ROUNDS
        mails = [renumbered(one, 1_000 + turn) for one in fresh]
        for desk in pair:
            took = deal_with(desk, mails, classifier, read, at)
            print(f"{desk.name} {took:.2f}", file=sys.stderr, flush=True)
            if turn == 0:  # everything is read for the first time
                desk.statements.listen(desk.store.engine)
            else:
                desk.ms.append(took)
    told(given, *pair)


def told(given: argparse.Namespace, small: Desk, large: Desk) -> None:
    kind = "postgresql" if given.postgres else "sqlite"
    ratios = [b / a for a, b in zip(small.ms, large.ms, strict=True)]
    for desk in (small, large):
        print(f"{desk.name}: {desk.messages:,} messages, {spread(desk.ms)} ms CPU a mail")
    print(f"ratio {spread(ratios, 3)}   at most 1.10")
    statements = _statements(given, small, large)
    for one in statements:
        print(f"{one['small_us']:9.0f} {one['large_us']:9.0f} us, {one['a_mail']:.2f} a mail  {one['sql'][:150]}")
        if one["walks"]:
            print(f"{'':30}{one['walks']}")
    seen = {desk.name: looked_at(desk.store) for desk in (small, large)}
    for name in views():
        print(f"{name:<24}{seen['small'][name]:9.1f}{seen['large'][name]:9.1f} ms")
    keep(
        f"growth_{kind}",
        {
            "messages": [small.messages, large.messages],
            "ms": [small.ms, large.ms],
            "ratios": ratios,
            "statements": statements,
            "views": seen,
        },
    )


def _statements(given: argparse.Namespace, small: Desk, large: Desk) -> list[dict[str, Any]]:
    """Those that took longer in the large store, or whose plan walks; the dearest growth first."""
    mails, timed = given.mails * given.rounds, dict(large.statements.seconds)
    plans = large.statements.plans(large.store.engine)  # EXPLAIN is a statement too
    rows = []
    for name, seconds in timed.items():
        before = 1e6 * statistics.fmean(small.statements.seconds.get(name, [0.0]))
        after = 1e6 * statistics.fmean(seconds)
        if name in plans or after > 1.3 * before + 10:
            rows.append(
                {
                    "sql": name,
                    "small_us": before,
                    "large_us": after,
                    "a_mail": len(seconds) / mails,
                    "walks": plans.get(name, ""),
                }
            )
    return sorted(rows, key=lambda row: (row["small_us"] - row["large_us"]) * row["a_mail"])


if __name__ == "__main__":
    main()
