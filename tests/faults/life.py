"""One life of a worker on the bench: everything in it is that of `mailflow run`, and it may die at a named moment.

Why the moments are not in production code: a crash point there is code that nobody wants to run, an `if` on the way of
every mail that some environment variable could make true. Here they are wrappers around what a worker is given anyway
(store, source, submission, calls to other machines), and a relay in front of the mail server for those inside the
dialogue. So what runs is what ships, to the octet; there is nothing to be inert; and a moment can lie where no line of
ours stands: between the dot and its reply.
Why the clock is a file: the bench lets the time of all workers jump at once.
"""

import ctypes
import mmap
import os
import signal
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn, cast

from sqlalchemy import Connection, Engine, event

from mailflow import bootstrap
from mailflow.adapters.imap import ImapAccount, ImapSource
from mailflow.adapters.jobs import Jobs
from mailflow.adapters.smtp import SmtpAccount, SmtpSubmission
from mailflow.adapters.sql.session import Call
from mailflow.adapters.store import Announce, SqlStore, SqlUnit, open_engine
from mailflow.core.classification import Classification, ClassifierInput
from mailflow.core.fleet import ALL_ROLES, Role
from mailflow.core.message import MailRef, OutboundMessage
from mailflow.core.ports import Acceptance, Batch, Cursor, Disposition, Source, Submission, Survey
from mailflow.errors import MailflowError
from mailflow.reading.understand import reader
from mailflow.settings import read_settings
from mailflow.testing import FixedClassifier, classification

CANNOT_BEGIN = 75
"""Exit code of a worker whose store was out of reach when it began."""
NETWORK_SECONDS = 4.0
"""Without a byte, after which a server counts as gone. Why so short: production waits a minute, the bench would too."""
_NEW_NETWORK = 0x40000000
"""CLONE_NEWNET of sched.h."""
_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of sys/prctl.h. Why: a bench that is cut off must leave no worker behind."""
_LIBC = ctypes.CDLL(None, use_errno=True)


class Moment(StrEnum):
    """Where a worker dies, in the order in which a mail comes there."""

    JOINED = "on the roll, nothing begun"
    FETCHED = "fetched, not recorded"
    RECORDING = "recorded, not committed"
    ANNOUNCED = "jobs deferred, not committed"
    RECORDED = "recorded, not claimed"
    CLAIMING = "claimed, claim not committed"
    CLAIMED = "claimed, not decided"
    DECIDING = "decided, not committed"
    DECIDED = "decided, neither moved nor sent"
    MOVED = "moved on the server, not marked"
    MARKED = "marked as moved"
    TAKING = "answer claimed, claim not committed"
    SENDING = "answer claimed, not submitted"
    ENVELOPE = "envelope taken by the server, DATA not begun"
    IN_DATA = "half of the content sent"
    ACCEPTING = "accepted by the server, its reply not read"
    ACCEPTED = "accepted by the server, not recorded"
    FINISHING = "recorded as sent, not committed"
    SENT = "recorded as sent"
    ANY = "at any time"


ONLY_POSTGRES = frozenset({Moment.ANNOUNCED})

_INSIDE = {
    "record": Moment.RECORDING,
    "claim_inbound": Moment.CLAIMING,
    "save": Moment.DECIDING,
    "claim_outbox": Moment.TAKING,
    "finish_outbox": Moment.FINISHING,
}
"""The call of a unit after which the moment is there, its transaction still open."""
_COMMITTED = {
    "beat": Moment.JOINED,
    "record": Moment.RECORDED,
    "claim_inbound": Moment.CLAIMED,
    "save": Moment.DECIDED,
    "mark_acknowledged": Moment.MARKED,
    "claim_outbox": Moment.SENDING,
    "finish_outbox": Moment.SENT,
}
"""The call of a unit whose commit brings the moment about."""
_RETURN_NOTHING = frozenset({"save", "mark_acknowledged", "beat"})

Reached = Callable[[Moment], None]


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Life:
    """All that a worker process is told."""

    config: Path
    mailbox: str
    store_url: str
    imap: Address
    smtp: Address
    clock: Path
    log: Path
    """Gets what it prints."""
    ailment: Path
    """A file whose text is the pragma that SQLite begins each transaction with, '' for none."""
    moment: Moment | None = None
    """None: it lives until it is told to stop."""
    times: int = 1
    """It dies when it comes to `moment` for the so many-th time."""
    roles: frozenset[Role] = ALL_ROLES
    network: str = ""
    """Path of a network namespace to live in, '' for ours."""


class JumpClock:
    """The time of day and what the bench adds to it."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(struct.pack("d", 0.0))
        with path.open("r+b") as file:
            self._seconds = mmap.mmap(file.fileno(), 8)

    @property
    def ahead(self) -> float:
        """Seconds before the true time."""
        seconds: float = struct.unpack("d", self._seconds[:8])[0]
        return seconds

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def jump(self, by: timedelta) -> None:
        self._seconds[:8] = struct.pack("d", self.ahead + by.total_seconds())


def says() -> FixedClassifier:
    """Every mail asks for an NFR license, unless it says thanks or is a riddle."""
    nfr = classification(("nfr_request", 0.99), reply=0.98, review=0.01, none=0.01)
    thanks = classification(("no_request", 0.99), reply=0.01, none=0.98)
    riddle = classification(abstained="unlike any mail it knows")

    def of(mail: ClassifierInput) -> Classification:
        text = mail.content.lower()
        return thanks if "thank" in text else riddle if "riddle" in text else nfr

    return FixedClassifier(nfr, of)


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("survived SIGKILL")


class Countdown:
    """Dies at the so many-th coming of one moment; threads may come to it together."""

    def __init__(self, moment: Moment | None, times: int) -> None:
        self._moment, self._left, self._lock = moment, times, threading.Lock()

    def __call__(self, moment: Moment) -> None:
        if moment is self._moment:
            with self._lock:
                self._left -= 1
                if self._left == 0:
                    die()


class WatchedUnit:
    """A unit that notes which of its calls did something."""

    def __init__(self, unit: SqlUnit, done: set[str], reached: Reached) -> None:
        self._unit, self._done, self._reached = unit, done, reached

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._unit, name)
        if name not in _INSIDE and name not in _COMMITTED:
            return attribute

        def call(*values: Any, **named: Any) -> Any:
            result = attribute(*values, **named)
            if result or name in _RETURN_NOTHING:
                self._done.add(name)
                if name in _INSIDE:
                    self._reached(_INSIDE[name])
            return result

        return call


class WatchedStore(SqlStore):
    def __init__(self, engine: Engine, announce: Announce | None, reached: Reached) -> None:
        super().__init__(engine, announce)
        self._reached = reached

    @contextmanager
    def unit(self) -> Iterator[SqlUnit]:
        done: set[str] = set()
        with super().unit() as unit:
            yield cast(SqlUnit, WatchedUnit(unit, done, self._reached))
        for name in done & _COMMITTED.keys():
            self._reached(_COMMITTED[name])


def watched_jobs(reached: Reached) -> Announce:
    jobs = Jobs()

    def announce(connection: Connection, calls: Set[Call]) -> None:
        jobs(connection, calls)
        reached(Moment.ANNOUNCED)

    return announce


class WatchedSource:
    def __init__(self, source: Source, reached: Reached) -> None:
        self.account, self.mailbox = source.account, source.mailbox
        self._source, self._reached = source, reached

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        for batch in self._source.fetch(cursor):
            if batch.messages:
                self._reached(Moment.FETCHED)
            yield batch

    def acknowledge(self, refs: Sequence[MailRef], disposition: Disposition) -> None:
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


def open_ailing_engine(url: str, ailment: Path) -> Engine:
    """The store's engine. SQLite on it may fall ill: the pragma in `ailment` holds from the next transaction on."""
    engine = open_engine(url)
    if engine.dialect.name == "sqlite":

        def fall_ill(connection: Connection) -> None:
            for pragma in ailment.read_text(encoding="ascii").split(";"):
                if pragma:
                    connection.exec_driver_sql(pragma)

        event.listen(engine, "begin", fall_ill)
    return engine


def live(life: Life) -> None:
    """The whole of a worker process. Like `mailflow run` it ends at once where it cannot begin; it is begun again."""
    try:
        _live(life)
    except MailflowError as error:
        sys.stdout.write(f"cannot begin: {error}\n")
        sys.exit(CANNOT_BEGIN)


def _live(life: Life) -> None:
    with life.log.open("ab", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    _LIBC.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if life.network:
        _enter(life.network)
    sys.stdout.write(f"# {os.getpid()} lives until: {life.moment}, {life.times}\n")
    sys.stdout.flush()
    reached = Countdown(life.moment, life.times)
    settings = read_settings(life.config)
    is_postgres = life.store_url.startswith("postgresql")
    engine = open_ailing_engine(life.store_url, life.ailment)
    account = ImapAccount(
        life.imap.host,
        life.imap.port,
        "none",
        settings.imap.username,
        settings.imap.secret(),
        mailbox=life.mailbox,
        processed=f"{life.mailbox}-Processed",
        failed=f"{life.mailbox}-Failed",
        timeout=NETWORK_SECONDS,
        idle_timeout=timedelta(seconds=NETWORK_SECONDS),
    )
    submission = SmtpSubmission(
        SmtpAccount(
            life.smtp.host,
            life.smtp.port,
            "none",
            settings.smtp.username,
            settings.smtp.secret(),
            local_hostname=f"{name_in_dialogue(life.moment, life.times, os.getpid())}.helpdesk.example",
            timeout=NETWORK_SECONDS,
            data_timeout=NETWORK_SECONDS,
        )
    )
    worker = bootstrap.build_worker(
        settings,
        store=WatchedStore(engine, watched_jobs(reached) if is_postgres else None, reached),
        source=WatchedSource(ImapSource(account), reached),
        submission=WatchedSubmission(submission, reached),
        classifier=says(),
        read=reader(bootstrap.build_desk(settings)),
        clock=JumpClock(life.clock),
        roles=life.roles,
    )
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.run()


def name_in_dialogue(moment: Moment | None, times: int, pid: int) -> str:
    """How a worker names itself in EHLO, so that the relay knows whom to kill when."""
    return f"{moment.name.replace('_', '-').lower() if moment else 'well'}-{times}-{pid}"


def _enter(network: str) -> None:
    """Let this thread, and those it begins, live in another network namespace."""
    with Path(network).open("rb") as namespace:
        if _LIBC.setns(namespace.fileno(), _NEW_NETWORK) != 0:
            sys.exit(f"cannot enter {network}: {os.strerror(ctypes.get_errno())}")
