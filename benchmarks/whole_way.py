"""CPU per mail of the whole way beside a plain floor: python -m benchmarks.whole_way

The whole way: fetched over IMAP, stored, read in a process of its own, classified with its reasons, decided, answered,
everything committed, the answer handed over, the mail moved on the server. The floor: benchmarks/floor.py. Both on real
servers, with the same mails, in one run.

    python -m benchmarks.whole_way [--mails 2000] [--rounds 3] [--profile FILE]

In batches: everything is there when the worker looks. One by one: each mail comes alone and is settled before the next
one comes, in a running worker with all its loops.
The floor hands over an answer to every mail. `as many answers`: only to as many as mailflow answers, a harder floor.
"""

import argparse
import cProfile
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.floor import Floor, LinearClassifier
from benchmarks.loopback import (
    Mailboxes,
    Meter,
    MeteredClassifier,
    MeteredRead,
    MeteredSource,
    MeteredSubmission,
    cpu,
    desk_assets,
    desk_settings,
    keep,
    log_nowhere,
    removed,
    require_done,
    spread,
    training_mails,
)
from tests.servers import MailServers, running_mail_servers

from mailflow import bootstrap
from mailflow.adapters.store import SqlStore
from mailflow.core.fleet import Role
from mailflow.core.ports import Classifier
from mailflow.core.storage import Read
from mailflow.services.worker import Worker
from mailflow.settings import Settings

BATCH = 100
ONE_BY_ONE_SHARE = 4
"""One by one, a quarter of the mails is enough: a round takes as long."""
REST = "decide, compose, store"
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Round:
    """What one way took for its mails."""

    mails: int
    answered: int
    seconds: dict[str, float]
    """Of CPU, by what was done."""

    @property
    def ms(self) -> float:
        """Of CPU, a mail."""
        return sum(self.stages().values())

    def stages(self) -> dict[str, float]:
        return {name: 1000 * seconds / self.mails for name, seconds in self.seconds.items()}


@dataclass(slots=True)
class Bench:
    servers: MailServers
    folder: Path
    mails: int
    boxes: Mailboxes
    classifier: Classifier
    read: Read
    linear: LinearClassifier
    assets: Path
    profile: cProfile.Profile | None = None

    @contextmanager
    def desk(self, mailbox: str, meter: Meter) -> Iterator["Desk"]:
        database = self.folder / "bench.sqlite3"
        settings = desk_settings(self.servers, self.assets, f"sqlite:///{database}", mailbox)
        source = MeteredSource(bootstrap.build_source(settings), meter)
        submission = MeteredSubmission(bootstrap.build_submission(settings), meter)
        store = bootstrap.build_store(settings)
        worker = bootstrap.build_worker(
            settings,
            store=store,
            source=source,
            submission=submission,
            classifier=MeteredClassifier(self.classifier, meter),
            read=MeteredRead(self.read, meter),
        )
        try:
            yield Desk(worker, source, submission, store)
        finally:
            source.end()
            submission.end()
            store.close()
            removed(database)

    def ours_in_batches(self) -> Round:
        meter = Meter()
        with self.desk(self.boxes.filled(), meter) as desk:
            if self.profile:
                self.profile.enable()
            with meter.measuring(REST):
                desk.worker.run_once()
            if self.profile:
                self.profile.disable()
            require_done(desk.store)
            return Round(self.mails, desk.submission.sent, meter.seconds)

    def ours_one_by_one(self) -> Round:
        """In a running worker with all its loops. What this thread does to deliver the mails is not counted."""
        meter, mailbox, mails = Meter(), self.boxes.empty(), self.mails // ONE_BY_ONE_SHARE
        with self.desk(mailbox, meter) as desk:
            running = threading.Thread(target=desk.worker.run)
            running.start()
            desk.deal_with(self.boxes, mailbox, 0)  # it has started and is connected
            meter.seconds.clear()
            sent, started = desk.submission.sent, cpu() - time.thread_time()
            for number in range(1, mails + 1):
                desk.deal_with(self.boxes, mailbox, number)
            desk.await_answers()
            seconds = cpu() - time.thread_time() - started
            sent = desk.submission.sent - sent
            desk.worker.stop()
            running.join()
            require_done(desk.store)
        return Round(mails, sent, {**meter.seconds, REST: seconds - meter.total})

    @contextmanager
    def plain(self, mailbox: str) -> Iterator[Floor]:
        database = self.folder / "floor.sqlite3"
        floor = Floor(self.servers, database, mailbox, self.linear)
        try:
            yield floor
        finally:
            floor.close()
            removed(database)

    def floor_in_batches(self, share: float = 1.0) -> Round:
        meter = Meter()
        with self.plain(self.boxes.filled()) as floor:
            while floor.turn(BATCH, meter, share=share):
                pass
            return Round(self.mails, floor.sent, meter.seconds)

    def floor_one_by_one(self, share: float = 1.0) -> Round:
        meter, mailbox, mails = Meter(), self.boxes.empty(), self.mails // ONE_BY_ONE_SHARE
        with self.plain(mailbox) as floor:
            for number in range(mails):
                self.boxes.add(number, mailbox)
                floor.turn(1, meter, share=share)
            return Round(mails, floor.sent, meter.seconds)


@dataclass(frozen=True, slots=True)
class Desk:
    worker: Worker
    source: MeteredSource
    submission: MeteredSubmission
    store: SqlStore

    def deal_with(self, boxes: Mailboxes, mailbox: str, number: int) -> None:
        """Deliver one mail and wait until it is moved on the server, which is after its decision."""
        self.source.settled.clear()
        boxes.add(number, mailbox)
        self.source.bell.set()
        if not self.source.settled.wait(PATIENCE):
            raise SystemExit(f"mail {number} was not dealt with in {PATIENCE:.0f} s")

    def await_answers(self) -> None:
        pause = threading.Event()
        while True:
            with self.store.view() as unit:
                if unit.next_due(Role.SEND) is None:
                    return
            pause.wait(0.05)


def ready(settings: Settings, servers: MailServers, folder: Path, mails: int) -> Bench:
    log_nowhere()
    found = bootstrap.find_assets(settings)
    classifier, _ = bootstrap.build_understanding(found)
    boxes = Mailboxes.open(servers, training_mails(mails))
    return Bench(
        servers,
        folder,
        mails,
        boxes,
        classifier,
        bootstrap.build_reader(settings),
        LinearClassifier.learned(),
        desk_assets(folder),
    )


def measured(bench: Bench, rounds: int) -> dict[str, list[Round]]:
    """All ways in turn, round by round; the first round of each is not counted."""
    found: dict[str, list[Round]] = {}
    for _ in range(rounds + 1):
        ours = bench.ours_in_batches()
        share = ours.answered / ours.mails
        single = bench.ours_one_by_one()
        now = {
            "batches": ours,
            "floor": bench.floor_in_batches(),
            "floor, as many answers": bench.floor_in_batches(share),
            "one by one": single,
            "floor one by one": bench.floor_one_by_one(),
            "floor one by one, as many answers": bench.floor_one_by_one(single.answered / single.mails),
        }
        print(", ".join(f"{name} {one.ms:.2f}" for name, one in now.items()), file=sys.stderr, flush=True)
        for name, one in now.items():
            found.setdefault(name, []).append(one)
    return {name: them[1:] for name, them in found.items()}


PAIRS = (
    ("batches", "floor", 2.5),
    ("batches", "floor, as many answers", None),
    ("one by one", "floor one by one", 4.0),
    ("one by one", "floor one by one, as many answers", None),
    ("one by one", "floor", None),
)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--mails", type=int, default=2000)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--profile", type=Path, help="write a cProfile of the batches here")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as name, running_mail_servers() as servers:
        bench = ready(Settings(), servers, Path(name), given.mails)
        if given.profile:
            bench.ours_in_batches()
            bench.profile = cProfile.Profile()
            bench.ours_in_batches()
            bench.profile.dump_stats(given.profile)
            return
        found = measured(bench, given.rounds)
    told(found, given.rounds)


def told(found: dict[str, list[Round]], rounds: int) -> None:
    first = found["batches"][0]
    print(f"{first.mails} mails, {first.answered} answered; ms CPU a mail, median of {rounds} rounds (least to most)")
    for name, them in found.items():
        print(f"{name:<36}{spread([one.ms for one in them]):>26}   {_stages(them)}")
    ratios = []
    for ours, theirs, bound in PAIRS:
        values = [a.ms / b.ms for a, b in zip(found[ours], found[theirs], strict=True)]
        ratios.append({"of": ours, "to": theirs, "ratios": values, "bound": bound})
        print(f"{ours} / {theirs:<36}{spread(values):>22}" + (f"   at most {bound}" if bound else ""))
    keep(
        "whole_way",
        {
            "mails": first.mails,
            "answered": first.answered,
            "ms": {name: [one.ms for one in them] for name, them in found.items()},
            "stages": {name: _median_stages(them) for name, them in found.items()},
            "ratios": ratios,
        },
    )


def _median_stages(them: list[Round]) -> dict[str, float]:
    return {name: statistics.median(one.stages()[name] for one in them) for name in them[0].stages()}


def _stages(them: list[Round]) -> str:
    return ", ".join(f"{name} {ms:.2f}" for name, ms in _median_stages(them).items())


if __name__ == "__main__":
    main()
