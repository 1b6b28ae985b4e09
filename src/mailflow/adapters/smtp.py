"""Handing one message to the mail server (SMTP, RFC 5321; submission, RFC 6409), as a Submission.

What each ending means, by the phase it came in:

    no connection, TLS refused, AUTH 4yz     ConnectionFailed    nothing was sent
    AUTH 5yz                                 LoginRefused        nothing was sent
    MAIL, RCPT: 4yz or lost                  TemporaryRefusal    nothing was sent
    MAIL, RCPT: 5yz                          PermanentRefusal    nothing was sent
    DATA: 4yz, 5yz, also after the dot       TemporaryRefusal, PermanentRefusal: the server said so
    DATA: lost, timed out, not understood    OutcomeUnknown      perhaps sent
    DATA: 250 after the dot                  Acceptance

Why MAIL, RCPT and DATA are driven one by one: aiosmtplib raises the same classes for a connection lost before DATA
and after it, and only the phase tells whether sending again could send twice.
Why one login method, not all that are offered: three refusals for one wrong password is how accounts get locked.
"""

import asyncio
import re
import ssl
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Literal

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPException,
    SMTPResponse,
    SMTPResponseException,
    SMTPStatus,
)
from aiosmtplib.email import quote_address

from mailflow.adapters import sasl
from mailflow.core.message import OutboundMessage
from mailflow.core.ports import Acceptance, TokenProvider
from mailflow.errors import (
    ConnectionFailed,
    LoginRefused,
    OutcomeUnknown,
    PermanentRefusal,
    SubmissionError,
    TemporaryRefusal,
)

_QUIT_SECONDS = 5.0
_LOGIN_NEEDED = frozenset({530, 534, 535, 538})
"""RFC 4954, 6: said of the session, not of the message, so never a reason to give the message up."""
_ENHANCED_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)")
_LOST = (SMTPException, OSError, asyncio.TimeoutError)


@dataclass(frozen=True, slots=True)
class SmtpAccount:
    host: str
    port: int
    security: Literal["tls", "starttls", "none"]
    username: str
    """'' for servers that want no login."""
    password: str = field(repr=False)
    """'' with `tokens`."""
    tokens: TokenProvider | None = None
    """In place of the password."""
    ca_file: str | None = None
    """PEM file of the authorities to trust; None: those of the system."""
    local_hostname: str = "localhost"
    """The name in EHLO."""
    bcc: str = ""
    """Gets a copy of each mail in the same transaction: proof that it was accepted, should the reply be lost."""
    timeout: float = 60.0
    """Seconds for a reply."""
    data_timeout: float = 600.0
    """Seconds for the reply to the final dot. Why 600: RFC 5321, 4.5.3.2.6."""
    max_messages: int = 50
    """Messages on one connection."""
    idle_seconds: float = 30.0
    """A connection unused for longer is not used again."""


class SmtpSubmission:
    """One connection, kept for the next message. Synchronous; runs its own event loop inside each call."""

    def __init__(self, account: SmtpAccount) -> None:
        self.tokens = account.tokens
        """For a health check: until when the credentials hold."""
        self._account = account
        self._runner: asyncio.Runner | None = None
        self._client: SMTP | None = None
        self._transport: asyncio.BaseTransport | None = None
        self._sent = 0
        self._used_at = 0.0

    def submit(self, message: OutboundMessage) -> Acceptance:
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(self._submit(message))

    def close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            with runner:
                runner.run(self._hang_up())

    async def _submit(self, message: OutboundMessage) -> Acceptance:
        client = await self._connection()
        try:
            await self._send_envelope(client, message)
            reply = await self._send_content(client, message)
        except LoginRefused:
            await self._hang_up()
            raise
        self._sent += 1
        self._used_at = monotonic()
        return Acceptance(reply.code, reply.message)

    async def _send_envelope(self, client: SMTP, message: OutboundMessage) -> None:
        envelope = message.envelope
        try:
            options, encoding = _mail_parameters(client, message)
            await client.mail(_verbatim(envelope.reverse_path), options=options, encoding=encoding)
            await client.rcpt(_verbatim(envelope.forward_path), encoding=encoding)
            if self._account.bcc:
                await self._also_to(client, self._account.bcc)
        except SMTPResponseException as error:
            if not _is_refusal(error.code):
                await self._abandon()
            raise self._refusal(error.code, error.message) from error
        except _LOST as error:
            await self._abandon()
            raise TemporaryRefusal(f"{self._account.host}: lost before DATA: {_reason(error)}") from error
        except ValueError as error:
            raise PermanentRefusal(f"not an address that {self._account.host} can take: {error}") from error

    async def _also_to(self, client: SMTP, bcc: str) -> None:
        """A second recipient. A refusal of this one stops nothing: the answer is for the first."""
        try:
            await client.rcpt(_verbatim(bcc))
        except SMTPResponseException as error:
            if not _is_refusal(error.code):
                raise

    async def _send_content(self, client: SMTP, message: OutboundMessage) -> SMTPResponse:
        try:
            return await client.data(message.content, timeout=self._account.data_timeout)
        except SMTPResponseException as error:
            if _is_refusal(error.code):
                raise self._refusal(error.code, error.message) from error
            # a 2yz among them: it may stand where 354 should, of a server that says one reply too many
            await self._abandon()
            raise OutcomeUnknown(f"{self._account.host}: not a reply to DATA: {error.code} {error.message}") from error
        except Exception as error:
            # Why all: an error that nobody thought of would count as temporary, and the message be sent again.
            await self._abandon()
            raise OutcomeUnknown(f"{self._account.host}: lost after DATA began: {_reason(error)}") from error

    def _refusal(self, code: int, reply: str) -> SubmissionError | LoginRefused:
        """The error for a reply that is not a yes, before or after DATA."""
        if code in _LOGIN_NEEDED:
            return LoginRefused(f"{self._account.host}: {code} {reply}")
        kind = PermanentRefusal if 500 <= code < 600 else TemporaryRefusal
        status = _ENHANCED_STATUS.match(reply)
        return kind(
            f"{self._account.host}: {code} {reply}",
            reply_code=code if code > 0 else None,
            enhanced_status=status.group() if status else "",
        )

    # -- the connection --------------------------------------------------------------------------------------------

    async def _connection(self) -> SMTP:
        """A connection that has just answered; the old one if it is still good.

        Why RSET: it ends the envelope of a refused message, and a connection that has died meanwhile shows here,
        where nothing has been sent yet.
        """
        client = self._client
        is_fresh = monotonic() - self._used_at <= self._account.idle_seconds
        if client is not None and client.is_connected and is_fresh and self._sent < self._account.max_messages:
            with suppress(*_LOST):
                await client.rset()
                return client
        await self._hang_up()
        client = await self._connect()
        self._sent = 0
        self._used_at = monotonic()
        return client

    async def _connect(self) -> SMTP:
        """A logged-in connection; a token that is refused is tried again as a new one, once and on a new connection.

        The token provider blocks, which stops nobody: this event loop has nothing else to do.
        """
        tokens = self._account.tokens
        if tokens is None:
            return await self._open("")
        token = tokens.token()
        try:
            return await self._open(token)
        except LoginRefused:
            tokens.refuse(token)
        return await self._open(tokens.token())

    async def _open(self, token: str) -> SMTP:
        account = self._account
        client = SMTP(
            hostname=account.host,
            port=account.port,
            use_tls=account.security == "tls",
            start_tls=account.security == "starttls",
            local_hostname=account.local_hostname,
            timeout=account.timeout,
        )
        try:
            client.tls_context = ssl.create_default_context(cafile=account.ca_file)
            await client.connect()
            self._client, self._transport = client, client.transport
            await client.ehlo()
            if token:
                await _log_in_by_token(client, account.username, token)
            elif account.username:
                await _log_in(client, account)
        except SMTPAuthenticationError as error:
            await self._hang_up()
            kind = LoginRefused if 500 <= error.code < 600 else ConnectionFailed
            raise kind(f"{account.username}@{account.host}: {error.code} {error.message}") from None
        except _LOST as error:
            await self._abandon()
            raise ConnectionFailed(f"{account.host}:{account.port}: {_reason(error)}") from error
        return client

    async def _hang_up(self) -> None:
        """QUIT, whatever comes of it."""
        if self._client is not None and self._client.is_connected:
            with suppress(*_LOST):
                await self._client.quit(timeout=_QUIT_SECONDS)
        await self._abandon()

    async def _abandon(self) -> None:
        """Let go of the connection without a word.

        Why abort: closing a TLS transport waits for the server's close_notify, and so outlives the event loop.
        """
        transport, self._client, self._transport = self._transport, None, None
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
            await asyncio.sleep(0)


async def _log_in(client: SMTP, account: SmtpAccount) -> None:
    offered = client.server_auth_methods
    methods = {"plain": client.auth_plain, "login": client.auth_login, "cram-md5": client.auth_crammd5}
    log_in = next((method for name, method in methods.items() if name in offered), None)
    if log_in is None:
        raise SMTPException(f"offers no login that mailflow knows: {' '.join(offered) or 'none at all'}")
    await log_in(account.username, account.password)


async def _log_in_by_token(client: SMTP, username: str, token: str) -> None:
    """AUTH with an initial response (RFC 4954, 4). Why here: aiosmtplib knows no OAUTHBEARER."""
    mechanism = sasl.choose({name.upper() for name in client.server_auth_methods})
    if mechanism is None:
        raise SMTPException("offers no login by OAuth2 that mailflow knows")
    response = b64encode(mechanism.response(username, token))
    reply = await client.execute_command(b"AUTH", mechanism.name.encode(), response)
    if reply.code == SMTPStatus.auth_continue:
        reply = await client.execute_command(b64encode(mechanism.after_error))
    if reply.code != SMTPStatus.auth_successful:
        said = reply.message.replace(token, "***").replace(response.decode(), "***")
        raise SMTPAuthenticationError(reply.code, f"{said} ({mechanism.name})")


def _verbatim(path: str) -> str:
    """`path`, if exactly this would go over the wire; else ValueError.

    Why: aiosmtplib takes the address that it finds inside, so `x <b@c.example>` would silently go to b@c.example.
    """
    if quote_address(path) != f"<{path}>":
        raise ValueError(f"{path!r} is not an address and nothing else")
    return path


def _mail_parameters(client: SMTP, message: OutboundMessage) -> tuple[list[str], str]:
    """The MAIL parameters that `message` needs, and the encoding of the addresses.

    SMTPUTF8 (RFC 6531) where an address or a header field is not ASCII, 8BITMIME (RFC 6152) where anything is not,
    SIZE (RFC 1870) always; each only if offered. Without SMTPUTF8 an address that needs it raises UnicodeEncodeError.
    """
    addresses = message.envelope.reverse_path + message.envelope.forward_path
    header, _, _ = message.content.partition(b"\r\n\r\n")
    wanted = {
        "smtputf8": not (addresses.isascii() and header.isascii()),
        "8bitmime": not message.content.isascii(),
        "size": True,
    }
    spelled = {"smtputf8": "SMTPUTF8", "8bitmime": "BODY=8BITMIME", "size": f"SIZE={len(message.content)}"}
    options = [spelled[name] for name, is_needed in wanted.items() if is_needed and client.supports_extension(name)]
    return options, "utf-8" if "SMTPUTF8" in options else "ascii"


def _is_refusal(code: int) -> bool:
    """4yz or 5yz: a definite no (RFC 5321, 4.2.1). aiosmtplib says -1 for a reply that it cannot read."""
    return 400 <= code < 600


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
