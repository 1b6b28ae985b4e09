"""Real mail servers for the tests: Dovecot 2.3 (IMAP, LMTP) and Exim 4.96 (submission), on free ports of 127.0.0.1.

Neither needs root; started by root, both run as `nobody`. A mail goes client -> Exim -> LMTP -> Dovecot.
The recipients perm550@... and temp451@... are refused at RCPT. Mail whose envelope is of AUTHENTICATED_DOMAINS gets an
Authentication-Results. At OLD_HOST and BARE_HOST the same Dovecot says that it can do less. Dovecot also takes access
tokens (XOAUTH2, OAUTHBEARER) and asks a TokenServer whose they are.

Why /tmp and a short name: the path of a Unix socket may have about a hundred octets.
"""

import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Self

from tests.oauth_server import TokenServer

HOST = "127.0.0.1"
OLD_HOST = "127.0.0.2"
"""Dovecot offers UIDPLUS here, but neither MOVE nor IDLE."""
BARE_HOST = "127.0.0.3"
"""Dovecot offers IMAP4rev1 here and nothing else."""
USERS = {
    "support@helpdesk.example": "opens-the-desk",
    "partner@partner.example": "opens-the-partner",
    "stranger@elsewhere.example": "opens-the-stranger",
}
AUTHENTICATED_DOMAINS = ("helpdesk.example", "partner.example")
AUTHSERV_ID = "mx.gitlab.com"
BINARIES = ("dovecot", "exim4", "openssl")

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"))


@dataclass(frozen=True, slots=True)
class MailServers:
    host: str
    imap_port: int
    """Plain, with STARTTLS."""
    imaps_port: int
    submission_port: int
    """Plain, with STARTTLS and AUTH."""
    ca_file: str
    users: Mapping[str, str]
    tokens: TokenServer
    root: Path = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Ports:
    imap: int
    imaps: int
    lmtp: int
    submission: int


def missing_binaries() -> tuple[str, ...]:
    return tuple(name for name in BINARIES if shutil.which(name, path=_PATH) is None)


@contextmanager
def running_mail_servers() -> Iterator[MailServers]:
    """Both servers, answering. Raises RuntimeError, with their logs, if one does not."""
    root = Path(tempfile.mkdtemp(prefix="mf-", dir="/tmp"))  # see the head of this file
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    ports = _Ports(*_free_ports(4))
    try:
        with ExitStack() as stack:
            tokens = stack.enter_context(TokenServer())
            _make_certificates(root)
            _write_configuration(root, ports, account, tokens)
            if os.geteuid() == 0:
                for path in (root, *root.rglob("*")):
                    os.chown(path, account.pw_uid, account.pw_gid)
            stack.enter_context(_running(["dovecot", "-F", "-c", f"{root}/dovecot.conf"], root, account, ports.imap))
            stack.enter_context(
                _running(["exim4", "-C", f"{root}/exim.conf", "-bdf", "-q5s"], root, account, ports.submission)
            )
            ca_file = f"{root}/ca.pem"
            yield MailServers(HOST, ports.imap, ports.imaps, ports.submission, ca_file, USERS, tokens, root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def _running(command: list[str], root: Path, account: pwd.struct_passwd, port: int) -> Iterator[None]:
    """The process in the foreground, until the block ends; entered once `port` greets."""
    name = command[0]
    drop_to = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    with (root / f"{name}.out").open("wb") as out:
        process = subprocess.Popen(
            [shutil.which(name, path=_PATH) or name, *command[1:]],
            cwd=root,
            env={"PATH": _PATH, "HOME": str(root)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            **drop_to,  # type: ignore[call-overload]  # only set for root
        )
    try:
        _await_greeting(process, port, root)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_greeting(process: "subprocess.Popen[bytes]", port: int, root: Path) -> None:
    """Connect until the server greets. The wait for its death paces the attempts."""
    deadline = monotonic() + _START_SECONDS
    while monotonic() < deadline:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=_START_SECONDS) as connection:
            if connection.recv(1):
                return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            break
    logs = "\n".join(path.read_text(errors="replace") for path in [*root.glob("*.out"), *root.glob("log/*")])
    raise RuntimeError(f"{process.args!r} does not answer on port {port}:\n{logs}")


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def _make_certificates(root: Path) -> None:
    """ca.pem, an authority of our own, and cert.pem with key.pem for localhost and 127.0.0.1, signed by it."""
    (root / "leaf.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for arguments in (
        ["req", "-x509", *key, "-days", "2", "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem",
         "-addext", "keyUsage=critical,keyCertSign"],
        ["req", *key, "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "leaf.csr"],
        ["x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2", "-set_serial", "1",
         "-extfile", "leaf.ext", "-out", "cert.pem"],
    ):  # fmt: skip
        subprocess.run(["openssl", *arguments], cwd=root, check=True, capture_output=True)


def _write_configuration(root: Path, ports: _Ports, account: pwd.struct_passwd, tokens: TokenServer) -> None:
    for name in ("run", "state", "mail", "log", "spool"):
        (root / name).mkdir()
    (root / "passwd").write_text("".join(f"{user}:{{PLAIN}}{password}\n" for user, password in USERS.items()))
    (root / "logins").write_text("".join(f"{user}: {password}\n" for user, password in USERS.items()))
    names = {
        "ROOT": str(root),
        "USER": account.pw_name,
        "GROUP": grp.getgrgid(account.pw_gid).gr_name,
        "UID": str(account.pw_uid),
        "GID": str(account.pw_gid),
        "IMAP_PORT": str(ports.imap),
        "IMAPS_PORT": str(ports.imaps),
        "LMTP_PORT": str(ports.lmtp),
        "SUBMISSION_PORT": str(ports.submission),
        "DOMAINS": " : ".join(sorted({user.partition("@")[2] for user in USERS})),
        "AUTHENTICATED": " : ".join(AUTHENTICATED_DOMAINS),
        "AUTHSERV_ID": AUTHSERV_ID,
        "OLD_HOST": OLD_HOST,
        "BARE_HOST": BARE_HOST,
        "INTROSPECTION_URL": tokens.introspection_url,
    }
    (root / "oauth2.conf").write_text(_filled_in(OAUTH2, names))
    (root / "dovecot.conf").write_text(_filled_in(DOVECOT, names))
    (root / "exim.conf").write_text(_filled_in(EXIM, names))


def _filled_in(template: str, names: Mapping[str, str]) -> str:
    """`template` with each @NAME@ replaced. Why not str.format: both configurations are full of braces."""
    for name, value in names.items():
        template = template.replace(f"@{name}@", value)
    return template


class Relay:
    """A TCP port of 127.0.0.1 that passes everything to `port`, remembers what clients said and can hang up.

    Lets a test wait until a client has said something, and be the network that fails. Clients never hear `hidden`.
    """

    def __init__(self, port: int, host: str = HOST, *, hidden: bytes = b"") -> None:
        self._target = (host, port)
        self._hidden = hidden
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._said = b""
        self._news = threading.Condition()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        _hang_up(self._listener)
        self.cut()

    def await_saying(self, words: bytes, *, times: int = 1) -> None:
        """Block until clients have said `words` so often."""
        with self._news:
            if not self._news.wait_for(lambda: self._said.count(words) >= times, _START_SECONDS):
                raise RuntimeError(f"nobody said {words!r}: {self._said!r}")

    def said(self, words: bytes) -> int:
        """How often clients have said `words` so far."""
        with self._news:
            return self._said.count(words)

    def cut(self) -> None:
        """End all connections that are open now."""
        while self._open:
            _hang_up(self._open.pop())

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self.connections += 1
                self._open += [client, server]
                threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, is_client: bool) -> None:
        with suppress(OSError), source, target:
            while octets := source.recv(65536):
                target.sendall(octets.replace(self._hidden, b"") if self._hidden and not is_client else octets)
                if is_client:
                    with self._news:
                        self._said += octets
                        self._news.notify_all()
            _hang_up(target)


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


class ScriptedServer:
    """A server of one line-based protocol that answers by a table, for what real servers do too seldom.

    `answer(line)` gives the octets to send back: None to hang up, b"" to say nothing.
    """

    def __init__(self, greeting: bytes, answer: Callable[[bytes], bytes | None]) -> None:
        self._greeting = greeting
        self._answer = answer
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self.lines: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        _hang_up(self._listener)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._converse, args=(client,), daemon=True).start()

    def _converse(self, client: socket.socket) -> None:
        with suppress(OSError), client, client.makefile("rb") as lines:
            client.sendall(self._greeting)
            for line in lines:
                self.lines.append(line)
                reply = self._answer(line.rstrip(b"\r\n"))
                if reply is None:
                    _hang_up(client)
                    return
                client.sendall(reply)


DOVECOT = r"""
base_dir = @ROOT@/run
state_dir = @ROOT@/state
log_path = @ROOT@/log/dovecot
instance_name = mailflow-tests
protocols = imap lmtp
listen = 127.0.0.1, @OLD_HOST@, @BARE_HOST@
default_internal_user = @USER@
default_internal_group = @GROUP@
default_login_user = @USER@
first_valid_uid = 1
first_valid_gid = 1
mail_uid = @UID@
mail_gid = @GID@
mail_home = @ROOT@/mail/%u
mail_location = sdbox:~/sdbox
mail_fsync = never
mail_max_userip_connections = 100
imap_idle_notify_interval = 2 mins
ssl = yes
ssl_cert = <@ROOT@/cert.pem
ssl_key = <@ROOT@/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2 oauthbearer
auth_failure_delay = 0

passdb {
  driver = passwd-file
  mechanisms = plain login
  args = scheme=PLAIN username_format=%u @ROOT@/passwd
}
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = @ROOT@/oauth2.conf
}
userdb {
  driver = static
  args = home=@ROOT@/mail/%u allow_all_users=yes
}
namespace inbox {
  inbox = yes
  mailbox Outgoing {
    special_use = \Sent
  }
}

# Without root there is no chroot.
service anvil {
  chroot =
  # A test of a wrong password must not slow the next login down.
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  chroot =
}
service imap-login {
  chroot =
  inet_listener imap {
    port = @IMAP_PORT@
  }
  inet_listener imaps {
    port = @IMAPS_PORT@
    ssl = yes
  }
}
service lmtp {
  chroot =
  inet_listener lmtp {
    address = 127.0.0.1
    port = @LMTP_PORT@
  }
}
protocol lmtp {
  postmaster_address = postmaster@helpdesk.example
}

local @OLD_HOST@ {
  protocol imap {
    imap_capability = IMAP4rev1 SASL-IR LITERAL+ UIDPLUS
  }
}
local @BARE_HOST@ {
  protocol imap {
    imap_capability = IMAP4rev1
  }
}
"""

OAUTH2 = r"""
introspection_url = @INTROSPECTION_URL@
introspection_mode = get
username_attribute = username
active_attribute = active
active_value = true
"""

EXIM = r"""
primary_hostname = mx.helpdesk.example
exim_user = @USER@
exim_group = @GROUP@
keep_environment =
deliver_drop_privilege
never_users =
spool_directory = @ROOT@/spool
log_file_path = @ROOT@/log/exim-%s
pid_file_path = @ROOT@/run/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = @SUBMISSION_PORT@
tls_advertise_hosts = *
tls_certificate = @ROOT@/cert.pem
tls_privatekey = @ROOT@/key.pem
message_size_limit = 60M
smtp_accept_max = 100
smtp_accept_max_per_connection = 1000
smtp_accept_max_nonmail = 1000
smtp_accept_queue_per_connection = 0
queue_run_max = 4
host_lookup =
rfc1413_query_timeout = 0s
smtputf8_advertise_hosts = *
domainlist ours = @DOMAINS@
domainlist authenticated = @AUTHENTICATED@
acl_smtp_rcpt = check_recipient
acl_smtp_data = check_content

begin acl
check_recipient:
  deny   local_parts = perm550
         message = 5.1.1 no such user here
  defer  local_parts = temp451
         message = 4.2.0 try again later
  accept domains = +ours
  deny   message = relay not permitted
check_content:
  warn   sender_domains = +authenticated
         remove_header = Authentication-Results
         add_header = :at_start:Authentication-Results: @AUTHSERV_ID@; dmarc=pass header.from=$sender_address_domain
  accept

begin routers
everyone:
  driver = manualroute
  domains = +ours
  transport = to_dovecot
  route_list = * 127.0.0.1 byname
  self = send

begin transports
to_dovecot:
  driver = smtp
  protocol = lmtp
  port = @LMTP_PORT@
  allow_localhost
  hosts_avoid_tls = *
  hosts_try_chunking =

begin retry
*  *  F,2m,5s

begin authenticators
# The passwords are looked up in a file. Why: braces and ${sg} inside a condition break it, and Exim then says 435.
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if eq{$auth3}{${lookup{$auth2}lsearch{@ROOT@/logins}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if eq{$auth2}{${lookup{$auth1}lsearch{@ROOT@/logins}}}}
  server_set_id = $auth1
"""
