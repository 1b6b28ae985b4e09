"""The fault bench: workers that are killed, on servers that fail, and a check of everything after each fault.

One round: mails come in all the time; workers die at their moments and others begin; a fault is made and healed;
then workers live undisturbed until nothing is due, and the invariants are asked.
The workers are real processes on real servers; only the model is a fixed one.
"""

import hashlib
import multiprocessing
import os
import random
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError
from sqlalchemy import Connection, func, select, text
from tests.e2e.mailboxes import DESK, PARTNER
from tests.faults.invariants import (
    SAFE,
    AnswerFact,
    Delivered,
    Facts,
    InboundFact,
    Receipt,
    Wish,
    broken,
)
from tests.faults.life import CANNOT_BEGIN, ONLY_POSTGRES, Address, JumpClock, Life, Moment, live
from tests.faults.wires import LOOPBACK, SmtpWire, Wire
from tests.faults.world import FAR_HOST, World, until, write_assets, write_config
from tests.servers import MailServers

from mailflow.adapters import jobs, schema
from mailflow.adapters.sql.session import CURSOR, DECISION, INBOUND, MESSAGE, OUTBOX, WORKER
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.core.delivery import FINAL_INBOUND, InboundState, OutboxState
from mailflow.core.fleet import ALL_ROLES, Role

PATIENCE = 120.0
"""Seconds after which a desk that does not come to rest is stuck."""
_STOP_SECONDS = 30.0
_LONGEST_LIFE = 12.0
"""Seconds after which a worker that did not come to its moment is killed where it stands."""
_STEP = timedelta(seconds=61)
"""How far time is moved on at least: beyond what a worker does once a minute."""


class Kind(StrEnum):
    SQLITE = "SQLite"
    POSTGRES = "PostgreSQL"


WORKERS = {Kind.SQLITE: 1, Kind.POSTGRES: 3}
_ROLES = (ALL_ROLES, ALL_ROLES, frozenset({Role.PROCESS, Role.SEND}))


class Area(StrEnum):
    """What fails."""

    IMAP = "the IMAP server"
    SMTP = "the mail server"
    REFUSALS = "the mail server, which refuses for now"
    NETWORK = "the network"
    STORE = "the store"
    CLOCK = "the clock"
    MAILBOX = "the mailbox, changed by somebody"
    WORKERS = "the workers among each other"


class Stuck(AssertionError):
    """The desk does not come to rest, or a worker fell over by itself."""


@dataclass(slots=True)
class Wires:
    """The network between some workers and the servers."""

    imap: Wire
    smtp: SmtpWire
    database: Wire | None

    @property
    def all(self) -> list[Wire]:
        return [self.imap, self.smtp, *([self.database] if self.database else [])]


@dataclass(slots=True)
class Slot:
    """Where one worker lives after the other."""

    number: int
    wires: Wires
    roles: frozenset[Role] = ALL_ROLES
    network: str = ""
    process: ForkServerProcess | None = None
    moment: Moment | None = None
    dies_at: float = 0.0
    """By the monotonic clock, if it did not come to its moment."""

    @property
    def pid(self) -> int:
        return (self.process.pid or 0) if self.process else 0


class Mailbox:
    """A mail program of the bench, on a direct connection that is made anew when it was lost."""

    def __init__(self, servers: MailServers, user: str) -> None:
        self._servers, self._user = servers, user
        self._client: IMAPClient | None = None
        self._seen: dict[str, int] = {}

    @contextmanager
    def connected(self) -> Iterator[IMAPClient]:
        try:
            if self._client is not None and not _answers(self._client):
                self._let_go()
            if self._client is None:
                self._client = IMAPClient(self._servers.host, self._servers.imap_port, ssl=False, timeout=20)
                self._client.login(self._user, self._servers.users[self._user])
            yield self._client
        except (IMAPClientError, OSError):
            self._let_go()
            raise

    def _let_go(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(OSError):
                client.shutdown()

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(IMAPClientError, OSError):
                client.logout()

    def make(self, *folders: str) -> None:
        with self.connected() as client:
            for folder in folders:
                if not client.folder_exists(folder):
                    client.create_folder(folder)

    def put(self, folder: str, content: bytes) -> tuple[int, int]:
        """(UIDVALIDITY, UID) of the new copy."""
        with self.connected() as client:
            said = client.append(folder, content)
        found = re.search(rb"APPENDUID (\d+) (\d+)", said)
        assert found is not None, said
        return int(found[1]), int(found[2])

    def uids(self, folder: str) -> list[int]:
        with self.connected() as client:
            client.select_folder(folder)
            return sorted(client.search(["ALL"]))

    def headers(self, folder: str, *, only_new: bool = False) -> tuple[int, dict[int, str]]:
        """UIDVALIDITY, and UID -> header of what lies in `folder`; `only_new`: of what the last call did not show."""
        with self.connected() as client:
            validity = int(client.select_folder(folder)[b"UIDVALIDITY"])
            after = self._seen.get(folder, 0) if only_new else 0
            uids = [uid for uid in client.search(["UID", f"{after + 1}:*"]) if uid > after]
            items = client.fetch(uids, ["BODY.PEEK[HEADER]"]) if uids else {}
        if uids and only_new:
            self._seen[folder] = max(uids)
        return validity, {uid: item[b"BODY[HEADER]"].decode("utf-8", "replace") for uid, item in items.items()}


@dataclass(slots=True)
class Counts:
    """What the bench has done so far."""

    kills: Counter[Moment] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    checks: int = 0


class Bench:
    """One desk under test: a mailbox of its own, a store of one kind, workers in slots."""

    def __init__(self, world: World, kind: Kind, folder: Path, *, seed: int, undo_seconds: int = 0) -> None:
        self.world, self.kind, self.folder = world, kind, folder
        self.random = random.Random(f"{seed} {kind}")
        self.counts = Counts()
        folder.mkdir(parents=True, exist_ok=True)
        self.mailbox = f"Desk{kind}"
        self.database = f"faults_{kind.lower()}_{os.getpid()}_{self.random.randrange(1 << 30)}"
        self.store_url = self._make_store()
        self.ailment = folder / "ailment"
        self.ailment.write_text("", encoding="ascii")
        (folder / "assets").exists() or write_assets(folder / "assets")
        self.config = write_config(folder, world.mail.servers, self.store_url, undo_seconds)
        self.clock = JumpClock(folder / "clock")
        self.desk, self.partner = Mailbox(world.mail.servers, DESK), Mailbox(world.mail.servers, PARTNER)
        self.desk.make(self.mailbox, f"{self.mailbox}-Processed", f"{self.mailbox}-Failed")
        self._delivered: dict[str, Delivered] = {}
        self._contents: dict[str, bytes] = {}
        self._receipts: list[Receipt] = []
        self._put_away: Counter[str] = Counter()
        self._accepted: Counter[str] = Counter()
        self._log_read = (
            (world.mail.servers.root / "log" / "exim-main").stat().st_size if self._exim_log.exists() else 0
        )
        self.excused: dict[int, str] = {}
        self._stack = ExitStack()
        self.slots = self._make_slots()
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(
            ["tests.faults.life", "mailflow.adapters.schema", "mailflow.adapters.jobs"]
        )

    # ------------------------------------------------------------------ making

    @property
    def _exim_log(self) -> Path:
        return self.world.mail.servers.root / "log" / "exim-main"

    def _make_store(self) -> str:
        if self.kind is Kind.SQLITE:
            url = f"sqlite:///{self.world.disk.folder / self.database}.sqlite3"
        else:
            assert self.world.postgres is not None
            url = self.world.postgres.new_database(self.database)
        self.engine = open_engine(url)
        schema.upgrade(self.engine)
        if self.kind is Kind.POSTGRES:
            jobs.upgrade(self.engine)
        return url

    def _make_slots(self) -> list[Slot]:
        near = self._make_wires(LOOPBACK)
        slots = [Slot(number, near, _ROLES[number]) for number in range(WORKERS[self.kind])]
        if self.kind is Kind.POSTGRES:
            network = self.world.network
            slots[-1] = Slot(len(slots) - 1, self._make_wires(FAR_HOST if network else LOOPBACK), _ROLES[-1], network)
        return slots

    def _make_wires(self, host: str) -> Wires:
        servers, postgres = self.world.mail.servers, self.world.postgres
        imap = self._stack.enter_context(Wire(Address(LOOPBACK, servers.imap_port), host))
        smtp = self._stack.enter_context(SmtpWire(Address(LOOPBACK, servers.submission_port), host))
        database = None
        if self.kind is Kind.POSTGRES and postgres is not None:
            database = self._stack.enter_context(Wire(postgres.address, host))
        return Wires(imap, smtp, database)

    @property
    def wires(self) -> list[Wires]:
        return list({id(slot.wires): slot.wires for slot in self.slots}.values())

    @property
    def far(self) -> Slot:
        """The worker on the other machine."""
        return self.slots[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        for slot in self.slots:
            if slot.process is not None:
                slot.process.kill()
                slot.process.join()
        self.desk.close()
        self.partner.close()
        self._stack.close()
        self.engine.dispose()

    # ------------------------------------------------------------------ workers

    def start(self, slot: Slot, moment: Moment | None = None) -> None:
        wires = slot.wires
        url = self.store_url
        if wires.database is not None:
            database = self.engine.url.set(host=wires.database.address.host, port=wires.database.address.port)
            url = database.render_as_string(hide_password=False)
        life = Life(
            config=self.config,
            mailbox=self.mailbox,
            store_url=url,
            imap=wires.imap.address,
            smtp=wires.smtp.address,
            clock=self.folder / "clock",
            log=self.folder / f"worker-{slot.number}.log",
            ailment=self.ailment,
            moment=moment,
            times=self.random.choice((1, 1, 2, 3)) if moment not in (Moment.JOINED, None) else 1,
            roles=slot.roles,
            network=slot.network,
        )
        slot.moment = moment
        slot.dies_at = monotonic() + (self.random.uniform(0.3, 2.5) if moment is Moment.ANY else _LONGEST_LIFE)
        slot.process = self._context.Process(target=live, args=(life,), daemon=True)
        slot.process.start()

    def _moments(self, slot: Slot) -> list[Moment]:
        """Those that a worker of this slot comes to."""
        left_out = set() if self.kind is Kind.POSTGRES else set(ONLY_POSTGRES)
        if Role.FETCH not in slot.roles:
            left_out |= {Moment.FETCHED, Moment.RECORDING, Moment.RECORDED, Moment.MOVED, Moment.MARKED}
        return [moment for moment in Moment if moment not in left_out | {Moment.ANY}]

    def arm(self) -> None:
        """See that each slot has a worker that is to die, at a moment that few have died at so far."""
        for slot in self.slots:
            if slot.process is not None and slot.moment is None:
                slot.moment, slot.dies_at = Moment.ANY, monotonic() + self.random.uniform(0.0, 0.5)
            if slot.process is None:
                moments = self._moments(slot)
                rarest = min(self.counts.kills[one] for one in moments)
                rare = [one for one in moments if self.counts.kills[one] <= rarest + 2]
                self.start(slot, self.random.choice(rare))

    def bury_the_killed(self, seconds: float) -> int:
        """Wait so long at most for deaths, and note them. Returns how many died at a moment with a name."""
        now = monotonic()
        due = [slot for slot in self.slots if slot.process is not None and slot.moment is not None]
        for slot in due:
            if slot.dies_at <= now and slot.process is not None:
                slot.moment = Moment.ANY
                slot.process.kill()
        seconds = min([seconds, *(max(slot.dies_at - now, 0.0) for slot in due if slot.dies_at > now)])
        running = [slot for slot in self.slots if slot.process is not None]
        ended = set(wait([slot.process.sentinel for slot in running if slot.process is not None], seconds))
        killed = 0
        for slot in running:
            process = slot.process
            if process is None or process.sentinel not in ended:
                continue
            process.join()
            slot.process = None
            if process.exitcode == CANNOT_BEGIN:
                continue
            if process.exitcode != -signal.SIGKILL or slot.moment is None:
                raise Stuck(f"a worker ended by itself, exit code {process.exitcode}: {self._last_words(slot)}")
            self.excused[process.pid or 0] = f"killed: {slot.moment.value}"
            self.counts.kills[slot.moment] += 1
            killed += slot.moment is not Moment.ANY
        return killed

    def _last_words(self, slot: Slot) -> str:
        log = self.folder / f"worker-{slot.number}.log"
        return log.read_text(encoding="utf-8", errors="replace")[-3000:] if log.exists() else ""

    def kill(self, number: int) -> None:
        """Let mails come in and workers die at their moments until `number` did."""
        while number > 0:
            self.arm()
            self.feed(2)
            fed = monotonic()
            while number > 0 and monotonic() - fed < 0.7:
                number -= self.bury_the_killed(0.35)
                self.arm()

    def live_undisturbed(self) -> None:
        """Nobody dies from here on. Who is to die yet has a second to come to its moment."""
        end = monotonic() + 1.0
        while monotonic() < end and any(slot.process is not None and slot.moment is not None for slot in self.slots):
            self.bury_the_killed(0.3)
        for slot in self.slots:
            if slot.process is not None and slot.moment is not None:
                slot.moment = Moment.ANY
                slot.process.kill()
        while any(slot.moment is not None and slot.process is not None for slot in self.slots):
            self.bury_the_killed(5.0)
        self.start_all()

    def start_all(self) -> None:
        for slot in self.slots:
            if slot.process is None:
                self.start(slot)

    def stop_all(self) -> None:
        """As an operator stops them: SIGTERM, and they end what they are at."""
        for slot in self.slots:
            if slot.process is not None:
                slot.process.terminate()
        for slot in self.slots:
            if slot.process is not None:
                slot.process.join(_STOP_SECONDS)
                if slot.process.exitcode not in (0, CANNOT_BEGIN, -signal.SIGTERM):  # the last: before it listened
                    raise Stuck(f"a stop did not end well ({slot.process.exitcode}): {self._last_words(slot)}")
                slot.process = None

    # ------------------------------------------------------------------ mails

    def feed(self, number: int) -> None:
        """Put so many mails into the desk's mailbox; one in ten is one that was there already."""
        for _ in range(number):
            earlier = list(self._delivered)[-40:]
            if earlier and self.random.random() < 0.1:
                self._put(self.random.choice(earlier))
            else:
                wish = self.random.choices(list(Wish), (7, 2, 1))[0]
                self._put(self._write(wish))

    def _put(self, message_id: str) -> None:
        try:
            place = self.desk.put(self.mailbox, self._contents[message_id])
        except (IMAPClientError, OSError):
            self._may_be_missed(message_id)  # the mail server is down: perhaps it has it, perhaps not
            return
        mail = self._delivered[message_id]
        self._delivered[message_id] = replace(mail, places=(*mail.places, place))

    def _may_be_missed(self, message_id: str) -> None:
        mail = self._delivered[message_id]
        if not mail.places:
            self._delivered[message_id] = replace(mail, may_be_missed=True)

    def _write(self, wish: Wish) -> str:
        number = len(self._delivered) + 1
        message_id = f"{self.random.getrandbits(64):x}@partner.example"
        content = _mail(message_id, number, wish, self.clock.now())
        sha256 = hashlib.sha256(content).hexdigest()
        self._contents[message_id] = content
        self._delivered[message_id] = Delivered(message_id, sha256, wish, ())
        return message_id

    def somebody_deletes(self) -> None:
        """A person clears half of what lies in the mailbox."""
        with suppress(IMAPClientError, OSError):
            _, headers = self.desk.headers(self.mailbox)
            gone = self.random.sample(sorted(headers), (len(headers) + 1) // 2)
            for uid in gone:
                message_id = _field(headers[uid], "Message-ID")
                self._delivered[message_id] = replace(self._delivered[message_id], may_be_missed=True)
            if gone:
                with self.desk.connected() as client:
                    client.add_flags(gone, [b"\\Deleted"], silent=True)
                    client.uid_expunge(gone)

    def renumber(self) -> None:
        """The mailbox is made anew, and what lay in it put back: another UIDVALIDITY, other UIDs."""
        aside = f"{self.mailbox}-Aside"
        self.desk.make(aside)
        with self.desk.connected() as client:
            client.select_folder(self.mailbox)
            if uids := client.search(["ALL"]):
                client.move(uids, aside)
            client.unselect_folder()
            client.delete_folder(self.mailbox)
            client.create_folder(self.mailbox)
            client.select_folder(aside)
            if uids := client.search(["ALL"]):
                client.move(uids, self.mailbox)
            client.unselect_folder()

    # ------------------------------------------------------------------ rest

    def come_to_rest(self) -> None:
        """Wait until nothing is due any more; time is moved on where only time is missing. Raises Stuck."""
        self.live_undisturbed()
        deadline, moved_at = monotonic() + PATIENCE, monotonic()
        while True:
            self._watch_for_falls()
            pending = self._pending()
            if not pending.work and not self._mail_is_under_way():
                return
            if monotonic() > deadline:
                tails = "\n".join(self._last_words(slot)[-1500:] for slot in self.slots)
                raise Stuck(f"no rest after {PATIENCE:.0f} s: {pending}\n{tails}")
            waits_for_the_minute = self.kind is Kind.POSTGRES and self.clock.ahead > 1 and monotonic() - moved_at > 4
            if pending.next_due is not None or waits_for_the_minute:
                self._move_time_on(pending.next_due)
                moved_at = monotonic()
            else:
                until_soon()

    def _move_time_on(self, to: datetime | None) -> None:
        """Past `to`, and at least a minute: with a clock ahead of the database's own, jobs wait for the next call.

        Why with all workers stopped: who lives would be declared dead by a jump, and its answers doubted for nothing.
        """
        self.stop_all()
        wanted = to - self.clock.now() + timedelta(seconds=1) if to is not None else _STEP
        self.clock.jump(max(wanted, _STEP))
        self.start_all()

    def set_clock_right(self) -> None:
        """At rest: back to the true time, whatever has been added."""
        self.clock.jump(timedelta(seconds=-self.clock.ahead))

    def _watch_for_falls(self) -> None:
        for slot in self.slots:
            if slot.process is not None and slot.process.exitcode == CANNOT_BEGIN:
                slot.process = None
                self.start(slot)
            if slot.process is not None and slot.process.exitcode is not None:
                raise Stuck(f"a worker ended by itself, exit code {slot.process.exitcode}: {self._last_words(slot)}")

    def _pending(self) -> "Pending":
        with self.engine.connect() as db:
            mails = _states(db, INBOUND, INBOUND.c.state.not_in(FINAL_INBOUND))
            open_states = (OutboxState.QUEUED, OutboxState.SENDING)
            answers = _states(db, OUTBOX, OUTBOX.c.state.in_(open_states))
            unmoved = (
                db.scalar(select(func.count()).select_from(INBOUND).where(INBOUND.c.acknowledged_at.is_(None))) or 0
            )
            dues = [
                db.scalar(select(func.max(INBOUND.c.due_at)).where(INBOUND.c.state == InboundState.RECEIVED)),
                db.scalar(select(func.max(OUTBOX.c.due_at)).where(OUTBOX.c.state == OutboxState.QUEUED)),
                db.scalar(select(func.min(INBOUND.c.due_at)).where(INBOUND.c.state == InboundState.RECEIVED)),
                db.scalar(select(func.min(OUTBOX.c.due_at)).where(OUTBOX.c.state == OutboxState.QUEUED)),
            ]
            due_jobs = self._due_jobs(db)
        busy = mails[InboundState.PROCESSING] + answers[OutboxState.SENDING]
        latest, earliest = dues[:2], dues[2:]
        soon = self.clock.now() + timedelta(seconds=1.5)
        is_waiting = not busy and any(earliest) and all(due > soon for due in earliest if due is not None)
        in_mailbox = len(self.desk.uids(self.mailbox))
        return Pending(
            mails,
            answers,
            unmoved,
            in_mailbox,
            due_jobs,
            max(due for due in latest if due is not None) if is_waiting else None,
        )

    def _due_jobs(self, db: Connection) -> int:
        if self.kind is Kind.SQLITE:
            return 0
        return db.scalar(text(
            "SELECT count(*) FROM procrastinate_jobs "
            "WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at < now())"
        )) or 0  # fmt: skip

    def _stale_jobs(self, db: Connection) -> int:
        """Why 75: Procrastinate takes a worker for dead after 30 s, and workers look for that every 10 s."""
        if self.kind is Kind.SQLITE:
            return 0
        return db.scalar(text(
            "SELECT count(*) FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id "
            "WHERE j.status = 'doing' AND coalesce(w.last_heartbeat, '-infinity') < now() - interval '75 seconds' "
            "AND coalesce((SELECT max(at) FROM procrastinate_events e WHERE e.job_id = j.id), '-infinity') "
            "< now() - interval '75 seconds'"
        )) or 0  # fmt: skip

    def _mail_is_under_way(self) -> bool:
        return any((self.world.mail.servers.root / "spool" / "input").glob("**/*-H"))

    # ------------------------------------------------------------------ facts

    def facts(self) -> Facts:
        """Why in this order: what the store says must be known to the witnesses that are asked after it."""
        with self.engine.connect() as db:
            cursor = db.execute(select(CURSOR).where(CURSOR.c.mailbox == self.mailbox)).first()
            answers = [
                AnswerFact(
                    row.message_id, row.of, OutboxState(row.state), row.attempts, row.claimed_by, row.error
                )
                for row in db.execute(
                    select(
                        OUTBOX.c.message_id, OUTBOX.c.state, OUTBOX.c.attempts, OUTBOX.c.claimed_by, OUTBOX.c.error,
                        MESSAGE.c.message_id.label("of"),
                    ).join(DECISION, DECISION.c.id == OUTBOX.c.decision_id)
                    .join(MESSAGE, MESSAGE.c.id == DECISION.c.message_id)
                )
            ]  # fmt: skip
            inbound = [
                InboundFact(row.uid_validity, row.uid, row.sha256, InboundState(row.state), row.attempts, row.error)
                for row in db.execute(
                    select(
                        INBOUND.c.uid_validity, INBOUND.c.uid, INBOUND.c.sha256, INBOUND.c.state, INBOUND.c.attempts,
                        INBOUND.c.error,
                    )
                )
            ]  # fmt: skip
            messages = Counter(db.scalars(select(MESSAGE.c.message_id).where(MESSAGE.c.direction == "in")).all())
            roll = tuple(db.scalars(select(WORKER.c.pid)).all())
            due_jobs, stale_jobs = self._due_jobs(db), self._stale_jobs(db)
        self._read_mailboxes()
        self._read_exim_log()
        handovers = [one for wires in self.wires for one in wires.smtp.handovers]
        ours = {one.message_id for one in answers}
        return Facts(
            delivered=tuple(self._delivered.values()),
            inbound=tuple(inbound),
            messages=messages,
            answers=tuple(answers),
            cursor=(cursor.uid_validity, cursor.last_uid) if cursor else (0, 0),
            accepted=Counter({key: number for key, number in self._accepted.items() if key in ours}),
            received=tuple(one for one in self._receipts if one.in_reply_to in self._delivered),
            handovers=tuple(handovers),
            excused=dict(self.excused),
            in_mailbox=frozenset(self.desk.uids(self.mailbox)),
            put_away=Counter(self._put_away),
            due_jobs=due_jobs,
            stale_jobs=stale_jobs,
            roll=roll,
            alive=frozenset(slot.pid for slot in self.slots if slot.process is not None),
        )

    def _read_exim_log(self) -> None:
        """`<=` is a mail that Exim has taken; the line is written before the client hears of it."""
        if not self._exim_log.exists():
            return
        with self._exim_log.open("rb") as log:
            log.seek(self._log_read)
            lines, _, _ = log.read().rpartition(b"\n")
            self._log_read += len(lines) + 1 if lines else 0
        self._accepted.update(one.decode() for one in re.findall(rb"<= [^\n]* id=(\S+)", lines))

    def _read_mailboxes(self) -> None:
        for header in self.partner.headers("INBOX", only_new=True)[1].values():
            server_id = re.search(r"\(Exim [^)]*\).*?\bid (\S+?);?\s", header, re.S)
            self._receipts.append(
                Receipt(_field(header, "Message-ID"), _field(header, "In-Reply-To"), server_id[1] if server_id else "")
            )
        for folder in (f"{self.mailbox}-Processed", f"{self.mailbox}-Failed"):
            for header in self.desk.headers(folder, only_new=True)[1].values():
                self._put_away[_field(header, "Message-ID")] += 1

    def check_safety(self) -> None:
        """What holds at every moment. Raises Stuck."""
        self._complain(broken(self.facts(), SAFE))

    def check(self) -> Facts:
        """All that holds at rest. Raises Stuck."""
        # the store is at rest, the folders of the desk and the roll of its workers may be a blink behind
        facts = self.facts()
        deadline = monotonic() + 15.0
        while broken(facts) and monotonic() < deadline:
            until_soon()
            facts = self.facts()
        self._complain(broken(facts))
        self.counts.checks += 1
        return facts

    def _complain(self, sentences: Sequence[str]) -> None:
        if sentences:
            raise Stuck("\n".join(sentences[:20]))

    # ------------------------------------------------------------------ for faults

    def store(self) -> SqlStore:
        """The store as another worker would see it."""
        return SqlStore(self.engine, jobs.Jobs() if self.kind is Kind.POSTGRES else None)

    def excuse_all(self, why: str) -> None:
        """The workers that live now may be declared dead for a while."""
        for slot in self.slots:
            if slot.process is not None:
                self.excused.setdefault(slot.pid, why)

    def stand(self, seconds: float) -> None:
        """Let a fault last, while workers go on dying."""
        end = monotonic() + seconds
        while (left := end - monotonic()) > 0:
            self.bury_the_killed(min(left, 0.3))
            self.arm()

    def suffer(self, name: str, fault: "Fault") -> None:
        """One fault while mail comes in and workers die; healed in the end."""
        self.arm()
        self.feed(3)
        fault.inject(self)
        self.feed(2)
        self.stand(fault.seconds)
        fault.heal(self)
        self.counts.faults[name] += 1

    def round(self, faults: "Mapping[str, Fault]", kills: int) -> Facts:
        """Kills, then faults with more of them, then rest and the check of everything."""
        self.kill(kills)
        self.check_safety()
        for name, fault in faults.items():
            self.suffer(name, fault)
        self.come_to_rest()
        facts = self.check()
        self.set_clock_right()
        return facts


@dataclass(frozen=True, slots=True)
class Pending:
    mails: Counter[str]
    answers: Counter[str]
    unmoved: int
    in_mailbox: int
    due_jobs: int
    next_due: datetime | None
    """When the last of what waits is due, if nothing but time is missing."""

    @property
    def work(self) -> int:
        return self.mails.total() + self.answers.total() + self.unmoved + self.in_mailbox + self.due_jobs


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong for a while."""

    area: "Area"
    inject: "Callable[[Bench], None]"
    heal: "Callable[[Bench], None]" = lambda bench: None
    on: frozenset[Kind] = frozenset(Kind)
    seconds: float = 1.5
    is_long: bool = False
    """Takes half a minute: done seldom."""


def _answers(client: IMAPClient) -> bool:
    try:
        client.noop()
    except (IMAPClientError, OSError):
        return False
    return True


def until_soon() -> None:
    with suppress(TimeoutError):
        until(lambda: False, "", 0.15)


def _states(db: Connection, table: Any, condition: Any) -> Counter[str]:
    rows = db.execute(select(table.c.state, func.count()).where(condition).group_by(table.c.state))
    return Counter({row[0]: row[1] for row in rows})


def _field(header: str, name: str) -> str:
    """An identifier in a header, without its brackets."""
    found = re.search(rf"^{name}:\s*<([^>]*)>", header, re.I | re.M)
    return found[1] if found else ""


_TEXTS = {
    Wish.ANSWER: "Which edition do partners get as Not-For-Resale license, and how do we apply for it?",
    Wish.SILENCE: "Thank you, that is all that we wanted to know. Have a nice day.",
    Wish.PERSON: "This is a riddle that somebody should look at some day.",
}


def _mail(message_id: str, number: int, wish: Wish, now: datetime) -> bytes:
    sender = PARTNER.replace("@", f"+{number}@")
    lines = (
        f"Return-Path: <{sender}>",
        "Authentication-Results: mx.gitlab.com; dmarc=pass header.from=partner.example",
        f"From: Pat Example <{sender}>",
        f"To: {DESK}",
        f"Subject: NFR {number}",
        f"Date: {format_datetime(now)}",
        f"Message-ID: <{message_id}>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "",
        "Hello,",
        "",
        f"{_TEXTS[wish]} Our number is {number}.",
        "",
        "Kind regards,",
        "Pat Example",
        "",
    )
    return "\r\n".join(lines).encode()
