"""The doctor's hands: looks at names, TLS, the mailbox, the submission server and files, and changes next to nothing.

Rule: all is looked at as the worker would: the same settings, the same login, the same trust. So the parts of imap.py
and smtp.py that log in are used here, and no second way to log in exists.
Rule: a folder for dealt-with mail that is missing is made. Why: whether it can be made is only known by making it, and
taking it away again could take away mail that a worker has just moved there. The worker would make it too.
Rule: facts come back, not opinions; core.findings judges them.
"""

import asyncio
import imaplib
import os
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from mailflow.adapters import imap
from mailflow.adapters.imap import ImapSource
from mailflow.adapters.smtp import SmtpSubmission
from mailflow.core.findings import Arrival, Folder, MailboxFacts, SecretFile, TlsFacts
from mailflow.core.reply import LOOP_HEADER
from mailflow.errors import ConnectionFailed

_SECONDS = 20.0
"""Why not the worker's 60: somebody sits and waits."""
_LOOK_AGAIN = 2.0
_GREETING_DATE = re.compile(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server listens, and by which section of the settings."""

    section: str
    protocol: Literal["imap", "smtp"]
    host: str
    port: int
    security: Literal["tls", "starttls", "none"]
    ca_file: str | None = None
    local_hostname: str = "localhost"


def addresses_of(host: str) -> list[str]:
    """The IP addresses of `host`. Raises ConnectionFailed."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConnectionFailed(f"{host}: {error.strerror if isinstance(error, OSError) else error}") from error
    return list(dict.fromkeys(str(each[4][0]) for each in found))


# ---------------------------------------------------------------------- TLS


def look_at_tls(endpoint: Endpoint) -> TlsFacts:
    """A handshake as the worker would make it, and nothing after it. Never raises for what a server does."""
    where = (endpoint.host, endpoint.port, endpoint.security, endpoint.section)
    try:
        context = ssl.create_default_context(cafile=endpoint.ca_file)
    except OSError as error:  # ssl.SSLError among them
        return TlsFacts(*where, error=f"ca_file {endpoint.ca_file}: {error.strerror or error}")
    try:
        with _handshake(endpoint, context) as (connection, greeting):
            if not isinstance(connection, ssl.SSLSocket):
                return TlsFacts(*where, server_time=_time_in(greeting))
            ends_at = _end_of(connection)
            return TlsFacts(*where, connection.version() or "", ends_at, server_time=_time_in(greeting))
    except ssl.SSLCertVerificationError as error:
        return TlsFacts(*where, error=error.verify_message, verify_code=error.verify_code)
    except (OSError, smtplib.SMTPException, imaplib.IMAP4.error) as error:
        return TlsFacts(*where, error=_words(error))


@contextmanager
def _handshake(endpoint: Endpoint, context: ssl.SSLContext) -> Iterator[tuple[socket.socket, str]]:
    """The connection after the handshake, and what an SMTP server said first."""
    if endpoint.security == "tls":
        with (
            socket.create_connection((endpoint.host, endpoint.port), timeout=_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=endpoint.host) as connection,
        ):
            yield connection, connection.recv(512).decode("ascii", "replace")
    elif endpoint.protocol == "imap":
        client = imaplib.IMAP4(endpoint.host, endpoint.port, timeout=_SECONDS)
        try:
            if endpoint.security == "starttls":
                client.starttls(context)
            yield client.sock, ""
        finally:
            with suppress(OSError):
                client.shutdown()
    else:
        smtp = _Greeted(endpoint.host, endpoint.port, endpoint.local_hostname, _SECONDS)
        try:
            if endpoint.security == "starttls":
                smtp.starttls(context=context)
            if smtp.sock is None:
                raise ConnectionError("the server hung up")
            yield smtp.sock, smtp.greeting.decode("ascii", "replace")
        finally:
            smtp.close()


class _Greeted(smtplib.SMTP):
    """Remembers the server's first line."""

    greeting = b""

    def connect(self, host: str = "localhost", port: int = 0, source_address: Any = None) -> tuple[int, bytes]:
        code, self.greeting = super().connect(host, port, source_address)
        return code, self.greeting


def _end_of(connection: ssl.SSLSocket) -> datetime | None:
    certificate = connection.getpeercert() or {}
    not_after = certificate.get("notAfter")
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(not_after), UTC) if isinstance(not_after, str) else None


def _time_in(greeting: str) -> datetime | None:
    """The date in an SMTP server's first line; many write one."""
    found = _GREETING_DATE.search(greeting)
    return parsedate_to_datetime(found[0]) if found else None


def _words(error: BaseException) -> str:
    match error:
        case smtplib.SMTPResponseException():
            said = error.smtp_error
            return f"{error.smtp_code} {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"
        case TimeoutError():
            return "timed out"
        case _:
            return str(error) or type(error).__name__


# ---------------------------------------------------------------------- the mailbox


@contextmanager
def _logged_in(source: ImapSource) -> Iterator[IMAPClient]:
    """A connection of our own, as the source would make it. Raises ConnectionFailed, LoginRefused."""
    try:
        client = imap._log_in(source._settings)
        try:
            yield client
        finally:
            with suppress(IMAPClientError, OSError):
                client.logout()
    except (IMAPClientError, OSError) as error:
        raise ConnectionFailed(f"{source.account}: {_words(error)}") from error


def log_in(source: ImapSource) -> frozenset[str]:
    """What the server can do for us once we are in. Raises ConnectionFailed, LoginRefused."""
    with _logged_in(source) as client:
        return _capabilities(client)


def _capabilities(client: IMAPClient) -> frozenset[str]:
    return frozenset(one.decode("ascii", "replace").upper() for one in client.capabilities())


def look_at_mailbox(source: ImapSource, section: str) -> MailboxFacts:
    """The mailbox and its two folders, which are made where they are missing. Raises ConnectionFailed, LoginRefused."""
    settings = source._settings
    with _logged_in(source) as client:
        capabilities = _capabilities(client)
        mailbox, keeps_keywords = _opened(client, settings.mailbox)
        uses_folders = bool(capabilities & {"MOVE", "UIDPLUS"}) and not mailbox.error
        names = (settings.processed, settings.failed)
        processed, failed = (_folder(client, name) if uses_folders else Folder(name) for name in names)
        return MailboxFacts(section, mailbox, processed, failed, keeps_keywords, capabilities)


def _opened(client: IMAPClient, name: str) -> tuple[Folder, bool]:
    """The folder, and whether mail in it can have keywords of our own (PERMANENTFLAGS, RFC 3501, 7.1)."""
    try:
        selected = client.select_folder(name)
    except IMAPClientError as error:
        return Folder(name, _words(error)), False
    return Folder(name, is_read_only=b"READ-ONLY" in selected), rb"\*" in selected.get(b"PERMANENTFLAGS", ())


def _folder(client: IMAPClient, name: str) -> Folder:
    is_made = False
    try:
        if not client.folder_exists(name):
            client.create_folder(name)
            is_made = True
    except IMAPClientError as error:
        return Folder(name, _words(error))
    found, _ = _opened(client, name)
    return Folder(name, found.error, is_made, found.is_read_only)


def find_arrival(source: ImapSource, message_id: str, patience: timedelta) -> Arrival | None:
    """The mail that we sent to ourselves, in the mailbox or where a worker has moved it meanwhile.

    None if it did not come within `patience`. Raises ConnectionFailed, LoginRefused.
    """
    settings = source._settings
    began = monotonic()
    with _logged_in(source) as client:
        while True:
            for folder in (settings.mailbox, settings.processed, settings.failed):
                if found := _found(client, folder, message_id):
                    return replace(found, after=timedelta(seconds=monotonic() - began))
            if (left := began + patience.total_seconds() - monotonic()) <= 0:
                return None
            _pause(client, settings.mailbox, min(left, _LOOK_AGAIN))


def _found(client: IMAPClient, folder: str, message_id: str) -> Arrival | None:
    if not client.folder_exists(folder):
        return None
    client.select_folder(folder, readonly=True)
    uids = client.search(["HEADER", "Message-ID", message_id])
    items = client.fetch(uids, ["BODY.PEEK[HEADER]", "INTERNALDATE"]) if uids else {}
    for item in items.values():
        header = message_from_bytes(item[b"BODY[HEADER]"])
        results = str(header.get("Authentication-Results", "")).partition(";")[0].split()
        return Arrival(folder, item[b"INTERNALDATE"], results[0] if results else "", LOOP_HEADER in header)
    return None


def _pause(client: IMAPClient, mailbox: str, seconds: float) -> None:
    """Until something happens in the mailbox, at most so long."""
    client.select_folder(mailbox, readonly=True)
    if client.has_capability("IDLE"):
        client.idle()
        client.idle_check(timeout=seconds)
        client.idle_done()
    else:
        threading.Event().wait(seconds)


# ---------------------------------------------------------------------- the submission server


def log_in_to_submit(submission: SmtpSubmission) -> frozenset[str]:
    """The extensions of the server once we are in; nothing is sent. Raises ConnectionFailed, LoginRefused."""
    with asyncio.Runner() as runner:
        client = runner.run(submission._connection())
        extensions = frozenset(name.upper() for name in client.esmtp_extensions)
        runner.run(submission._hang_up())
    return extensions


# ---------------------------------------------------------------------- files


def look_at_file(setting: str, path: Path, *, is_written: bool = False) -> SecretFile:
    """Whether others than we may read it."""
    try:
        found = path.stat() if os.access(path, os.R_OK) else None
    except OSError:
        found = None
    return SecretFile(
        setting,
        str(path),
        mode=found.st_mode & 0o7777 if found else None,
        is_roots=found is not None and found.st_uid == 0,
        is_written=is_written,
        is_folder_writable=os.access(path.parent, os.W_OK),
    )
