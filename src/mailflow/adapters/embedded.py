"""A mail system inside the process, for `mailflow demo` and for tests: pymap (IMAP, in memory) and aiosmtpd (SMTP).

Rule: loopback only, no TLS, nothing is kept. It is not a mail server for anything real.
Rule: the envelope decides who gets a mail (RFC 5321), the header fields To and Cc decide nothing.
Rule: like a border server it owns the trace fields: it adds Return-Path and Delivered-To, removes any
      Authentication-Results that claims its own name (RFC 8601, 5), and vouches only for `authenticated_domains`.

Why one event loop for both: pymap wakes its IDLE sessions through asyncio events, which an append from another thread
would not set. Why here and not under tests/: the demo uses it.
"""

import asyncio
import re
import threading
from argparse import Namespace
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import parseaddr
from importlib import import_module
from secrets import token_urlsafe
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mailflow.errors import AssetError

if TYPE_CHECKING:
    from aiosmtpd import smtp
    from pymap.backend.dict import Config, DictBackend, Identity

HOST = "127.0.0.1"
AUTHSERV_ID = "mx.gitlab.com"
MAX_MESSAGE_OCTETS = 60 << 20
FOLDERS = ("Processed", "Failed", "Sent")
REFUSED_LOCAL_PARTS = {"perm550": "550 5.1.1 no such user here", "temp451": "451 4.2.0 try again later"}
"""Recipients that are always refused, at any domain, to show what a refusal does."""
_NO_SUCH_USER = "550 5.1.1 no such user here"


class EmbeddedMail:
    """IMAP and SMTP on free ports of 127.0.0.1 while the `with` block lasts.

    `users` maps addresses to passwords. SMTP takes mail with or without a login, for these users only.
    Raises AssetError where the optional packages are missing.
    """

    imap_port: int
    smtp_port: int

    def __init__(
        self,
        users: Mapping[str, str],
        *,
        authenticated_domains: frozenset[str] = frozenset(),
        authserv_id: str = AUTHSERV_ID,
    ) -> None:
        self.host = HOST
        self.users = {address.lower(): password for address, password in users.items()}
        self._authenticated_domains = authenticated_domains
        self._authserv_id = authserv_id

    def __enter__(self) -> Self:
        _require_packages()
        started: Future[tuple[int, int]] = Future()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name="embedded-mail", daemon=True)
        self._thread.start()
        self.imap_port, self.smtp_port = started.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self, started: "Future[tuple[int, int]]") -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(started))

    async def _serve(self, started: "Future[tuple[int, int]]") -> None:
        async with AsyncExitStack() as stack:
            try:
                postmaster = _Postmaster(self.users, self._authenticated_domains, self._authserv_id)
                started.set_result(await postmaster.start(stack))
            except Exception as error:  # noqa: BLE001  # whatever it is, `__enter__` raises it where someone can see it
                started.set_exception(error)
                return
            await self._stop.wait()


class _Postmaster:
    """Starts both servers and carries mail from one to the other. aiosmtpd calls the handle_* methods."""

    def __init__(self, users: Mapping[str, str], authenticated_domains: frozenset[str], authserv_id: str) -> None:
        self._users = users
        self._authenticated_domains = authenticated_domains
        self._authserv_id = authserv_id

    async def start(self, stack: AsyncExitStack) -> tuple[int, int]:
        """The ports of IMAP and SMTP, both listening."""
        self._backend = await self._start_backend(stack)
        return await self._start_imap(stack), await self._start_smtp(stack)

    async def _start_backend(self, stack: AsyncExitStack) -> "DictBackend":
        from pymap.backend.dict import DictBackend
        from pymap.user import Passwords, UserMetadata

        # The backend always makes a first user; this one gets no mail and nobody knows its password.
        backend, config = await DictBackend.init(_pymap_arguments(first_user="nobody", password=token_urlsafe()))
        config.apply_context()
        await backend.start(stack)
        passwords = Passwords(config)
        for address, password in self._users.items():
            identity = _identity(backend, address)
            await identity.set(UserMetadata(config, address, password=await passwords.hash_password(password)))
            async with identity.new_session() as session:
                for folder in FOLDERS:
                    await session.mailbox_set.add_mailbox(folder)
        return backend

    async def _start_imap(self, stack: AsyncExitStack) -> int:
        from proxyprotocol.reader import ProxyProtocolReader
        from pymap.imap import IMAPServer

        config: Config = self._backend.config
        serve = ProxyProtocolReader(config.proxy_protocol).get_callback(IMAPServer(self._backend.login, config))
        server = await asyncio.start_server(serve, HOST, 0)
        await stack.enter_async_context(server)
        return _port(server)

    async def _start_smtp(self, stack: AsyncExitStack) -> int:
        from aiosmtpd.smtp import SMTP

        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(
                self,
                hostname="mx.localhost",
                enable_SMTPUTF8=True,
                data_size_limit=MAX_MESSAGE_OCTETS,
                authenticator=self._authenticate,
                auth_require_tls=False,
                loop=loop,
            ),
            HOST,
            0,
        )
        await stack.enter_async_context(server)
        return _port(server)

    def _authenticate(
        self,
        server: "smtp.SMTP",
        session: "smtp.Session",
        envelope: "smtp.Envelope",
        mechanism: str,
        credentials: object,
    ) -> "smtp.AuthResult":
        from aiosmtpd.smtp import AuthResult, LoginPassword

        is_known = (
            isinstance(credentials, LoginPassword)
            and self._users.get(credentials.login.decode().lower()) == credentials.password.decode()
        )
        return AuthResult(success=is_known, handled=is_known)

    async def handle_RCPT(  # noqa: N802  # aiosmtpd finds it by this name
        self, server: "smtp.SMTP", session: "smtp.Session", envelope: "smtp.Envelope", address: str, options: list[str]
    ) -> str:
        refusal = REFUSED_LOCAL_PARTS.get(address.partition("@")[0])
        if refusal is None and address.lower() not in self._users:
            refusal = _NO_SUCH_USER
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802  # as above
        self, server: "smtp.SMTP", session: "smtp.Session", envelope: "smtp.Envelope"
    ) -> str:
        content = envelope.original_content or b""
        reverse_path = envelope.mail_from or ""
        for recipient in envelope.rcpt_tos:
            await self._deliver(recipient.lower(), reverse_path, content)
        return "250 2.0.0 OK delivered"

    async def _deliver(self, user: str, reverse_path: str, content: bytes) -> None:
        from pymap.parsing.message import AppendMessage

        traced = with_trace_fields(
            content,
            reverse_path=reverse_path,
            recipient=user,
            authserv_id=self._authserv_id,
            authenticated_domains=self._authenticated_domains,
        )
        async with _identity(self._backend, user).new_session() as session:
            inbox = await session.mailbox_set.get_mailbox("INBOX")
            await inbox.append(AppendMessage(traced, datetime.now(UTC), frozenset()), recent=True)


def with_trace_fields(
    content: bytes, *, reverse_path: str, recipient: str, authserv_id: str, authenticated_domains: frozenset[str]
) -> bytes:
    """`content` as delivered: our trace fields on top, forged ones of ours gone.

    dmarc=pass is said where the From domain is one of `authenticated_domains` and the envelope is aligned with it
    (RFC 7489, 3.1). Nothing is said about others.
    """
    fields = [f"Return-Path: <{reverse_path}>", f"Delivered-To: {recipient}"]
    domain = _from_domain(content)
    if domain in authenticated_domains and reverse_path.rpartition("@")[2].lower() == domain:
        fields.append(f"Authentication-Results: {authserv_id}; dmarc=pass header.from={domain}")
    return "".join(f"{field}\r\n" for field in fields).encode() + _without_results_of(authserv_id, content)


def _from_domain(content: bytes) -> str:
    header = BytesHeaderParser(policy=compat32).parsebytes(content)
    return parseaddr(str(header.get("From", "")))[1].rpartition("@")[2].lower()


def _without_results_of(authserv_id: str, content: bytes) -> bytes:
    header, separator, body = content.partition(b"\r\n\r\n")
    claimed = rb"(?ims)^Authentication-Results:\s*" + re.escape(authserv_id.encode()) + rb"\b.*?(?:\r\n(?![ \t])|\Z)"
    return re.sub(claimed, b"", header + b"\r\n") + separator[2:] + body


def _pymap_arguments(*, first_user: str, password: str) -> Namespace:
    """What pymap's own command line would have parsed."""
    return Namespace(
        host=HOST,
        port="0",
        cert=None,
        key=None,
        tls=False,
        debug=False,
        proxy_protocol=None,
        passlib_cfg=None,
        demo_data=False,
        demo_user=first_user,
        demo_password=password,
    )


def _identity(backend: "DictBackend", address: str) -> "Identity":
    from pymap.backend.dict import Identity

    return Identity(address, backend.login, None, frozenset())


def _port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


def _require_packages() -> None:
    try:
        for name in ("aiosmtpd.smtp", "pymap.imap", "pymap.backend.dict"):
            import_module(name)
    except ImportError as error:
        raise AssetError(
            f"the embedded mail servers need more packages: pip install mailflow[demo] ({error})"
        ) from error
