"""A desk on loopback for the benchmarks: Dovecot, Exim, a store, the training mails, and a count of CPU.

What is counted is the CPU of our own processes (this one and those that it started and that still run), never that of
the servers. Why CPU: the machine that measures has other work too, and wall time would tell of that work.

Rule: what is compared runs in one run, by turns, so that a machine that drifts drifts for both.
"""

import io
import json
import os
import shutil
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing import active_children
from pathlib import Path
from typing import TextIO, cast

from imapclient import IMAPClient
from tests.servers import MailServers

from mailflow import bootstrap, logs
from mailflow.adapters.examples import read_examples, to_bytes
from mailflow.core.classification import Classification, ClassifierInput
from mailflow.core.message import Envelope, MailRef, OutboundMessage, RawMessage
from mailflow.core.octets import Octets
from mailflow.core.partner import PartnerDirectory
from mailflow.core.playbook import Rollout
from mailflow.core.ports import Acceptance, Batch, Classifier, Cursor, Disposition, Source, Submission, Survey
from mailflow.core.storage import Read, Store, Understood
from mailflow.settings import DeskSettings, ImapSettings, Settings, SmtpSettings, StoreSettings

DESK = "support@helpdesk.example"
PARTNER = "partner@partner.example"
RESULTS = Path(__file__).parent / "results"
_BUDGET = 1_000_000_000
"""Answers to one address, domain, or in one hour. Why so many: in a benchmark all mails come in one minute."""


# --- counting ---------------------------------------------------------------------------------------------------------


def cpu() -> float:
    """Seconds of CPU of this process and of the children that run now."""
    return time.process_time() + children_cpu()


def children_cpu() -> float:
    return sum(cpu_of(child.pid) for child in active_children() if child.pid)


def cpu_of(pid: int) -> float:
    """Of another process. Linux has the number of its clock in the upper bits (clock_getcpuclockid(3))."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:  # it has ended
        return 0.0


class Meter:
    """CPU by name of what was done; what is done inside something else counts for the inner one alone.

    Each thread has a clock of its own. Only `read` waits for a child, whose clock is added there.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._mine = threading.local()

    @contextmanager
    def measuring(self, name: str, child: Callable[[], float] = lambda: 0.0) -> Iterator[None]:
        inside: list[str] = self._mine.__dict__.setdefault("inside", [])
        before = child()
        self._switch(inside)
        inside.append(name)
        try:
            yield
        finally:
            self._switch(inside)
            inside.pop()
            self._add(name, child() - before)

    def _switch(self, inside: Sequence[str]) -> None:
        now = time.thread_time()
        if inside:
            self._add(inside[-1], now - self._mine.since)
        self._mine.since = now

    def _add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median, and from where to where."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def keep(name: str, result: object) -> None:
    """Write down what was found, for plots.py."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


# --- the mails --------------------------------------------------------------------------------------------------------


def training_mails(count: int) -> list[bytes]:
    """`count` different mails, from all intents, as they arrive now; the mails are gone through again if need be."""
    examples = read_examples(bootstrap.find_assets(Settings()).classifiers / "examples").examples
    step = max(1, len(examples) // count)
    chosen = examples[::step][:count]
    date = datetime.now(UTC).strftime("Date: %a, %d %b %Y %H:%M:%S +0000\n").encode()
    bare = [date + to_bytes(one) for one in chosen]
    wire = [one.replace(b"\n", b"\r\n") for one in bare]
    return wire[:count] + [renumbered(wire[n % len(wire)], n // len(wire)) for n in range(len(wire), count)]


def renumbered(mail: bytes, turn: int) -> bytes:
    """`mail` as one that was not there before: with a Message-ID of its own."""
    return mail.replace(b"\r\nMessage-ID: <", b"\r\nMessage-ID: <%d." % turn, 1)


# --- the desk ---------------------------------------------------------------------------------------------------------


def desk_assets(folder: Path) -> Path:
    """A copy of templates and playbook in `folder`, with send budgets that are never used up; the model is linked."""
    found = bootstrap.find_assets(Settings())
    shutil.copytree(found.templates, folder / "templates")
    shutil.copytree(found.classifiers / "intents", folder / "classifiers" / "intents")
    for one in found.classifiers.iterdir():
        if one.name != "intents":
            (folder / "classifiers" / one.name).symlink_to(one)
    defaults = folder / "classifiers" / "intents" / "_defaults.yaml"
    head, _, budget = defaults.read_text(encoding="utf-8").partition("send_budget:\n")
    lines = [f"{line.split(':')[0]}: {_BUDGET}" if ":" in line else line for line in budget.split("\n")]
    defaults.write_text(f"{head}send_budget:\n" + "\n".join(lines), encoding="utf-8")
    return folder


def desk_settings(servers: MailServers | None, assets: Path, url: str, mailbox: str = "INBOX") -> Settings:
    """A live desk; without `servers` its source and submission must be given."""
    store = StoreSettings(url=url)
    desk = DeskSettings.model_validate(
        {
            "assets": assets,
            "rollout": Rollout.LIVE,
            "addresses": (DESK, "partnersupport@gitlab.com"),
            "own_domains": ("gitlab.com", "helpdesk.example"),
            "undo_seconds": 0,
        }
    )
    if servers is None:
        return Settings(store=store, desk=desk, smtp=SmtpSettings(max_per_minute=_BUDGET))
    login = {"host": servers.host, "ca_file": Path(servers.ca_file), "username": DESK, "password": servers.users[DESK]}
    return Settings(
        store=store,
        desk=desk,
        imap=ImapSettings.model_validate({**login, "port": servers.imaps_port, "mailbox": mailbox}),
        smtp=SmtpSettings.model_validate(
            {**login, "port": servers.submission_port, "security": "starttls", "max_per_minute": _BUDGET}
        ),
    )


class _Nowhere(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)


def log_nowhere() -> None:
    """What a running desk logs is made, and thrown away."""
    log = Settings().log
    logs.configure(log.format, log.level, b"of a benchmark", cast(TextIO, _Nowhere()))


def require_done(store: Store) -> None:
    """Ends the program where a mail was not dealt with: the figures would be of something else."""
    with store.view() as unit:
        counts = unit.counts()
    if counts.pending or counts.quarantined:
        raise SystemExit(f"not all mails were dealt with: {counts}")


def environment(settings: Settings) -> dict[str, str]:
    """`settings` for a process of its own: the variables that say the same."""
    said = {}
    for section, values in settings.model_dump(mode="json", exclude_unset=True).items():
        for key, value in values.items():
            text = value if isinstance(value, str) else json.dumps(value)
            said[f"MAILFLOW_{section}__{key}".upper()] = text
    for section in ("imap", "smtp"):  # secrets do not print
        said[f"MAILFLOW_{section}__password".upper()] = getattr(settings, section).secret()
    return os.environ | said


@dataclass(slots=True)
class Mailboxes:
    """Fills folders of the desk's account. The mails are uploaded once; a folder is filled by a copy on the server."""

    client: IMAPClient
    count: int = 0

    @classmethod
    def open(cls, servers: MailServers, mails: Sequence[bytes]) -> "Mailboxes":
        client = IMAPClient(servers.host, servers.imap_port, ssl=False, timeout=120)
        client.login(DESK, servers.users[DESK])
        client.create_folder("Master")
        for mail in mails:
            client.append("Master", mail)
        client.select_folder("Master")
        return cls(client)

    def filled(self) -> str:
        """The name of a new folder that holds all mails."""
        name = self.empty()
        self.client.copy("1:*", name)
        return name

    def empty(self) -> str:
        self.count += 1
        name = f"Round{self.count}"
        self.client.create_folder(name)
        return name

    def add(self, number: int, folder: str) -> None:
        """The mail of this number, from 0, arrives in `folder`."""
        self.client.copy(str(number + 1), folder)


@dataclass(slots=True)
class ListSource:
    """Mails in a list, handed out in batches, where no mail server is wanted."""

    mails: Sequence[bytes]
    account: str = "bench"
    mailbox: str = "INBOX"
    batch: int = 50

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        for start in range(cursor.last_uid if cursor else 0, len(self.mails), self.batch):
            part = self.mails[start : start + self.batch]
            raw = (
                RawMessage(MailRef(self.account, self.mailbox, 1, start + n), one)
                for n, one in enumerate(part, start=1)
            )
            yield Batch(tuple(raw), Cursor(1, start + len(part)))

    def survey(self) -> None: ...
    def fetch_only(self, uids: Sequence[int]) -> Iterator[Batch]:
        return iter(())

    def find_sent(self, message_ids: Sequence[str]) -> frozenset[str]:
        return frozenset()

    def acknowledge(self, refs: Sequence[MailRef], disposition: Disposition) -> None: ...
    def wait(self, timeout: timedelta) -> bool:
        return False

    def interrupt(self) -> None: ...
    def close(self) -> None: ...


# --- parts of the worker, measured ------------------------------------------------------------------------------------


class MeteredSource:
    """A source whose calls are measured. It stays connected, as it does in a running desk, until `end`.

    A wait ends when `bell` rings, in place of IDLE: so no mail waits for the server's half second.
    """

    def __init__(self, inner: Source, meter: Meter) -> None:
        self.inner, self.meter = inner, meter
        self.account, self.mailbox = inner.account, inner.mailbox
        self.bell = threading.Event()
        self.settled = threading.Event()
        """Set when a mail was moved on the server."""

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        batches = iter(self.inner.fetch(cursor))
        while True:
            with self.meter.measuring("fetch"):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def acknowledge(self, refs: Sequence[MailRef], disposition: Disposition) -> None:
        with self.meter.measuring("move"):
            self.inner.acknowledge(refs, disposition)
        self.settled.set()

    def survey(self) -> Survey | None:
        return self.inner.survey()

    def fetch_only(self, uids: Sequence[int]) -> Iterator[Batch]:
        return self.inner.fetch_only(uids)

    def find_sent(self, message_ids: Sequence[str]) -> frozenset[str]:
        return self.inner.find_sent(message_ids)

    def wait(self, timeout: timedelta) -> bool:
        rung = self.bell.wait(timeout.total_seconds())
        self.bell.clear()
        return rung

    def interrupt(self) -> None:
        self.bell.set()

    def close(self) -> None: ...

    def end(self) -> None:
        self.inner.close()


@dataclass(slots=True)
class MeteredSubmission:
    """Hands each answer to the real server, for a mailbox that this server has; connected until `end`."""

    inner: Submission
    meter: Meter
    sent: int = 0

    def submit(self, message: OutboundMessage) -> Acceptance:
        with self.meter.measuring("SMTP"):
            accepted = self.inner.submit(replace(message, envelope=Envelope(DESK, PARTNER)))
        self.sent += 1
        return accepted

    def close(self) -> None: ...

    def end(self) -> None:
        self.inner.close()


@dataclass(frozen=True, slots=True)
class MeteredClassifier:
    inner: Classifier
    meter: Meter

    @property
    def version(self) -> str:
        return self.inner.version

    @property
    def labels(self) -> tuple[str, ...]:
        return self.inner.labels

    def classify(self, mails: Sequence[ClassifierInput]) -> list[Classification]:
        with self.meter.measuring("classify"):
            return self.inner.classify(mails)


@dataclass(frozen=True, slots=True)
class MeteredRead:
    inner: Read
    meter: Meter

    def __call__(self, content: Octets, size: int | None, partners: PartnerDirectory) -> Understood:
        with self.meter.measuring("read", children_cpu):
            return self.inner(content, size, partners)


def removed(path: Path) -> None:
    """Without the SQLite store and what lies beside it."""
    for one in path.parent.glob(path.name + "*"):
        one.unlink()
