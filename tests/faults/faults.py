"""FAULTS: what goes wrong on the bench, by name, each with the way to bring it about and the way to heal it.

Rule: a fault changes the surroundings (servers, network, disk, clock, the desk's mailbox), or does to the store what
another worker may do; nothing in a worker is switched.
"""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import OperationalError
from tests.faults.bench import Area, Bench, Fault, Kind, Wires
from tests.faults.wires import Wire
from tests.faults.world import plug, until

from mailflow.adapters.sql.session import LEASE, WORKER

ONLY_POSTGRES, ONLY_SQLITE = frozenset({Kind.POSTGRES}), frozenset({Kind.SQLITE})
_TABLES = ("inbound", "outbox", "raw")


# ---------------------------------------------------------------------- the network


def _each(of: Callable[[Wires], Wire | None], do: Callable[[Wire], None]) -> Callable[[Bench], None]:
    def on(bench: Bench) -> None:
        for wires in bench.wires:
            if (wire := of(wires)) is not None:
                do(wire)

    return on


def _refuse(verb: str, reply: bytes) -> Callable[[Bench], None]:
    def on(bench: Bench) -> None:
        for wires in bench.wires:
            wires.smtp.refusals = {verb: reply}

    return on


def _lose(where: str) -> Callable[[Bench], None]:
    def on(bench: Bench) -> None:
        for wires in bench.wires:
            wires.smtp.losses = {where}

    return on


def _heal_wires(bench: Bench) -> None:
    for wires in bench.wires:
        for wire in wires.all:
            wire.heal()


def _hold_wires(bench: Bench) -> None:
    for wires in bench.wires:
        for wire in wires.all:
            wire.hold()


def _slow(bench: Bench) -> None:
    for wires in bench.wires:
        for wire in wires.all:
            wire.delay = bench.random.uniform(0.02, 0.15)


def _unplug(bench: Bench) -> None:
    bench.excused.setdefault(bench.far.pid, "its machine was cut off")
    if bench.far.network:
        plug(False)
    else:
        for wire in bench.far.wires.all:
            wire.hold()


def _plug_in(bench: Bench) -> None:
    if bench.far.network:
        plug(True)
    _heal_wires(bench)


# ---------------------------------------------------------------------- the servers


def _stop(server: str) -> Callable[[Bench], None]:
    return lambda bench: bench.world.mail.stop(server)


def _start(server: str) -> Callable[[Bench], None]:
    return lambda bench: bench.world.mail.start(server)


def _throw_over(bench: Bench) -> None:
    assert bench.world.postgres is not None
    bench.world.postgres.throw_over()
    bench.engine.dispose()


def _hang_up_database(bench: Bench) -> None:
    assert bench.world.postgres is not None
    bench.engine.dispose()
    bench.world.postgres.hang_up(bench.database)


# ---------------------------------------------------------------------- the store


def _fill_the_disk(bench: Bench) -> None:
    if bench.world.disk.is_small:
        bench.world.disk.fill()
    elif bench.kind is Kind.SQLITE:
        with bench.engine.connect() as db:
            pages = db.scalar(text("PRAGMA page_count"))
        bench.ailment.write_text(f"PRAGMA max_page_count={pages}", encoding="ascii")
    else:
        with bench.engine.begin() as db:
            db.execute(text(
                "CREATE OR REPLACE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$"
            ))  # fmt: skip
            for table in _TABLES:
                db.execute(text(f"CREATE TRIGGER no_space BEFORE INSERT ON {table} EXECUTE FUNCTION no_space()"))


def _empty_the_disk(bench: Bench) -> None:
    if bench.world.disk.is_small:
        bench.world.disk.empty()
    elif bench.kind is Kind.SQLITE:
        bench.ailment.write_text("PRAGMA max_page_count=1073741823", encoding="ascii")
    else:
        with bench.engine.begin() as db:
            for table in _TABLES:
                db.execute(text(f"DROP TRIGGER no_space ON {table}"))


def _only_read(is_so: bool) -> Callable[[Bench], None]:
    def on(bench: Bench) -> None:
        word = "on" if is_so else "off"
        if bench.kind is Kind.SQLITE:
            bench.ailment.write_text(f"PRAGMA query_only={word}", encoding="ascii")
            return
        assert bench.world.postgres is not None
        bench.world.postgres.say(f"ALTER DATABASE {bench.database} SET default_transaction_read_only = {word}")
        _hang_up_database(bench)

    return on


class _Lock:
    """Somebody else holds the whole store: a backup, a forgotten transaction."""

    def __init__(self) -> None:
        self._held: Connection | None = None

    def take(self, bench: Bench) -> None:
        connection = bench.engine.connect()
        connection.begin()
        if bench.kind is Kind.POSTGRES:
            with suppress(OperationalError):  # somebody else has it
                connection.execute(text("SET lock_timeout = '5s'"))
                connection.execute(text("LOCK TABLE inbound, outbox IN ACCESS EXCLUSIVE MODE"))
        self._held = connection

    def let_go(self, bench: Bench) -> None:
        if self._held is not None:
            self._held.close()


_LOCK = _Lock()


# ---------------------------------------------------------------------- the clock


def _jump_forward(bench: Bench) -> None:
    bench.excuse_all("the clock jumped")
    bench.clock.jump(timedelta(days=bench.random.uniform(1, 3)))


def _jump_back(bench: Bench) -> None:
    bench.excuse_all("the clock jumped")
    bench.clock.jump(-timedelta(hours=bench.random.uniform(1, 5)))


# ---------------------------------------------------------------------- the other workers


def _somebody(bench: Bench) -> int:
    """pid of a worker on the roll that lives, 0 where there is none."""
    alive = {slot.pid for slot in bench.slots if slot.process is not None}
    with bench.engine.connect() as db:
        pids = sorted(alive & set(db.scalars(select(WORKER.c.pid)).all()))
    return bench.random.choice(pids) if pids else 0


def _strike_off(bench: Bench) -> None:
    """A worker that lives is declared dead, and what it holds is taken up by the others."""
    pid = _somebody(bench)
    bench.excused.setdefault(pid, "declared dead")
    with bench.store().unit() as unit:
        unit.bury([one.id for one in unit.workers() if one.pid == pid], bench.clock.now())


def _take_leases(bench: Bench) -> None:
    """Two fetch the same mailbox for a while: the lease of one that lives is given to whoever comes next."""
    with bench.engine.begin() as db:
        db.execute(LEASE.delete())


def _begin_another(bench: Bench) -> None:
    extra = replace(bench.slots[0], number=len(bench.slots), process=None, moment=None)
    bench.slots.append(extra)
    bench.start(extra)


def _end_another(bench: Bench) -> None:
    slot = bench.slots.pop()
    if slot.process is not None:
        bench.excused.setdefault(slot.pid, "killed: at any time")
        slot.process.kill()
        slot.process.join()


class _Pause:
    """A process, or the machine under it, stands still until it counts as dead, and then goes on."""

    def __init__(self) -> None:
        self._stopped = 0

    def begin(self, bench: Bench) -> None:
        if bench.kind is Kind.SQLITE:
            _begin_another(bench)
        self._stopped = pid = _somebody(bench)
        bench.excuse_all("time went on while one of them stood still")
        if pid:
            with suppress(ProcessLookupError):  # it may have been about to end
                os.kill(pid, signal.SIGSTOP)
            bench.clock.jump(timedelta(seconds=40))
            with suppress(TimeoutError):
                until(lambda: not _is_on_roll(bench, pid), "the others to bury it", 8.0)

    def end(self, bench: Bench) -> None:
        if self._stopped:
            with suppress(ProcessLookupError):
                os.kill(self._stopped, signal.SIGCONT)
        if bench.kind is Kind.SQLITE:
            _end_another(bench)


def _is_on_roll(bench: Bench, pid: int) -> bool:
    with bench.engine.connect() as db:
        return bool(db.scalar(select(func.count()).select_from(WORKER).where(WORKER.c.pid == pid)))


_PAUSE = _Pause()


def _stop_and_start(bench: Bench) -> None:
    bench.live_undisturbed()
    bench.stop_all()


FAULTS: dict[str, Fault] = {
    "IMAP server restarted": Fault(Area.IMAP, _stop("dovecot"), _start("dovecot")),
    "mail server restarted": Fault(Area.SMTP, _stop("exim4"), _start("exim4")),
    "PostgreSQL thrown over": Fault(Area.STORE, _throw_over, on=ONLY_POSTGRES),
    "IMAP connections cut": Fault(Area.IMAP, _each(lambda wires: wires.imap, Wire.hang_up), seconds=0.5),
    "IMAP server unreachable": Fault(Area.IMAP, _each(lambda wires: wires.imap, Wire.cut), _heal_wires),
    "IMAP connections half-open": Fault(Area.IMAP, _each(lambda wires: wires.imap, Wire.deafen), _heal_wires),
    "SMTP connections cut": Fault(Area.SMTP, _each(lambda wires: wires.smtp, Wire.hang_up), seconds=0.5),
    "SMTP server unreachable": Fault(Area.SMTP, _each(lambda wires: wires.smtp, Wire.cut), _heal_wires),
    "SMTP connections half-open": Fault(Area.SMTP, _each(lambda wires: wires.smtp, Wire.deafen), _heal_wires),
    "SMTP lost in the content": Fault(Area.SMTP, _lose("DATA"), _heal_wires),
    "SMTP reply to the content lost": Fault(Area.SMTP, _lose("DOT"), _heal_wires),
    "4xx storm: at MAIL, hanging up": Fault(
        Area.REFUSALS, _refuse("MAIL", b"421 4.3.2 shutting down\r\n"), _heal_wires
    ),
    "4xx storm: at RCPT": Fault(Area.REFUSALS, _refuse("RCPT", b"451 4.3.0 try again later\r\n"), _heal_wires),
    "4xx storm: at DATA": Fault(Area.REFUSALS, _refuse("DATA", b"452 4.3.1 no space\r\n"), _heal_wires),
    "4xx storm: after the content": Fault(Area.REFUSALS, _refuse("DOT", b"451 4.7.1 greylisted\r\n"), _heal_wires),
    "SMTP login refused": Fault(Area.REFUSALS, _refuse("AUTH", b"454 4.7.0 temporary failure\r\n"), _heal_wires),
    "all servers slow": Fault(Area.NETWORK, _slow, _heal_wires, seconds=2.5),
    "network held, then all of it comes": Fault(
        Area.NETWORK,
        _hold_wires,
        _heal_wires,
        seconds=3.0,
    ),
    "database connections cut": Fault(Area.STORE, _hang_up_database, on=ONLY_POSTGRES, seconds=0.5),
    "a machine cut off for a moment": Fault(Area.NETWORK, _unplug, _plug_in, on=ONLY_POSTGRES, seconds=4.0),
    "a machine cut off until it counts as dead": Fault(
        Area.NETWORK, _unplug, _plug_in, on=ONLY_POSTGRES, seconds=37.0, is_long=True
    ),
    "disk full": Fault(Area.STORE, _fill_the_disk, _empty_the_disk, seconds=2.0),
    "database only readable": Fault(Area.STORE, _only_read(True), _only_read(False), seconds=2.0),
    "database locked by another": Fault(Area.STORE, _LOCK.take, _LOCK.let_go, seconds=2.5),
    "clock jumps forward by days": Fault(Area.CLOCK, _jump_forward),
    "clock jumps back by hours": Fault(Area.CLOCK, _jump_back),
    "UIDVALIDITY changes": Fault(Area.MAILBOX, Bench.renumber),
    "mail deleted under our feet": Fault(Area.MAILBOX, Bench.somebody_deletes),
    "a worker that lives is declared dead": Fault(Area.WORKERS, _strike_off),
    "two workers on one mailbox": Fault(Area.WORKERS, _begin_another, _end_another, on=ONLY_SQLITE, seconds=2.5),
    "two workers on one mailbox, the lease lost": Fault(Area.WORKERS, _take_leases, seconds=2.0),
    "a worker stands still until it counts as dead": Fault(Area.WORKERS, _PAUSE.begin, _PAUSE.end),
    "all workers stopped and started": Fault(Area.WORKERS, _stop_and_start, seconds=0.0),
}


def faults_of(kind: Kind) -> dict[str, Fault]:
    return {name: fault for name, fault in FAULTS.items() if kind in fault.on}
