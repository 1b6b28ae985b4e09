"""Workers as processes of their own, of which a test wants to know what they are at, and which may die at a moment.

Everything in them is that of `mailflow run`, but for the model, and for the server that they speak with, which is
wrapped thinly.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Literal

from tests.e2e.mailboxes import PATIENCE, says_nfr

from mailflow import bootstrap
from mailflow.core.fleet import Role
from mailflow.core.message import OutboundMessage
from mailflow.core.octets import Octets
from mailflow.core.partner import PartnerDirectory
from mailflow.core.ports import Acceptance, Submission
from mailflow.core.storage import Understood
from mailflow.reading.understand import reader
from mailflow.settings import read_settings

Death = Literal["", "while it reads", "once its answer is accepted"]


@dataclass(frozen=True, slots=True)
class Orders:
    roles: frozenset[Role]
    dies: Death = ""
    """kill -9 by its own hand, at the third mail that it has to do with."""
    waits: bool = False
    """With its first answer in its hands it says so, and waits until it may go on."""


@dataclass(slots=True)
class Moments:
    """Between the process and the test."""

    began: Event
    may_go_on: Event


class WatchedSubmission:
    def __init__(self, submission: Submission, orders: Orders, moments: Moments) -> None:
        self._submission, self._orders, self._moments, self._sent = submission, orders, moments, 0

    def submit(self, message: OutboundMessage) -> Acceptance:
        if self._orders.waits:
            self._moments.began.set()
            assert self._moments.may_go_on.wait(PATIENCE)
        accepted = self._submission.submit(message)
        self._sent += 1
        if self._orders.dies == "once its answer is accepted" and self._sent == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return accepted

    def close(self) -> None:
        self._submission.close()


def work(config: Path, orders: Orders, moments: Moments) -> None:
    """`mailflow run --role ...`"""
    settings = read_settings(config)
    read, seen = reader(bootstrap.build_desk(settings)), 0

    def watched(content: Octets, size: int | None, partners: PartnerDirectory) -> Understood:
        nonlocal seen
        seen += 1
        if orders.dies == "while it reads" and seen == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(content, size, partners)

    worker = bootstrap.build_worker(
        settings,
        submission=WatchedSubmission(bootstrap.build_submission(settings), orders, moments),
        classifier=says_nfr(),
        read=watched,
        roles=orders.roles,
    )
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.run()


@dataclass(slots=True)
class WorkerProcess:
    process: ForkServerProcess
    moments: Moments

    def await_end(self) -> int:
        """Its exit code, -9 if it was killed."""
        self.process.join(PATIENCE)
        assert self.process.exitcode is not None, "the worker does not end"
        return self.process.exitcode

    def end(self) -> int:
        """SIGTERM; its exit code."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGTERM)
        return self.await_end()


class Processes:
    """Starts workers; those that are left at the end are killed."""

    def __init__(self, config: Path) -> None:
        self._config, self._started = config, list[ForkServerProcess]()
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["mailflow.bootstrap"])

    def start(self, *roles: Role, dies: Death = "", waits: bool = False) -> WorkerProcess:
        moments = Moments(self._context.Event(), self._context.Event())
        process = self._context.Process(
            target=work, args=(self._config, Orders(frozenset(roles), dies, waits), moments)
        )
        process.start()
        self._started.append(process)
        return WorkerProcess(process, moments)

    def kill_all(self) -> None:
        for process in self._started:
            process.kill()
            process.join()


@contextmanager
def processes(config: Path) -> Iterator[Processes]:
    found = Processes(config)
    try:
        yield found
    finally:
        found.kill_all()
