"""A small issuer of OpenID Connect on loopback: discovery, keys, authorization, tokens, userinfo.

It is strict about what a client sends (PKCE, redirect address, its secret), and can be told to lie in each way that a
client must notice.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from tests.http_server import served

CLIENT_ID, CLIENT_SECRET = "mailflow", "a secret of the desk"


@cache
def rsa_key(kid: str) -> RSAKey:
    """Made once: it takes a while."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


@dataclass(slots=True)
class OidcStandIn:
    now: int
    """Seconds since 1970."""
    url: str = ""
    person: dict[str, Any] = field(
        default_factory=lambda: {
            "sub": "248289761001",
            "email": "Sam@Desk.example",
            "email_verified": True,
            "name": "Sam Example",
        }
    )
    claims: dict[str, Any] = field(default_factory=dict)
    """Of the ID token, in place of what would be right; None takes one away."""
    published: dict[str, Any] = field(default_factory=dict)
    """Of discovery, in place of what is right."""
    key: Any = field(default_factory=lambda: rsa_key("one"))
    signs_with: Any = None
    """Another key than the one that is published."""
    algorithm: str = "RS256"
    """HS256: with the public key taken for a secret, an old confusion."""
    refuses: str = ""
    """`error` of the token endpoint."""
    is_down: bool = False
    tells_by_userinfo: bool = False
    asked: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize?tenant=a",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/userinfo",
        } | self.published

    def consent(self, location: str) -> str:
        """What a browser does with the address that the desk sent it to: it comes back with this address."""
        parts = urlsplit(location)
        assert f"{parts.scheme}://{parts.netloc}" == self.url
        asked = dict(parse_qsl(parts.query))
        assert asked["tenant"] == "a"
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        assert set(asked["scope"].split()) == {"openid", "email", "profile"}
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        if self.refuses:
            return 400, {"error": self.refuses, "error_description": "no\nway"}
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None:
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if _base64url(digest) != asked["code_challenge"] or form.get("redirect_uri") != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        if not _is_client(form, authorization):
            return 401, {"error": "invalid_client"}
        return 200, {
            "access_token": "of-sam",
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": self._id_token(asked["nonce"]),
        }

    def _id_token(self, nonce: str) -> str:
        told = {"sub": self.person["sub"]} if self.tells_by_userinfo else self.person
        right = {"iss": self.url, "aud": CLIENT_ID, "iat": self.now, "exp": self.now + 300, "nonce": nonce}
        claims = {name: value for name, value in (right | told | self.claims).items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.key.kid or "one"}
        if self.algorithm in ("none", "HS256"):
            signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims))
            mac = hmac.new(self.key.as_pem(private=False), signed.encode(), hashlib.sha256).digest()
            return f"{signed}.{_base64url(mac) if self.algorithm == 'HS256' else ''}"
        return jwt.encode(header, claims, self.signs_with or self.key, algorithms=[self.algorithm])

    def change_key(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "two", "use": "sig"})
        self.algorithm = "ES256"


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _is_client(form: dict[str, str], authorization: str) -> bool:
    if authorization:
        user, _, password = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        return (unquote(user), unquote(password.replace("+", " "))) == (CLIENT_ID, CLIENT_SECRET)
    return (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)


@contextmanager
def issuing(now: int) -> Iterator[OidcStandIn]:
    issuer = OidcStandIn(now)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            pages: dict[str, Callable[[], object]] = {
                "/.well-known/openid-configuration": issuer.document,
                "/keys": lambda: {"keys": [issuer.key.as_dict(private=False)]},
                "/userinfo": lambda: issuer.person,
            }
            page = pages.get(self.path)
            self._answer(200 if page else 404, page() if page else {})

        def do_POST(self) -> None:
            issuer.asked.append(self.path)
            sent = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            form = {name: values[0] for name, values in parse_qs(sent).items()}
            self._answer(*issuer.token(form, self.headers.get("Authorization", "")))

        def _answer(self, status: int, said: object) -> None:
            content = json.dumps(said).encode()
            self.send_response(503 if issuer.is_down else status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None: ...

    with served(Handler) as issuer.url:
        yield issuer
