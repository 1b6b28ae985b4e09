"""How long a partner waits: python -m benchmarks.latency [--mails 100]

`mailflow run` in a process of its own on Dovecot and Exim, woken by IDLE, the undo window off. Mails arrive one after
the other, 0.2 to 3 seconds apart, as a partner's server hands them in. The clock runs from Exim's 250 for the question
to Exim's 250 for the answer; where between them the time went is told by the store's own instants.

Loopback has no network in it; the rest is as at work. Wall time: other work on the machine makes it longer.
"""

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from smtplib import SMTP

from benchmarks.loopback import DESK, desk_assets, desk_settings, environment, keep
from sqlalchemy import create_engine, text
from tests.servers import MailServers, running_mail_servers

from mailflow import bootstrap
from mailflow.adapters.examples import read_examples, to_bytes
from mailflow.core.classification import Action
from mailflow.core.message import Role
from mailflow.settings import Settings

SOONEST, LATEST = 0.2, 3.0
"""Seconds between two mails."""
PATIENCE = 60.0
_ANSWERS = text("""
    SELECT m.message_id, i.received_at, d.decided_at, o.claimed_at, o.finished_at FROM outbox o
    JOIN decision d ON d.id = o.decision_id JOIN message m ON m.id = d.message_id
    JOIN inbound i ON i.message_id = m.id WHERE o.state = 'sent'
""")
_PENDING = text("""
    SELECT (SELECT count(*) FROM inbound WHERE state IN ('received', 'processing'))
    + (SELECT count(*) FROM outbox WHERE state IN ('queued', 'sending')), (SELECT count(*) FROM inbound)
""")
STAGES = ("noticed and fetched", "read and decided", "taken by the sender", "handed over")


def questions(count: int) -> list[tuple[str, bytes]]:
    """(Message-ID, mail): questions of partners that have an answer, each by somebody else."""
    examples = read_examples(bootstrap.find_assets(Settings()).classifiers / "examples").examples
    fit = [one for one in examples if one.action is Action.REPLY and one.role is Role.PARTNER and not one.headers]
    chosen = fit[:: max(1, len(fit) // count)][:count]
    asked = []
    for number, one in enumerate(chosen):
        mail = to_bytes(one.model_copy(update={"from_addr": f"p{number}@partner.example"}))
        head = datetime.now(UTC).strftime("Date: %a, %d %b %Y %H:%M:%S +0000\n").encode()
        message_id = mail.partition(b"\nMessage-ID: <")[2].partition(b">")[0].decode()
        asked.append((message_id, (head + mail).replace(b"\n", b"\r\n")))
    return asked


@contextmanager
def running_worker(settings: Settings, log: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "mailflow.cli", "run", "--verbose"]
    with log.open("wb") as out:
        worker = subprocess.Popen(command, env=environment(settings), cwd=log.parent, stdout=out, stderr=out)
    try:
        yield
    finally:
        worker.terminate()
        worker.wait()


def hand_in(servers: MailServers, asked: Sequence[tuple[str, bytes]]) -> dict[str, datetime]:
    """Each mail after a pause. Returns when the server took it, by Message-ID."""
    dice, pause, taken = random.Random(1), threading.Event(), {}  # noqa: S311 - the same pauses each time
    with SMTP(servers.host, servers.submission_port, timeout=30) as smtp:
        for number, (message_id, mail) in enumerate(asked):
            pause.wait(dice.uniform(SOONEST, LATEST))
            smtp.sendmail(f"p{number}@partner.example", [DESK], mail)
            taken[message_id] = datetime.now(UTC)
    return taken


def finished(url: str, count: int) -> list[tuple[str, list[datetime]]]:
    """(Message-ID, instants) of the answered mails, once so many mails are dealt with."""
    engine, pause = create_engine(url), threading.Event()
    for _ in range(int(PATIENCE)):
        with engine.connect() as connection:
            pending, stored = connection.execute(_PENDING).one()
            if stored >= count and not pending:
                return [(row[0], list(map(_instant, row[1:]))) for row in connection.execute(_ANSWERS)]
        pause.wait(1.0)
    raise SystemExit(f"after {PATIENCE:.0f} s {pending} of {stored} mails still wait")


def _instant(stored: str) -> datetime:
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--mails", type=int, default=100)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as name, running_mail_servers() as servers:
        folder = Path(name)
        url = f"sqlite:///{folder / 'latency.sqlite3'}"
        settings = desk_settings(servers, desk_assets(folder / "assets"), url)
        bootstrap.build_store(settings).close()
        mails = questions(given.mails + 1)
        with running_worker(settings, folder / "worker.log"):
            hand_in(servers, mails[:1])
            finished(url, 1)  # it has started, and IDLE begins
            taken = hand_in(servers, mails[1:])
            answered = finished(url, len(mails))
        told(taken, [one for one in answered if one[0] in taken])


def told(taken: dict[str, datetime], answered: Sequence[tuple[str, list[datetime]]]) -> None:
    seconds = sorted((instants[-1] - taken[name]).total_seconds() for name, instants in answered)
    stages: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for name, instants in answered:
        before = taken[name]
        for stage, instant in zip(STAGES, instants, strict=True):
            stages[stage].append((instant - before).total_seconds())
            before = instant
    medians = {stage: statistics.median(values) for stage, values in stages.items()}
    p95 = seconds[-(len(seconds) // 20 + 1)]
    print(
        f"{len(seconds)} answers to {len(taken)} mails, seconds from the server's 250 for the question to its 250 for"
    )
    print(f"the answer: median {statistics.median(seconds):.2f}, p95 {p95:.2f}, longest {seconds[-1]:.2f}")
    print("median of each stage: " + ", ".join(f"{stage} {value:.3f}" for stage, value in medians.items()))
    keep("latency", {"seconds": seconds, "median": statistics.median(seconds), "p95": p95, "stages": medians})


if __name__ == "__main__":
    main()
