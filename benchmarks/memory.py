"""How much memory a worker takes that finds 100,000 mails: python -m benchmarks.memory [--mails 100000]

The mails lie in Dovecot's INBOX; `mailflow run --once` with its reading process deals with all of them. Each second the
proportional set size of both is read (PSS: what is shared is shared out). Answers go to a server that takes everything
and forgets it: Exim would need longer to deliver them than everything else together.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from benchmarks.loopback import DESK, desk_assets, desk_settings, environment, keep, training_mails
from benchmarks.sink import MailSink
from imapclient import IMAPClient
from sqlalchemy import create_engine, text
from tests.servers import MailServers, running_mail_servers

from mailflow import bootstrap

AT_ONCE = 500
"""Mails in one APPEND (RFC 3502)."""
EVERY = 1.0
"""Seconds between two looks."""


def fill(servers: MailServers, count: int) -> None:
    """Each with a Message-ID of its own, so none is a copy."""
    with IMAPClient(servers.host, servers.imap_port, ssl=False, timeout=600) as client:
        client.login(DESK, servers.users[DESK])
        mails = iter(training_mails(count))
        while some := list(islice(mails, AT_ONCE)):
            client.multiappend("INBOX", some)


@dataclass(frozen=True, slots=True)
class Look:
    worker: float
    reader: float
    """MiB of PSS."""
    decided: int
    stored: int


def watched(worker: "subprocess.Popen[bytes]", url: str) -> list[Look]:
    looks, pause, engine = [], threading.Event(), create_engine(url)
    while worker.poll() is None:
        pause.wait(EVERY)
        try:
            own, *children = [_pss(pid) for pid in (worker.pid, *_children(worker.pid))]
        except (OSError, ValueError):  # it is ending
            continue
        with engine.connect() as connection:
            decided = connection.scalar(text("SELECT count(*) FROM decision")) or 0
            stored = connection.scalar(text("SELECT count(*) FROM inbound")) or 0
        looks.append(Look(own, sum(children), decided, stored))
    return looks


def _pss(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.partition("\nPss:")[2].split()[0]) / 1024


def _children(pid: int) -> Sequence[int]:
    return [int(one) for task in Path(f"/proc/{pid}/task").iterdir() for one in (task / "children").read_text().split()]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--mails", type=int, default=100_000)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as name, running_mail_servers() as servers, MailSink() as sink:
        folder = Path(name)
        url = f"sqlite:///{folder / 'memory.sqlite3'}"
        settings = sink.settings(desk_settings(servers, desk_assets(folder / "assets"), url))
        bootstrap.build_store(settings).close()
        fill(servers, given.mails)
        print(f"{given.mails:,} mails are in the INBOX", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "mailflow.cli", "run", "--once"]
        with (
            (folder / "worker.log").open("wb") as log,
            subprocess.Popen(command, env=environment(settings), stdout=log, stderr=log) as worker,
        ):
            looks = watched(worker, url)
        if worker.returncode:
            raise SystemExit((folder / "worker.log").read_text()[-2000:])
    told(given.mails, looks)


def told(mails: int, looks: Sequence[Look]) -> None:
    total = [one.worker + one.reader for one in looks]
    highest = max(range(len(looks)), key=total.__getitem__)
    worst = looks[highest]
    print(f"{mails:,} mails: at most {total[highest]:.0f} MiB, {worst.worker:.0f} MiB of the worker,")
    print(f"{worst.reader:.0f} MiB of the reading process, with {worst.stored:,} stored and {worst.decided:,} decided")
    step = max(1, len(looks) // 200)
    keep(
        "memory",
        {
            "mails": mails,
            "highest": total[highest],
            "looks": [[one.stored, one.decided, one.worker, one.reader] for one in looks[::step]],
        },
    )


if __name__ == "__main__":
    main()
