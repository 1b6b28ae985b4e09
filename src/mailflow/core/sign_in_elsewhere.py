"""Signing in with an account of somebody else's making (OpenID Connect): what is kept meanwhile, and who may come in.

Rule: an account is found by a mail address that the issuer has verified, of a domain that the settings name. Why both:
at a public issuer anybody has an account, and says of himself what he likes.
Rule: what belongs to one sign-in (state, nonce, verifier) comes back with the browser that began it, signed by us, and
is good for LASTS. So nobody can let another one end what he has begun (RFC 9700, 4.7).
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from mailflow.core.accounts import LONGEST_NAME, SignInRefused
from mailflow.core.reply import is_sendable

LASTS = timedelta(minutes=10)
_MOST = 4_000
"""Characters of what comes back with the browser: no more than a cookie holds."""
LONGEST_NEXT = 400
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Flow:
    """One sign-in on its way. Each secret is used once."""

    state: str
    nonce: str
    verifier: str
    """Of PKCE (RFC 7636)."""
    next: str
    begun_at: int
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What an issuer says of somebody."""

    subject: str
    email: str
    is_verified: bool
    """Whether the issuer says that the address is his."""
    display_name: str


def sealed(flow: Flow, key: bytes) -> str:
    """Fit for a cookie."""
    said = base64.urlsafe_b64encode(json.dumps(asdict(flow)).encode()).decode("ascii").rstrip("=")
    return f"{said}.{_mac(said, key)}"


def opened(text: str, key: bytes, now: datetime) -> Flow | None:
    """None for what is not ours, was changed, or is too old."""
    said, _, mac = text.rpartition(".")
    if len(text) > _MOST or not text.isascii() or not hmac.compare_digest(mac, _mac(said, key)):
        return None
    flow = Flow(**json.loads(base64.urlsafe_b64decode(said + "==")))
    age = now.timestamp() - flow.begun_at
    return flow if 0 <= age <= LASTS.total_seconds() else None


def _mac(said: str, key: bytes) -> str:
    return hmac.new(key, b"sign-in elsewhere " + said.encode(), hashlib.sha256).hexdigest()


def account_name(identity: Identity, domains: Collection[str]) -> str:
    """The account of somebody. Raises SignInRefused with what is amiss."""
    email = identity.email.strip().lower()
    if not identity.is_verified:
        raise SignInRefused("the sign-in server does not say that your mail address is verified: ask whoever runs it")
    if not (email.isascii() and is_sendable(email)) or len(email) > LONGEST_NAME:
        raise SignInRefused("the sign-in server gave no mail address that an account can be named by")
    if email.rpartition("@")[2] not in domains:
        raise SignInRefused("accounts of your mail address's domain are not let in here")
    return email


def display_name(identity: Identity, name: str) -> str:
    shown = " ".join("".join(char for char in identity.display_name if char.isprintable()).split())
    return shown[:_SHOWN] or name
