"""The recorded run: `python -m tests.faults.record --kills 1000 --faults 200 --seed 1 --out docs/faults.md`.

SQLite with one worker process and PostgreSQL with three take turns, so that a run that is cut off has tried both. The
page is written anew after each round, and says itself how far it came; with --state a run that was cut off goes on.
Ends with 1 at the first broken invariant: what was seen stands on the page.
"""

import argparse
import faulthandler
import pickle
import platform
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import monotonic

from tests.faults.bench import WORKERS, Bench, Kind, Stuck
from tests.faults.faults import FAULTS, faults_of
from tests.faults.invariants import AT_REST, SAFE, Tally, tally
from tests.faults.life import Moment
from tests.faults.world import SMALL_DISK_MIB, World, running_world

_ROUNDS_AT_ONCE = 5
"""Of one kind, before it is the other's turn."""
_SELDOM = 4
"""A long fault comes once in so many passes through the table."""


def schedule(kind: Kind, seed: int) -> Iterator[str]:
    """Names of faults for ever: one pass through the table after the other, each in another order."""
    order = random.Random(f"{seed} {kind} order")
    number = 0
    while True:
        number += 1
        names = [name for name, fault in faults_of(kind).items() if not fault.is_long or number % _SELDOM == 1]
        order.shuffle(names)
        yield from names


@dataclass(slots=True)
class Progress:
    wanted_kills: int
    wanted_faults: int
    seed: int
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: float = 0.0
    kills: dict[Kind, Counter[Moment]] = field(default_factory=dict)
    faults: dict[Kind, Counter[str]] = field(default_factory=dict)
    tallies: dict[Kind, Tally] = field(default_factory=dict)
    checks: int = 0
    versions: str = ""
    means: str = ""
    trouble: str = ""
    earlier: "Progress | None" = None
    """What was done before the run was cut off."""

    @property
    def named_kills(self) -> int:
        return sum(self.killed(kind).total() - self.killed(kind)[Moment.ANY] for kind in Kind)

    @property
    def all_faults(self) -> int:
        return sum(self.suffered(kind).total() for kind in Kind)

    @property
    def parts(self) -> "list[Progress]":
        return [*(self.earlier.parts if self.earlier else []), self]

    def killed(self, kind: Kind) -> Counter[Moment]:
        return sum((one.kills.get(kind, Counter()) for one in self.parts), Counter())

    def suffered(self, kind: Kind) -> Counter[str]:
        return sum((one.faults.get(kind, Counter()) for one in self.parts), Counter())

    def counted(self, kind: Kind, name: str) -> int:
        """A number of the tallies."""
        return sum(getattr(one.tallies[kind], name) for one in self.parts if kind in one.tallies)


def run(progress: Progress, out: Path, state: Path | None = None) -> bool:
    """Whether all went well."""
    begun = monotonic()
    with ExitStack() as stack:
        world = stack.enter_context(running_world(with_postgres=True))
        progress.versions, progress.means = _versions(world), _means(world)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mfbench-")))
        seed = progress.seed + len(progress.parts) - 1
        benches = [stack.enter_context(Bench(world, kind, folder / kind, seed=seed)) for kind in Kind]
        orders = {bench.kind: schedule(bench.kind, seed) for bench in benches}
        while progress.all_faults < progress.wanted_faults or progress.named_kills < progress.wanted_kills:
            for bench in benches:
                for _ in range(_ROUNDS_AT_ONCE):
                    left = max(progress.wanted_faults - progress.all_faults, 1)
                    kills = -(-max(progress.wanted_kills - progress.named_kills, 0) // left)
                    name = next(orders[bench.kind])
                    try:
                        facts = bench.round({name: FAULTS[name]}, min(kills, 12))
                    except Stuck as error:
                        progress.trouble = f"{bench.kind}, {name}: {error}"
                    else:
                        progress.tallies[bench.kind] = tally(facts)
                    progress.checks += 1
                    progress.kills[bench.kind], progress.faults[bench.kind] = bench.counts.kills, bench.counts.faults
                    progress.seconds = monotonic() - begun
                    out.write_text(page(progress), encoding="utf-8")
                    if state is not None:
                        state.write_bytes(pickle.dumps(progress))
                    sys.stdout.write(f"{progress.seconds:6.0f} s {bench.kind} {name}: {progress.named_kills} kills\n")
                    sys.stdout.flush()
                    if progress.trouble:
                        sys.stdout.write(progress.trouble + "\n")
                        return False
                bench.stop_all()
    return True


def _versions(world: World) -> str:
    dovecot = _says("dovecot", "--version").split()[0]
    exim = re.search(r"Exim version (\S+)", _says("exim4", "-bV"))
    postgres = "none"
    if world.postgres is not None:
        postgres = world.postgres.ask("SHOW server_version").split()[0]
    ours = ", ".join(f"{name} {version(name)}" for name in ("SQLAlchemy", "psycopg", "procrastinate", "imapclient"))
    return (
        f"Python {platform.python_version()}, Dovecot {dovecot}, Exim {exim[1] if exim else '?'}, "
        f"PostgreSQL {postgres}, SQLite {sqlite3.sqlite_version}, {ours}"
    )


def _says(*words: str) -> str:
    path = "/usr/sbin:/usr/local/sbin:/usr/bin:/bin"
    return subprocess.run(words, capture_output=True, text=True, check=True, env={"PATH": path}).stdout


def _means(world: World) -> str:
    disk = f"a tmpfs of {SMALL_DISK_MIB} MiB, filled" if world.disk.is_small else "made in the database"
    network = "a network namespace, its cable pulled" if world.network else "relays that let nothing pass"
    return f"disk full: {disk}; a machine cut off: {network}"


def page(progress: Progress) -> str:
    """docs/faults.md."""
    is_done = progress.all_faults >= progress.wanted_faults and progress.named_kills >= progress.wanted_kills
    state = "complete" if is_done else f"cut off, or going on, at the round {progress.checks}"
    if progress.trouble:
        state = "ended by a broken invariant"
    anywhere = sum(progress.killed(kind)[Moment.ANY] for kind in Kind)
    checks = sum(one.checks for one in progress.parts)
    minutes = sum(one.seconds for one in progress.parts) / 60
    seeds = ", ".join(str(progress.seed + number) for number in range(len(progress.parts)))
    workers = ", ".join(
        f"{kind} with {WORKERS[kind]} worker process{'es' if WORKERS[kind] > 1 else ''}" for kind in Kind
    )
    killed = f"**{progress.named_kills} kills** (SIGKILL) at named moments and {anywhere} at any time"
    if len(progress.parts) > 1:
        state += f"; cut off from outside and gone on with {len(progress.parts) - 1} times, each time on a new store"
    begun = f"{progress.parts[0].started_at:%Y-%m-%d %H:%M} UTC, {minutes:.0f} minutes"
    return f"""# Faults

Workers are killed and servers fail, over and over, while mail comes in; then everything must add up. `make faults`
makes this page; how it is done stands in `tests/faults`. A short run belongs to `make test`.

- Begun {begun}, seed {seeds}; {state}.
- {workers}; real Dovecot, Exim and PostgreSQL, real IMAP, SMTP and SQL; only the classifier gives fixed answers.
- {progress.versions}.
- {progress.means}.
- {killed}, **{progress.all_faults} other faults**.
  Workers died in the midst of most faults too.
- After each of the {checks} rounds, {len(AT_REST)} invariants were asked of all mail so far;
  {len(SAFE)} of them while mail was on its way, too.

## What became of the mail

{_table(_tally_rows(progress))}

`uncertain` is what the desk shows to a person and never sends again by itself. Each such answer has a reason that was
seen from outside: its worker was killed or declared dead while it had the answer in hand, or the relay before the mail
server saw the connection end between DATA and the worker's next word. Those that did not arrive were stopped between
the claim and the last octet; the ledger cannot tell them from the others, so a person is asked.

## Kills by moment

{_table(_kill_rows(progress))}

## Other faults

{_table(_fault_rows(progress))}

## What is asked after each

{_invariant_lines()}
{_trouble(progress)}"""


def _tally_rows(progress: Progress) -> list[list[str]]:
    names = {
        "mails": "mails put into the mailbox",
        "answers": "answers decided",
        "received": "answers in the partner's mailbox",
        "uncertain": "answers `uncertain`",
        "uncertain_that_arrived": "of these, arrived",
        "failed": "answers `failed` after five tries",
        "quarantined": "mails quarantined after five tries",
        "lost": "mails lost",
        "duplicates": "second answers",
    }
    head = ["", *(str(kind) for kind in Kind)]
    return [head, *([text, *(str(progress.counted(kind, name)) for kind in Kind)] for name, text in names.items())]


def _kill_rows(progress: Progress) -> list[list[str]]:
    rows = [["moment", *(str(kind) for kind in Kind)]]
    return rows + [[moment.value, *(str(progress.killed(kind)[moment]) for kind in Kind)] for moment in Moment]


def _fault_rows(progress: Progress) -> list[list[str]]:
    rows = [["fault", *(str(kind) for kind in Kind)]]
    return rows + [
        [name, *(str(progress.suffered(kind)[name]) if kind in fault.on else "-" for kind in Kind)]
        for name, fault in FAULTS.items()
    ]


def _table(rows: list[list[str]]) -> str:
    head, *rest = rows
    ruled = [head, ["---", *("---:" for _ in head[1:])], *rest]
    return "\n".join(f"| {' | '.join(row)} |" for row in ruled)


def _invariant_lines() -> str:
    return "\n".join(f"- {one.__name__.replace('_', ' ')}" for one in AT_REST)


def _trouble(progress: Progress) -> str:
    return f"\n## What was broken\n\n```\n{progress.trouble}\n```\n" if progress.trouble else ""


def main() -> int:
    parser = argparse.ArgumentParser(description="the recorded run of the fault bench")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/faults.md"))
    parser.add_argument("--state", type=Path, help="a file that keeps what was done, for a run that is cut off")
    asked = parser.parse_args()
    faulthandler.enable()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))  # so that the servers end, too
    progress = Progress(asked.kills, asked.faults, asked.seed)
    if asked.state is not None and asked.state.exists():
        progress.earlier = pickle.loads(asked.state.read_bytes())  # noqa: S301 - our own file
    return 0 if run(progress, asked.out, asked.state) else 1


if __name__ == "__main__":
    sys.exit(main())
