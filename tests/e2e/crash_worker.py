"""A worker that is killed, kill -9, at one named moment; everything else in it is that of `mailflow run`.

The store and both servers are wrapped thinly: the wrappers pass everything on and watch for the moment.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn, cast

from tests.e2e.mailboxes import PATIENCE, says_nfr

from mailflow import bootstrap
from mailflow.adapters.store import SqlStore, SqlUnit, open_engine
from mailflow.core.message import MailRef, OutboundMessage
from mailflow.core.ports import Acceptance, Batch, Cursor, Disposition, Source, Submission, Survey
from mailflow.reading.understand import reader
from mailflow.settings import read_settings


class Moment(StrEnum):
    """Where the worker dies, in the order in which it comes there."""

    FETCHED = "fetched, not recorded"
    RECORDED = "recorded, not claimed"
    CLAIMED = "claimed, not decided"
    DECIDING = "decided, not committed"
    DECIDED = "decided, neither moved nor sent"
    MOVED = "moved on the server, not marked"
    MARKED = "marked as moved, not sent"
    SENDING = "claimed for sending, not submitted"
    ACCEPTED = "accepted by the server, not recorded"
    SENT = "recorded as sent, not moved"


_COMMITTED = {
    "record": Moment.RECORDED,
    "claim_inbound": Moment.CLAIMED,
    "save": Moment.DECIDED,
    "mark_acknowledged": Moment.MARKED,
    "claim_outbox": Moment.SENDING,
}
"""The call of a unit whose commit brings the moment about."""
_RETURN_NOTHING = {"save", "mark_acknowledged"}

Reached = Callable[[Moment], None]


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("survived SIGKILL")


class WatchedUnit:
    """A unit that notes which of its calls did something."""

    def __init__(self, unit: SqlUnit, done: set[str], reached: Reached) -> None:
        self._unit, self._done, self._reached = unit, done, reached

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._unit, name)

        def call(*values: Any, **named: Any) -> Any:
            result = attribute(*values, **named)
            if result or name in _RETURN_NOTHING:
                self._done.add(name)
            if name == "save":
                self._reached(Moment.DECIDING)
            return result

        return call


class WatchedStore(SqlStore):
    def __init__(self, url: str, reached: Reached, sent: threading.Event) -> None:
        super().__init__(open_engine(url))
        self._reached, self._sent = reached, sent

    @contextmanager
    def unit(self) -> Iterator[SqlUnit]:
        done: set[str] = set()
        with super().unit() as unit:
            yield cast(SqlUnit, WatchedUnit(unit, done, self._reached))
        for name in done & _COMMITTED.keys():
            self._reached(_COMMITTED[name])
        if "finish_outbox" in done:
            self._sent.set()


class WatchedSource:
    def __init__(self, source: Source, moment: Moment, reached: Reached, sent: threading.Event) -> None:
        self.account, self.mailbox = source.account, source.mailbox
        self._source, self._moment, self._reached, self._sent = source, moment, reached, sent

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        for batch in self._source.fetch(cursor):
            self._reached(Moment.FETCHED)
            yield batch

    def acknowledge(self, refs: Sequence[MailRef], disposition: Disposition) -> None:
        if self._moment is Moment.SENT:
            # The sender is a thread of its own: it may be done before the mail is moved. Here it always is.
            assert self._sent.wait(PATIENCE), "nothing was sent"
            self._reached(Moment.SENT)
        self._source.acknowledge(refs, disposition)
        self._reached(Moment.MOVED)

    def survey(self) -> Survey | None:
        return self._source.survey()

    def fetch_only(self, uids: Sequence[int]) -> Iterator[Batch]:
        return self._source.fetch_only(uids)

    def find_sent(self, message_ids: Sequence[str]) -> frozenset[str]:
        return self._source.find_sent(message_ids)

    def wait(self, timeout: timedelta) -> bool:
        return self._source.wait(timeout)

    def interrupt(self) -> None:
        self._source.interrupt()

    def close(self) -> None:
        self._source.close()


class WatchedSubmission:
    def __init__(self, submission: Submission, reached: Reached) -> None:
        self._submission, self._reached = submission, reached

    def submit(self, message: OutboundMessage) -> Acceptance:
        accepted = self._submission.submit(message)
        self._reached(Moment.ACCEPTED)
        return accepted

    def close(self) -> None:
        self._submission.close()


def work_until(moment: Moment, config: Path) -> None:
    """Work on what is in the mailbox and die at `moment`. Returns if it never comes."""

    def reached(now: Moment) -> None:
        if now is moment:
            die()

    settings, sent = read_settings(config), threading.Event()
    desk = bootstrap.build_desk(settings)
    bootstrap.build_store(settings).close()
    worker = bootstrap.build_worker(
        settings,
        store=WatchedStore(settings.store.url, reached, sent),
        source=WatchedSource(bootstrap.build_source(settings), moment, reached, sent),
        submission=WatchedSubmission(bootstrap.build_submission(settings), reached),
        classifier=says_nfr(),
        read=reader(desk),
    )
    if moment is Moment.SENT:
        worker.run()
    else:
        worker.run_once()


def run_until_killed(moment: Moment, config: Path) -> int | None:
    """Let a process of its own `work_until`; returns its exit code, -9 if it was killed.

    Why forkserver: each process is forked from one that has imported everything, which takes seconds, once.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mailflow.bootstrap"])
    process = context.Process(target=work_until, args=(moment, config))
    process.start()
    process.join(PATIENCE)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError(f"the worker neither ended nor came to {moment}")
    return process.exitcode
