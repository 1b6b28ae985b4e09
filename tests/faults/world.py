"""What surrounds the workers of the bench: servers that stop and start, disks, networks, and the desk's files.

What needs privileges (a small disk of our own, a network namespace) is asked for first, and done another way where a
container does not have them: World says which way it is.
"""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from sqlalchemy import create_engine, text
from tests.databases import PostgresServer, postgres_programs, running_postgres
from tests.e2e.mailboxes import DESK
from tests.faults.life import Address
from tests.servers import AUTHSERV_ID, MailServers, running_mail_servers

from mailflow import bootstrap
from mailflow.adapters.machine import is_running
from mailflow.settings import Settings

_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"))
_PATIENCE = 20.0
_BEAT = threading.Event()
"""Nobody sets it: waiting for it paces who looks again and again."""
SMALL_DISK_MIB = 192
FAR_HOST, FAR_GUEST = "10.213.7.1", "10.213.7.2"
"""Our end of the cable to the other machine, and its own."""


def until(is_so: Callable[[], bool], what: str, seconds: float = _PATIENCE) -> None:
    """Look every 50 ms. Raises TimeoutError."""
    deadline = monotonic() + seconds
    while not is_so():
        if monotonic() > deadline:
            raise TimeoutError(f"in vain for {seconds:.0f} s: {what}")
        _BEAT.wait(0.05)


class MailHost:
    """The mail servers, which can be stopped as an operator would, and started again."""

    def __init__(self, servers: MailServers) -> None:
        self.servers = servers
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._commands = {
            "dovecot": (["dovecot", "-F", "-c", f"{servers.root}/dovecot.conf"], servers.imap_port, "run/master.pid"),
            "exim4": (
                ["exim4", "-C", f"{servers.root}/exim.conf", "-bdf", "-q2s"],
                servers.submission_port,
                "run/exim.pid",
            ),
        }

    def stop(self, name: str) -> None:
        _, _, pid_file = self._commands[name]
        path = self.servers.root / pid_file
        if not path.exists():
            return
        pid = int(path.read_text())
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        until(lambda: not is_running(pid), f"{name} to stop")
        if (ours := self._started.pop(name, None)) is not None:
            ours.wait()

    def start(self, name: str) -> None:
        command, port, _ = self._commands[name]
        root = self.servers.root
        account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        drop = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        with (root / f"{name}.again").open("ab") as out:
            self._started[name] = subprocess.Popen(
                [shutil.which(command[0], path=_PATH) or command[0], *command[1:]],
                cwd=root,
                env={"PATH": _PATH, "HOME": str(root)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                **drop,  # type: ignore[call-overload]  # only set for root
            )
        until(lambda: _greets(port), f"{name} to greet")

    def stop_all(self) -> None:
        for name in list(self._started):
            self.stop(name)


def _greets(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        return bool(connection.recv(1))
    return False


class PostgresHost:
    """PostgreSQL, which can be thrown over and started again, and whose database may lie on a small disk."""

    def __init__(self, server: PostgresServer, disk: Path | None) -> None:
        self._server = server
        self._admin = create_engine(server.url("postgres"), isolation_level="AUTOCOMMIT", pool_size=1)
        self._data = self.ask("SHOW data_directory")
        if disk is not None:
            shutil.chown(disk, "postgres")
            self.say(f"CREATE TABLESPACE small LOCATION '{disk}'")
        self._is_small = disk is not None
        self.address = Address("127.0.0.1", server.port)

    def new_database(self, name: str) -> str:
        where = " TABLESPACE small" if self._is_small else ""
        self.say(f"CREATE DATABASE {name}{where}")
        return self._server.url(name)

    def say(self, *statements: str) -> None:
        """As an administrator, in the database `postgres`."""
        with self._admin.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def ask(self, question: str) -> str:
        with self._admin.connect() as connection:
            return str(connection.scalar(text(question)))

    def hang_up(self, database: str) -> None:
        with self._admin.connect() as connection:
            connection.execute(
                text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": database}
            )

    def throw_over(self) -> None:
        """As a power cut would, and start."""
        self._admin.dispose()
        programs = postgres_programs()
        assert programs is not None
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        control = [*as_user, str(programs / "pg_ctl"), "-D", self._data, "-l", f"{self._data}/../log-again"]
        subprocess.run([*control, "-w", "-m", "immediate", "restart"], check=True, stdout=subprocess.DEVNULL)

    def close(self) -> None:
        self._admin.dispose()


@dataclass(frozen=True, slots=True)
class Disk:
    """A folder of its own size."""

    folder: Path
    is_small: bool
    """False where a container may not mount: the fault is then made in the database."""

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        """To the last block."""
        with self._ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 4096):
                with suppress(OSError):
                    while file.write(b"\0" * size) == size:
                        pass

    def empty(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk() -> Iterator[Disk]:
    """A tmpfs of SMALL_DISK_MIB where we may mount one, else a plain folder."""
    folder = Path(tempfile.mkdtemp(prefix="mfdisk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_MIB}m", "tmpfs", str(folder)]
    is_small = os.geteuid() == 0 and _succeeds(mount)
    try:
        yield Disk(folder, is_small)
    finally:
        if is_small:
            subprocess.run(["umount", "-l", folder], check=False)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def other_machine() -> Iterator[str]:
    """Path of a network namespace with a cable to ours, '' where we may not make one."""
    name, ours, theirs = f"mf{os.getpid()}", f"mfa{os.getpid()}"[:15], f"mfb{os.getpid()}"[:15]
    steps = (
        f"netns add {name}",
        f"link add {ours} type veth peer name {theirs}",
        f"link set {theirs} netns {name}",
        f"addr add {FAR_HOST}/30 dev {ours}",
        f"link set {ours} up",
        f"-n {name} addr add {FAR_GUEST}/30 dev {theirs}",
        f"-n {name} link set {theirs} up",
        f"-n {name} link set lo up",
    )
    is_made = shutil.which("ip", path=_PATH) is not None and all(_ip(step) for step in steps)
    try:
        yield f"/var/run/netns/{name}" if is_made else ""
    finally:
        if shutil.which("ip", path=_PATH) is not None:
            _ip(f"link del {ours}")
            _ip(f"netns del {name}")


def _ip(words: str) -> bool:
    return _succeeds(["ip", *words.split()])


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def plug(is_in: bool) -> None:
    """Put the cable to the other machine in, or pull it out."""
    _ip(f"link set {f'mfa{os.getpid()}'[:15]} {'up' if is_in else 'down'}")


def write_assets(folder: Path) -> Path:
    """The desk's assets with budgets that thousands of mails do not reach. Why: they would be held, rightly."""
    found = bootstrap.find_assets(Settings())
    intents = folder / "classifiers" / "intents"
    intents.mkdir(parents=True)
    (folder / "templates").symlink_to(found.templates)
    for one in found.classifiers.iterdir():
        if one.name != "intents":
            (folder / "classifiers" / one.name).symlink_to(one)
    for one in (found.classifiers / "intents").iterdir():
        if one.name != "_defaults.yaml":
            (intents / one.name).symlink_to(one)
    defaults = (found.classifiers / "intents" / "_defaults.yaml").read_text(encoding="utf-8")
    head, budget, limits = defaults.partition("send_budget:")
    limits = re.sub(r"^(  (?!per_thread)\w+): \d+", r"\1: 1000000", limits, flags=re.M)
    head = re.sub(r"^max_age_days: \d+", "max_age_days: 36500", head, flags=re.M)
    (intents / "_defaults.yaml").write_text(head + budget + limits, encoding="utf-8")
    return folder


def write_config(folder: Path, servers: MailServers, store_url: str, undo_seconds: int) -> Path:
    """mailflow.toml of the desk. What goes over wires stands in Life."""
    login = f'host = "127.0.0.1"\nsecurity = "none"\nusername = "{DESK}"\npassword = "{servers.users[DESK]}"\n'
    config = folder / "mailflow.toml"
    config.write_text(
        f'[desk]\nrollout = "live"\nundo_seconds = {undo_seconds}\naddresses = ["{DESK}"]\n'
        f'own_domains = ["helpdesk.example"]\ntrusted_authserv_ids = ["{AUTHSERV_ID}"]\n'
        f'assets = "{folder / "assets"}"\n'
        f"[imap]\n{login}port = {servers.imap_port}\npoll_seconds = 5\n"
        f"[smtp]\n{login}port = {servers.submission_port}\nmax_per_minute = 1000000\n"
        f'[store]\nurl = "{store_url}"\n',
        encoding="utf-8",
    )
    return config


@dataclass(frozen=True, slots=True)
class World:
    mail: MailHost
    postgres: PostgresHost | None
    disk: Disk
    network: str
    """Namespace of the other machine, ''."""


@contextmanager
def running_world(*, with_postgres: bool) -> Iterator[World]:
    with ExitStack() as stack:
        mail = MailHost(stack.enter_context(running_mail_servers()))
        stack.callback(mail.stop_all)
        disk = stack.enter_context(small_disk())
        programs = postgres_programs() if with_postgres else None
        postgres = None
        if programs is not None:
            server = stack.enter_context(running_postgres(programs))
            space = disk.folder / "tablespace"
            if disk.is_small:
                disk.folder.chmod(0o755)
                space.mkdir()
            postgres = PostgresHost(server, space if disk.is_small else None)
            stack.callback(postgres.close)
        network = stack.enter_context(other_machine()) if with_postgres else ""
        yield World(mail, postgres, disk, network)
