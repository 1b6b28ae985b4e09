"""Access tokens for a mailbox (OAuth 2.0, RFC 6749), as a TokenProvider.

Three ways to get one, by what the operator has:

    refresh_token        a person has signed in once; Google and Microsoft
    client_credentials   the app itself may open the mailbox; Microsoft
    jwt_bearer           a service account signs for the mailbox (RFC 7523); Google

Rule: a token is renewed AHEAD of its end, so that no login waits for a token endpoint that is down for a moment.
      While the old one holds, a renewal that fails is a warning.
Rule: the file of the refresh token is the truth; it is read anew before each use, under a lock, and a new refresh token
      is written back before the access token is handed out.
      Why: some servers accept a refresh token once only, and take all of them back when an old one comes again. Two
      workers, or [imap] and [smtp], may share one file.
Rule: no secret in an error, a log or a repr. Errors have no cause, because that of a library may hold the request.
"""

import fcntl
import json
import os
import re
import ssl
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Literal
from urllib.parse import quote, quote_plus, urlsplit

import httpx
import structlog
from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]  # published without types
from authlib.oauth2.client import OAuth2Client  # type: ignore[import-untyped]  # published without types
from authlib.oauth2.rfc7523 import JWTBearerGrant  # type: ignore[import-untyped]  # published without types
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from mailflow.core.ports import Clock
from mailflow.errors import ConnectionFailed, LoginRefused, MailflowError, SettingsError

log = structlog.get_logger(__name__)

AHEAD = timedelta(minutes=5)
"""How long before its end a token is renewed; half its life if that is less."""
_DESCRIPTION_LENGTH = 300
_BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750, 2.1. Why checked: nothing else may get into a SASL response."""

_TEMPORARY = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
_ADVICE = {
    "invalid_grant": "the refresh token has ended or was taken back: sign in again and store the new one; for a "
    "service account: see that it may act for this user, and the clock",
    "interaction_required": "a person must sign in again; store the new refresh token",
    "invalid_client": "check oauth_client_id, and oauth_client_secret, which may have expired",
    "unauthorized_client": "give the app its permissions for mail and an administrator's consent; for a service "
    "account: the delegation for this scope",
    "invalid_scope": "check oauth_scope",
    "invalid_request": "check oauth_provider, oauth_tenant and oauth_token_url",
    "unsupported_grant_type": "this server wants a refresh token or a service account",
}
_OTHER_ADVICE = "see docs/configuration.md, OAuth2"


class Grant(StrEnum):
    REFRESH = "refresh_token"
    CLIENT = "client_credentials"
    JWT = "jwt_bearer"


_GRANT_TYPES = {
    Grant.REFRESH: "refresh_token",
    Grant.CLIENT: "client_credentials",
    Grant.JWT: JWTBearerGrant.GRANT_TYPE,
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where tokens are asked for, and for what. No scope: what was consented to."""

    token_url: str
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Preset:
    provider: str
    grant: Grant
    token_url: str
    imap_scope: str
    smtp_scope: str


_GOOGLE = "https://oauth2.googleapis.com/token"
_MICROSOFT = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
PRESETS = (
    Preset("google", Grant.REFRESH, _GOOGLE, "", ""),
    Preset("google", Grant.JWT, _GOOGLE, "https://mail.google.com/", "https://mail.google.com/"),
    Preset(
        "microsoft",
        Grant.REFRESH,
        _MICROSOFT,
        "https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
        "https://outlook.office.com/SMTP.Send offline_access",
    ),
    Preset(
        "microsoft",
        Grant.CLIENT,
        _MICROSOFT,
        "https://outlook.office365.com/.default",
        "https://outlook.office365.com/.default",
    ),
)
"""What a provider name stands for. Printed in docs/configuration.md."""


def preset(provider: str, grant: Grant, protocol: Literal["imap", "smtp"], tenant: str) -> Endpoint:
    """The endpoint of a provider. Raises SettingsError where it does not know the grant."""
    for row in PRESETS:
        if (row.provider, row.grant) == (provider, grant):
            scope = row.imap_scope if protocol == "imap" else row.smtp_scope
            return Endpoint(row.token_url.replace("{tenant}", quote(tenant, safe="")), scope)
    raise SettingsError(f'oauth_provider = "{provider}" gives no tokens by {grant}; see docs/configuration.md, OAuth2')


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Of Google: signs for a mailbox that it was given the delegation for."""

    email: str
    key_id: str
    key: RSAKey = field(repr=False)


def read_service_account(path: Path) -> ServiceAccount:
    """The JSON key file as Google hands it out. Raises SettingsError."""
    try:
        found = json.loads(path.read_bytes())
        return ServiceAccount(
            str(found["client_email"]), str(found["private_key_id"]), RSAKey.import_key(found["private_key"])
        )
    except OSError as error:
        raise SettingsError(f"oauth_service_account_file {path}: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError, JoseError):
        raise SettingsError(
            f"oauth_service_account_file {path}: is not the JSON key of a Google service account; create one and put "
            "the file here as it was downloaded"
        ) from None


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who asks. What is there decides the grant."""

    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    refresh_token_file: Path | None = None
    """Its first line; a new one is written back."""
    service_account: ServiceAccount | None = None

    @property
    def grant(self) -> Grant:
        if self.service_account is not None:
            return Grant.JWT
        if self.refresh_token or self.refresh_token_file is not None:
            return Grant.REFRESH
        return Grant.CLIENT


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    renew_at: datetime | None
    """None, as below: the server does not say how long it lives, so it is used until it is refused."""
    expires_at: datetime | None
    refresh_token: str = field(default="", repr=False)
    """A new one that replaces the old one; '' if there is none."""


class OAuthTokens:
    """Access tokens for the mailbox of `user`. May be used from several threads; one of them asks, the others wait."""

    def __init__(
        self,
        user: str,
        endpoint: Endpoint,
        credentials: Credentials,
        *,
        clock: Clock,
        ca_file: str | None = None,
        timeout: float = 30.0,
    ) -> None:
        """`ca_file`: trusted beside the system's authorities. `timeout`: seconds without an octet.

        Raises SettingsError if the refresh token cannot be read.
        """
        self._user = user
        self.endpoint = endpoint
        self.grant = credentials.grant
        self._credentials = credentials
        self._clock = clock
        self._ca_file = ca_file
        self._timeout = timeout
        self._server = urlsplit(endpoint.token_url).hostname
        self._refresh = _RefreshToken(credentials.refresh_token, credentials.refresh_token_file)
        self._refresh.read()
        self._lock = threading.Lock()
        self._held: _Token | None = None

    @property
    def expires_at(self) -> datetime | None:
        held = self._held
        return held.expires_at if held else None

    def token(self) -> str:
        with self._lock:
            held, now = self._held, self._clock.now()
            if held is not None and (held.renew_at is None or now < held.renew_at):
                return held.value
            try:
                self._held = self._renewed(now)
            except ConnectionFailed as error:
                if held is None or held.expires_at is None or now >= held.expires_at:
                    raise
                log.warning("token not renewed", error=f"{type(error).__name__}: {error}", until=str(held.expires_at))
                return held.value
            return self._held.value

    def refuse(self, token: str) -> None:
        with self._lock:
            if self._held is not None and self._held.value == token:
                self._held = None

    def _renewed(self, now: datetime) -> _Token:
        if self.grant is not Grant.REFRESH:
            return self._ask(now, "")
        with self._refresh.locked():
            try:
                refresh_token = self._refresh.read()
            except SettingsError as error:
                raise LoginRefused(f"{self._user}: {error}") from None
            answer = self._ask(now, refresh_token)
            if answer.refresh_token not in ("", refresh_token):
                self._refresh.keep(answer.refresh_token)
        return answer

    def _ask(self, now: datetime, refresh_token: str) -> _Token:
        """One request to the token endpoint. Raises LoginRefused, ConnectionFailed."""
        form = token_form(self._credentials, self.endpoint, self._user, refresh_token, now)
        try:
            context = ssl.create_default_context()
            if self._ca_file is not None:
                context.load_verify_locations(self._ca_file)
            with httpx.Client(verify=context, timeout=self._timeout) as session:
                client = OAuth2Client(session)
                # Why not Authlib's own: it raises ValueError for a description with a line end, as Microsoft's have.
                client.oauth_error_class = AuthlibBaseError
                answer = client.fetch_token(
                    self.endpoint.token_url, grant_type=_GRANT_TYPES[self.grant], auth=_as_it_is, **form
                )
            return _understood(answer, now)
        except AuthlibBaseError as error:
            raise self._refusal(error, form) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            said = _without(str(error) or type(error).__name__, _secrets(form))
            raise ConnectionFailed(f"{self._user}: no token from {self._server}: {said}") from None
        except (ValueError, TypeError, OverflowError):
            # Their words may hold what came, and a token with it.
            raise ConnectionFailed(
                f"{self._user}: no token from {self._server}: its answer is none of a token endpoint; "
                "check oauth_token_url"
            ) from None

    def _refusal(self, error: AuthlibBaseError, form: Mapping[str, str]) -> MailflowError:
        """The error for an `error` of RFC 6749, 5.2. What the server said of it is kept: it often names the cause."""
        code = error.error if isinstance(error.error, str) else "an error that is no word"
        said = _without(f"{code} {error.description or ''}", _secrets(form))
        sentence = f"{self._user}: no token from {self._server}: {said}"
        if code in _TEMPORARY:
            return ConnectionFailed(sentence)
        return LoginRefused(f"{sentence}; {_ADVICE.get(code, _OTHER_ADVICE)}")


def token_form(
    credentials: Credentials, endpoint: Endpoint, user: str, refresh_token: str, now: datetime
) -> dict[str, str]:
    """What is posted beside grant_type. The client signs in by these fields too (RFC 6749, 2.3.1).

    Why not by HTTP Basic: Google and Microsoft name the fields, and Basic needs an encoding that clients differ in.
    """
    scope = {"scope": endpoint.scope} if endpoint.scope else {}
    if (account := credentials.service_account) is not None:
        # The scope stands in what is signed; expires_at is the longest that Google takes.
        assertion = JWTBearerGrant.sign(
            account.key,
            account.email,
            endpoint.token_url,
            subject=user,
            issued_at=int(now.timestamp()),
            expires_at=int(now.timestamp()) + 3600,
            claims=scope,
            header={"alg": "RS256", "typ": "JWT", "kid": account.key_id},
        )
        return {"assertion": assertion}
    client = {"client_id": credentials.client_id, "client_secret": credentials.client_secret}
    fields = client | scope | {"refresh_token": refresh_token}
    return {name: value for name, value in fields.items() if value}


def _understood(answer: Mapping[str, object], now: datetime) -> _Token:
    """The token in an answer (RFC 6749, 5.1). Raises ValueError, TypeError."""
    value, lifetime, refresh_token = (answer.get(key) for key in ("access_token", "expires_in", "refresh_token"))
    if not isinstance(value, str) or not _BEARER.fullmatch(value):
        raise ValueError("its answer holds no access token")
    renew_at = expires_at = None
    if isinstance(lifetime, int | float | str):
        lives = timedelta(seconds=float(lifetime))
        renew_at, expires_at = now + max(lives - AHEAD, lives / 2), now + lives
    return _Token(value, renew_at, expires_at, refresh_token if isinstance(refresh_token, str) else "")


class _RefreshToken:
    """The newest refresh token: that of the file, or one that could not be written there."""

    def __init__(self, given: str, file: Path | None) -> None:
        self._newest = given
        self._file = file
        self._seen = ""
        """What the file held when it was last read; anything else in it is news."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with the file, among all processes of this machine.

        Why its folder is locked: the file itself is replaced, and a folder can be locked that cannot be written to.
        Where the file system has no locks the work is done without.
        """
        with ExitStack() as stack:
            if self._file is not None:
                with suppress(OSError):
                    folder = os.open(self._file.parent, os.O_RDONLY)
                    stack.callback(os.close, folder)
                    fcntl.flock(folder, fcntl.LOCK_EX)
            yield

    def read(self) -> str:
        """'' if there is none. Raises SettingsError."""
        if self._file is not None:
            try:
                found = self._file.read_text(encoding="utf-8").split("\n", 1)[0].strip()
            except OSError as error:
                raise SettingsError(f"oauth_refresh_token_file {self._file}: {error.strerror}") from None
            except UnicodeDecodeError:
                raise SettingsError(f"oauth_refresh_token_file {self._file}: is not UTF-8 text") from None
            if not found:
                raise SettingsError(f"oauth_refresh_token_file {self._file}: its first line is empty")
            if found != self._seen:
                self._newest = self._seen = found
        return self._newest

    def keep(self, fresh: str) -> None:
        """From now on this one. Where it cannot be written it lives until the next start, and a warning says so."""
        self._newest = fresh
        if self._file is None:
            log.warning("new refresh token lost at the next start", why="oauth_refresh_token_file is not set")
            return
        try:
            _replace(self._file.resolve(), fresh)
        except OSError as error:
            log.warning("new refresh token lost at the next start", file=str(self._file), why=error.strerror)


def _replace(path: Path, line: str) -> None:
    """Whole or not at all, readable by our user only. Raises OSError."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600)
        file.write(line + "\n")
        file.flush()
        os.fsync(descriptor)
    fresh.replace(path)


def _secrets(form: Mapping[str, str]) -> list[str]:
    """Id and scope are none, and an error that names them is worth more."""
    return [form[name] for name in ("client_secret", "refresh_token", "assertion") if name in form]


def _without(sentence: str, secrets: Collection[str]) -> str:
    """The first line of `sentence`, with anything secret blotted out, also where it is quoted for a URL."""
    for secret in sorted({form for one in secrets for form in (one, quote_plus(one))}, key=len, reverse=True):
        sentence = sentence.replace(secret, "***")
    return " ".join(sentence.split("\n", 1)[0].split())[:_DESCRIPTION_LENGTH]


def _as_it_is(request: httpx.Request) -> httpx.Request:
    """The client stands in the form already; httpx must not look for a password in ~/.netrc."""
    return request
