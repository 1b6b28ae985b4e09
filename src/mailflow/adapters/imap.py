"""A mailbox over IMAP4rev1 (RFC 3501, RFC 9051), as a Source.

Rule: reading changes nothing. BODY.PEEK[] leaves \\Seen alone; only `acknowledge` moves or marks, and only mail
      whose UIDVALIDITY still holds.
Rule: all mail counts, read or unread. What was read is known from the cursor, never from \\Seen, which people change.
Rule: IDLE is a hint (RFC 2177). Every cycle begins with a SELECT, so mail announced while nobody listened is found.
Rule: after any error the connection is dropped and the next call makes a new one.
      Why: after a ProtocolError or a timeout nobody knows which reply belongs to which command.
Rule: one thread at a time; imapclient is not thread-safe. Only `interrupt` may be called from another thread.
"""

import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Any, Literal

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError

from mailflow.adapters import sasl
from mailflow.adapters.imap_messages import MIB, Listed, data_item, fetch_contents, list_messages, plan_batches
from mailflow.core.message import MailRef, RawMessage
from mailflow.core.ports import Batch, Cursor, Disposition, Survey, TokenProvider
from mailflow.errors import ConnectionFailed, LoginRefused

_WINDOW = 500
"""UIDs named in one command. Why: servers may refuse command lines over 8,000 octets (RFC 7162, 4); a UID has <= 10."""
_SLICE_SECONDS = 1.0
"""How long `interrupt` may go unnoticed."""
_FIRST_IDLE_SECONDS = 1.0
_POLL_SECONDS = 30.0
_KEYWORDS = {Disposition.PROCESSED: b"$Processed", Disposition.FAILED: b"$Failed"}


@dataclass(frozen=True, slots=True)
class ImapAccount:
    host: str
    port: int
    security: Literal["tls", "starttls", "none"]
    username: str
    password: str = field(repr=False)
    """'' with `tokens`."""
    tokens: TokenProvider | None = None
    """In place of the password."""
    ca_file: str | None = None
    """PEM file of the authorities to trust; None: those of the system."""
    mailbox: str = "INBOX"
    processed: str = "Processed"
    failed: str = "Failed"
    sent: str = ""
    """The folder of sent mail; '' for the one that the server marks as such (RFC 6154)."""
    max_size: int = 150 * MIB
    """Octets. Why 150: no server of note takes more (Exchange Online's limit)."""
    batch_messages: int = 50
    batch_octets: int = 8 * MIB
    idle_timeout: timedelta = timedelta(minutes=9)
    """IDLE is issued anew after this. Why 9: less than RFC 2177's 29 and than the ten after which NAT forgets."""
    timeout: float = 60.0
    """Seconds without a byte after which the server counts as gone."""


def announces_mail(responses: Iterable[Any]) -> bool:
    """Whether untagged `responses` (as imapclient parses them) hold an EXISTS or RECENT, RFC 3501, 7.3."""
    return any(isinstance(r, tuple) and len(r) > 1 and r[1] in (b"EXISTS", b"RECENT") for r in responses)


class ImapSource:
    """One mailbox of one account, on one connection that is made when first needed."""

    def __init__(self, account: ImapAccount) -> None:
        self.account = f"{account.username}@{account.host}"
        self.mailbox = account.mailbox
        self.tokens = account.tokens
        """For a health check: until when the credentials hold."""
        self._settings = account
        self._client: IMAPClient | None = None
        self._uid_validity = 0
        self._covered: Cursor | None = None
        """Up to where `fetch` has handed mail out: what is beyond is news to `wait`."""
        self._existing_folders: set[str] = set()
        self._interrupted = threading.Event()

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        with self._connection() as client:
            uid_validity = self._select(client).uid_validity
            last_uid = cursor.last_uid if cursor and cursor.uid_validity == uid_validity else 0
            uids = _uids_after(client, last_uid)
        for window in _windows(uids):
            yield from self._fetch_window(uid_validity, window)
        self._covered = Cursor(uid_validity, uids[-1] if uids else last_uid)

    def survey(self) -> Survey:
        """See Source. Mail that could not be moved and has our keyword instead counts as gone."""
        with self._connection() as client:
            reach = self._select(client)
            can_move = client.has_capability("MOVE") or client.has_capability("UIDPLUS")
            ours = () if can_move else tuple(word for one in _KEYWORDS.values() for word in ("UNKEYWORD", one))
            return Survey(reach.uid_validity, tuple(sorted(client.search(["UID", "1:*", *ours]))), reach.last_uid)

    def fetch_only(self, uids: Sequence[int]) -> Iterator[Batch]:
        with self._connection() as client:
            uid_validity = self._select(client).uid_validity
        for window in _windows(uids):
            for batch in self._fetch_window(uid_validity, window):
                yield Batch(batch.messages, None)

    def find_sent(self, message_ids: Sequence[str]) -> frozenset[str]:
        with self._connection() as client:
            folder = self._settings.sent or client.find_special_folder(b"\\Sent")
            if not folder or not client.folder_exists(folder):
                return frozenset()
            client.select_folder(folder, readonly=True)
            found = {one for one in message_ids if client.search(["HEADER", "Message-ID", one])}
            self._select(client)
        return frozenset(found)

    def acknowledge(self, refs: Sequence[MailRef], disposition: Disposition) -> None:
        if not refs:
            return
        with self._connection() as client:
            uids = sorted({ref.uid for ref in refs if ref.uid_validity == self._uid_validity})
            for window in _windows(uids):
                self._put_away(client, window, disposition)

    def wait(self, timeout: timedelta) -> bool:
        """See Source. False too when interrupted; an `interrupt` that came before the wait ends it at once."""
        deadline = monotonic() + timeout.total_seconds()
        try:
            with self._connection() as client:
                return self._idle(client, deadline) if client.has_capability("IDLE") else self._poll(client, deadline)
        finally:
            self._interrupted.clear()

    def interrupt(self) -> None:
        self._interrupted.set()

    def close(self) -> None:
        with suppress(IMAPClientError, OSError):
            if self._client is not None:
                self._client.logout()
        self._drop()

    # -- the connection --------------------------------------------------------------------------------------------

    @contextmanager
    def _connection(self) -> Iterator[IMAPClient]:
        """The connection, made and the mailbox selected if need be; any trouble inside drops it, named as ours."""
        try:
            if self._client is None:
                self._client = _log_in(self._settings)
                self._existing_folders.clear()
                self._select(self._client)
            yield self._client
        except (IMAPClientError, OSError) as error:
            # imapclient's errors are all IMAP4.error: abort, ProtocolError, NO and BAD; ssl.SSLError is an OSError.
            self._drop()
            raise ConnectionFailed(f"{self.account} {self.mailbox}: {_reason(error)}") from error

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            _shut(client)

    def _select(self, client: IMAPClient) -> Cursor:
        """SELECT the mailbox; returns how far it reaches: the UID before UIDNEXT, which old servers do not tell."""
        selected = client.select_folder(self.mailbox)
        self._uid_validity = int(data_item(selected, b"UIDVALIDITY"))
        uid_next = selected.get(b"UIDNEXT")
        last_uid = max(_uids_after(client, 0), default=0) if uid_next is None else int(uid_next) - 1
        return Cursor(self._uid_validity, last_uid)

    # -- reading ---------------------------------------------------------------------------------------------------

    def _fetch_window(self, uid_validity: int, uids: Sequence[int]) -> Iterator[Batch]:
        with self._connection() as client:
            listed = list_messages(client, uids)
        account = self._settings
        plan = plan_batches(
            listed, messages=account.batch_messages, octets=account.batch_octets, max_size=account.max_size
        )
        covered = 0
        for batch in plan:
            with ExitStack() as spools:
                with self._connection() as client:
                    if self._uid_validity != uid_validity:
                        raise ConnectionFailed(f"{self.account} {self.mailbox}: UIDVALIDITY changed while it was read")
                    messages = tuple(self._read(client, batch, spools))
                covered = batch[-1].uid
                yield Batch(messages, Cursor(uid_validity, covered))
        if covered != uids[-1]:
            # The last ones vanished between SEARCH and FETCH; the cursor passes over them.
            yield Batch((), Cursor(uid_validity, uids[-1]))

    def _read(self, client: IMAPClient, batch: Sequence[Listed], spools: ExitStack) -> Iterator[RawMessage]:
        """The messages of `batch` that still exist, in its order; their files live as long as `spools`."""
        max_size = self._settings.max_size
        for item, content in fetch_contents(client, batch, max_size, spools):
            ref = MailRef(self.account, self.mailbox, self._uid_validity, item.uid)
            yield RawMessage(ref, content, item.internal_date, item.size if item.size > max_size else None)

    # -- acknowledging ---------------------------------------------------------------------------------------------

    def _put_away(self, client: IMAPClient, uids: Sequence[int], disposition: Disposition) -> None:
        """MOVE (RFC 6851), else COPY and UID EXPUNGE (RFC 4315), else a keyword.

        Why never a plain EXPUNGE: it would also remove what someone else has marked \\Deleted.
        A crash between COPY and EXPUNGE leaves the mail in both; doing it again is harmless, the database knows it.
        """
        folder = self._settings.processed if disposition is Disposition.PROCESSED else self._settings.failed
        if client.has_capability("MOVE"):
            self._ensure_folder(client, folder)
            client.move(uids, folder)
        elif client.has_capability("UIDPLUS"):
            self._ensure_folder(client, folder)
            client.copy(uids, folder)
            client.add_flags(uids, [b"\\Deleted"], silent=True)
            client.uid_expunge(uids)
        else:
            client.add_flags(uids, [_KEYWORDS[disposition]], silent=True)

    def _ensure_folder(self, client: IMAPClient, folder: str) -> None:
        if folder not in self._existing_folders:
            if not client.folder_exists(folder):
                client.create_folder(folder)
            self._existing_folders.add(folder)

    # -- waiting ---------------------------------------------------------------------------------------------------

    def _has_news(self, client: IMAPClient) -> bool:
        """Whether there is mail beyond what `fetch` handed out; True before the first fetch.

        Why SELECT and not NOOP and SEARCH: a SEARCH may answer from before the arrival that its own reply announces,
        and IDLE would not announce it again. After the snapshot of SELECT nothing is announced but to IDLE.
        """
        while True:
            reach, covered = self._select(client), self._covered
            if covered is None or covered.uid_validity != reach.uid_validity:
                return True
            if reach.last_uid <= covered.last_uid:
                return False
            if _uids_after(client, covered.last_uid):
                return True
            # What came has gone again; look once more, because the SEARCH may have swallowed an announcement.
            self._covered = reach

    def _idle(self, client: IMAPClient, deadline: float) -> bool:
        """IDLE in cycles of 1, 2, 4... seconds up to `idle_timeout`.

        Why short ones first: an EXISTS that came in one packet with `+ idling` lies in imaplib's read buffer, where
        polling the socket cannot see it; the DONE that ends the cycle brings it to light.
        """
        longest = self._settings.idle_timeout.total_seconds()
        cycle = min(_FIRST_IDLE_SECONDS, longest)
        while not self._interrupted.is_set():
            if self._has_news(client):
                return True
            if (left := deadline - monotonic()) <= 0:
                return False
            client.idle()
            heard = self._listen(client, min(cycle, left))
            _, last = client.idle_done()
            if heard or announces_mail(last):
                return True
            cycle = min(cycle * 2, longest)
        return False

    def _listen(self, client: IMAPClient, seconds: float) -> bool:
        """Whether mail is announced within `seconds`; False also when interrupted or when the socket looks dead.

        Why: on a dead socket `idle_check` returns [] at once and for ever (imapclient issue 565), a busy loop that
        looks like an idle mailbox. An early [] therefore ends the cycle, and `idle_done` raises if the socket is dead.
        """
        end = monotonic() + seconds
        while not self._interrupted.is_set() and (left := end - monotonic()) > 0:
            slice_seconds = min(left, _SLICE_SECONDS)
            asked_at = monotonic()
            responses = client.idle_check(timeout=slice_seconds)
            if announces_mail(responses):
                return True
            if not responses and monotonic() - asked_at < slice_seconds / 2:
                return False
        return False

    def _poll(self, client: IMAPClient, deadline: float) -> bool:
        """For servers without IDLE: look every 30 s."""
        while not self._interrupted.is_set():
            if self._has_news(client):
                return True
            if (left := deadline - monotonic()) <= 0:
                return False
            self._interrupted.wait(min(left, _POLL_SECONDS))
        return False


def _log_in(account: ImapAccount) -> IMAPClient:
    """A logged-in connection. Raises LoginRefused; ConnectionFailed, IMAPClientError, OSError: no connection.

    A token may have been taken back before its end, so one that is refused is tried again as a new one, once and on a
    new connection. Why: many servers hang up after a refusal.
    """
    if account.tokens is None:
        return _connect(account, _by_password)
    token = account.tokens.token()
    try:
        return _connect(account, _by_token(token))
    except LoginRefused:
        account.tokens.refuse(token)
    return _connect(account, _by_token(account.tokens.token()))


def _connect(account: ImapAccount, authenticate: Callable[[IMAPClient, ImapAccount], None]) -> IMAPClient:
    context = ssl.create_default_context(cafile=account.ca_file)
    client = IMAPClient(
        account.host,
        account.port,
        ssl=account.security == "tls",
        ssl_context=context if account.security == "tls" else None,
        timeout=account.timeout,
    )
    client.normalise_times = False
    try:
        if account.security == "starttls":
            client.starttls(context)
        authenticate(client, account)
    except BaseException:
        _shut(client)
        raise
    return client


def _by_password(client: IMAPClient, account: ImapAccount) -> None:
    """LOGIN, or AUTHENTICATE PLAIN (RFC 4616, UTF-8) where the credentials are not ASCII."""
    try:
        if (account.username + account.password).isascii():
            client.login(account.username, account.password)
        else:
            client.plain_login(account.username, account.password)
    except LoginError as error:
        raise _refused(account, error, account.password) from None


def _by_token(token: str) -> Callable[[IMAPClient, ImapAccount], None]:
    def authenticate(client: IMAPClient, account: ImapAccount) -> None:
        offered = {name.decode("ascii", "replace").removeprefix("AUTH=") for name in client.capabilities()}
        mechanism = sasl.choose(offered)
        if mechanism is None:
            raise ConnectionFailed(f"{account.username}@{account.host}: offers no login by OAuth2 that mailflow knows")
        responses = iter((mechanism.response(account.username, token), mechanism.after_error))
        try:
            client.sasl_login(mechanism.name, lambda challenge: next(responses, None))
        except LoginError as error:
            raise _refused(account, error, token, f" ({mechanism.name})") from None

    return authenticate


def _refused(account: ImapAccount, error: LoginError, secret: str, how: str = "") -> LoginRefused:
    """To be raised `from None`: a server may repeat the line it did not like, the secret with it."""
    sentence = _reason(error).replace(secret, "***") if secret else _reason(error)
    return LoginRefused(f"{account.username}@{account.host}: {sentence}{how}")


def _shut(client: IMAPClient) -> None:
    with suppress(OSError):
        client.shutdown()


def _uids_after(client: IMAPClient, last_uid: int) -> list[int]:
    """All UIDs greater than `last_uid`, ascending.

    `n:*` always includes the last message, even if its UID is less than n (RFC 3501, 6.4.8): hence the filter.
    """
    return sorted(uid for uid in client.search(["UID", f"{last_uid + 1}:*"]) if uid > last_uid)


def _windows(uids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (uids[start : start + _WINDOW] for start in range(0, len(uids), _WINDOW))


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
