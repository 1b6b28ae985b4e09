"""An issuer of OpenID Connect (Core 1.0): authorization code with PKCE (RFC 7636), state and nonce. Implements Issuer.

Rule: an ID token counts when it is signed by a key that the issuer publishes, with an algorithm of ALGORITHMS, for us,
of this sign-in (nonce), and not over. Why no HMAC and no `none`: then our own secret, or nothing, would sign.
Rule: what the issuer publishes of itself is read from its own address, which it must repeat, over TLS.
Rule: no secret in an error. Errors have no cause, because that of a library may hold the request.
"""

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog
from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]  # published without types
from authlib.integrations.httpx_client import OAuth2Client  # type: ignore[import-untyped]  # published without types
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from mailflow.core.accounts import SignInRefused
from mailflow.core.ports import Clock
from mailflow.core.sign_in_elsewhere import Flow, Identity
from mailflow.errors import ConnectionFailed

log = structlog.get_logger(__name__)
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
SCOPE = "openid email profile"
_TIMEOUT = timedelta(seconds=10)
_LEEWAY = timedelta(seconds=60)
"""How far clocks may differ."""
_KEPT_FOR = timedelta(hours=1)
"""What the issuer publishes of itself is read anew after this, its keys also where one is not known."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NO_ISSUER = "the sign-in server's answer is none of OpenID Connect: see docs/configuration.md"


@dataclass(frozen=True, slots=True)
class Client:
    """What the issuer knows us by."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    """'' for a client that has none."""
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Published:
    """What an issuer says of itself (OpenID Connect Discovery 1.0)."""

    authorization: str
    token: str
    jwks: str
    userinfo: str
    takes_basic: bool
    says_iss: bool
    """RFC 9207."""
    read_at: datetime


class OidcIssuer:
    """Implements services.sign_in_elsewhere.Issuer. May be used by many threads."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._lock = threading.Lock()
        self._published: Published | None = None
        self._keys: KeySet | None = None

    def begin(self, flow: Flow) -> str:
        published = self._of_itself()
        with self._session(published) as session:
            url, _ = session.create_authorization_url(
                published.authorization, state=flow.state, nonce=flow.nonce, code_verifier=flow.verifier
            )
        return str(url)

    def is_itself(self, iss: str) -> bool:
        return iss == self._client.issuer or (not iss and not self._of_itself().says_iss)

    def identity(self, code: str, flow: Flow) -> Identity:
        published = self._of_itself()
        with _explained(), self._session(published) as session:
            token = session.fetch_token(
                published.token, code=code, code_verifier=flow.verifier, grant_type="authorization_code"
            )
            claims = self._claims(token.get("id_token"), flow.nonce, published)
            if "email" not in claims and published.userinfo:
                claims |= _same_person(claims["sub"], session.get(published.userinfo).raise_for_status().json())
        return _identity(claims)

    # ------------------------------------------------------------------ what it publishes

    def _of_itself(self) -> Published:
        with self._lock:
            known, now = self._published, self._clock.now()
            if known is None or now - known.read_at > _KEPT_FOR:
                with _explained(), _plain_session() as session:
                    said = _json(session, f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration")
                known, self._keys = self._understood(said, now), None
                self._published = known
            return known

    def _understood(self, said: Mapping[str, Any], now: datetime) -> Published:
        if said.get("issuer") != self._client.issuer:
            raise SignInRefused("the sign-in server calls itself otherwise than [web] oidc_issuer does: compare them")
        needed = [said.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        userinfo = said.get("userinfo_endpoint") or ""
        if not all(isinstance(one, str) and _is_safe(one) for one in needed) or (userinfo and not _is_safe(userinfo)):
            raise SignInRefused(_NO_ISSUER)
        ways = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        says_iss = said.get("authorization_response_iss_parameter_supported") is True
        authorization, token, jwks = map(str, needed)
        return Published(authorization, token, jwks, str(userinfo), "client_secret_basic" in ways, says_iss, now)

    def _keys_of(self, published: Published, *, anew: bool) -> KeySet:
        with self._lock:
            if self._keys is None or anew:
                with _plain_session() as session:
                    said = _json(session, published.jwks)
                    self._keys = KeySet.import_key_set({"keys": _public(said.get("keys"))})
            return self._keys

    def _session(self, published: Published) -> Any:
        way = "client_secret_basic" if published.takes_basic else "client_secret_post"
        return OAuth2Client(
            self._client.client_id,
            self._client.client_secret or None,
            token_endpoint_auth_method=way if self._client.client_secret else "none",
            scope=SCOPE,
            redirect_uri=self._client.redirect_uri,
            code_challenge_method="S256",
            timeout=_TIMEOUT.total_seconds(),
            follow_redirects=False,
            verify=ssl.create_default_context(),
        )

    # ------------------------------------------------------------------ the ID token

    def _claims(self, id_token: object, nonce: str, published: Published) -> dict[str, Any]:
        """Raises JoseError, ValueError."""
        if not isinstance(id_token, str):
            raise ValueError("no ID token")
        try:
            token = jwt.decode(id_token, self._keys_of(published, anew=False), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            # it may have begun to sign with another key
            token = jwt.decode(id_token, self._keys_of(published, anew=True), algorithms=ALGORITHMS)
        rules = jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            leeway=int(_LEEWAY.total_seconds()),
            iss={"essential": True, "value": self._client.issuer},
            aud={"essential": True, "value": self._client.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        rules.validate(token.claims)
        claims = dict(token.claims)
        if claims.get("azp", self._client.client_id) != self._client.client_id or not isinstance(claims["sub"], str):
            raise ValueError("it is for another client")
        return claims


def _identity(claims: Mapping[str, Any]) -> Identity:
    """`xms_edov`: how Microsoft says that an address is verified."""
    is_verified = claims.get("email_verified") is True or claims.get("xms_edov") in (True, 1, "1", "true")
    email, name = claims.get("email"), claims.get("name")
    return Identity(
        claims["sub"],
        email if isinstance(email, str) else "",
        is_verified,
        name if isinstance(name, str) else "",
    )


def _same_person(subject: str, said: object) -> dict[str, Any]:
    """Of what userinfo says what is about `subject` (OpenID Connect Core, 5.3.2)."""
    if not isinstance(said, dict) or said.get("sub") != subject:
        raise ValueError("userinfo is about somebody else")
    return {name: said[name] for name in ("email", "email_verified", "xms_edov", "name") if name in said}


def _public(keys: object) -> list[Any]:
    """Without what is no public key of a kind that signs ID tokens."""
    if not isinstance(keys, list):
        raise ValueError("no keys")
    signing = (one for one in keys if isinstance(one, dict) and one.get("kty") in ("RSA", "EC", "OKP"))
    return [one for one in signing if one.get("use", "sig") == "sig" and "d" not in one]


def _is_safe(url: str) -> bool:
    """Whether secrets may be sent to it: TLS, or this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


@contextmanager
def _plain_session() -> Iterator[httpx.Client]:
    with httpx.Client(
        timeout=_TIMEOUT.total_seconds(), follow_redirects=False, verify=ssl.create_default_context()
    ) as session:
        yield session


def _json(session: httpx.Client, url: str) -> dict[str, Any]:
    said = session.get(url).raise_for_status().json()
    if not isinstance(said, dict):
        raise ValueError("no object")
    return said


@contextmanager
def _explained() -> Iterator[None]:
    """What libraries raise, as what the person who signs in can do about it; for the log a little more."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        log.warning("sign-in elsewhere failed", error=f"HTTP {error.response.status_code}")
        raise ConnectionFailed("the sign-in server does not answer as it should: try again later") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        log.warning("sign-in elsewhere failed", error=type(error).__name__)
        raise ConnectionFailed("the sign-in server cannot be reached: try again later") from None
    except AuthlibBaseError as error:
        code = error.error if isinstance(error.error, str) and error.error.isidentifier() else "an error"
        log.warning("sign-in elsewhere refused", error=code)
        raise SignInRefused("the sign-in server took back its word: begin again") from None
    except JoseError as error:
        log.warning("sign-in elsewhere refused", error=type(error).__name__)
        raise SignInRefused(
            "the sign-in server's word cannot be trusted: begin again, or ask whoever runs it"
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        log.warning("sign-in elsewhere refused", error=type(error).__name__)
        raise SignInRefused(_NO_ISSUER) from None
