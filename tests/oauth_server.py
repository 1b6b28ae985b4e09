"""A small authorization server on 127.0.0.1: access tokens (RFC 6749, RFC 7523) and introspection (RFC 7662).

It gives tokens for refresh tokens, apps and service accounts that it was told of, and tells a mail server whose they
are. What it was asked is kept; what it answers can be replaced, for what real ones do too seldom.
"""

import json
import secrets
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

HOST = "127.0.0.1"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/json"


def error(code: object, description: str = "", status: int = 400) -> Answer:
    return Answer(status, json.dumps({"error": code, "error_description": description}).encode())


@dataclass(slots=True)
class TokenServer:
    """Use as a context."""

    lifetime: int = 3600
    """Seconds, as it says."""
    rotates: bool = False
    """Each refresh token works once and is replaced."""
    forms: list[dict[str, str]] = field(default_factory=list)
    """What was posted to /token, in order."""
    answers: list[Answer] = field(default_factory=list)
    """Given instead of a token, each once."""
    apps: dict[tuple[str, str], str] = field(default_factory=dict)
    """The user for whom an app (id, secret) gets tokens by itself."""
    keys: dict[str, RSAKey] = field(default_factory=dict)
    """Public keys of service accounts by their address."""
    tls: ssl.SSLContext | None = None
    _users: dict[str, str] = field(default_factory=dict)
    _refresh_tokens: dict[str, str] = field(default_factory=dict)
    _server: ThreadingHTTPServer = field(init=False)

    def __post_init__(self) -> None:
        tokens = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._say(tokens._introspect(parse_qs(urlsplit(self.path).query).get("token", [""])[0]))

            def do_POST(self) -> None:
                posted = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                self._say(tokens._token({name: values[0] for name, values in parse_qs(posted).items()}))

            def _say(self, answer: Answer) -> None:
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def token_url(self) -> str:
        return f"{'http' if self.tls is None else 'https'}://{HOST}:{self.port}/token"

    @property
    def introspection_url(self) -> str:
        return f"http://{HOST}:{self.port}/introspect?token="

    # -- what a person does there ----------------------------------------------------------------------------------

    def sign_in(self, user: str) -> str:
        """A refresh token for `user`."""
        token = f"refresh/{secrets.token_urlsafe(12)}"
        self._refresh_tokens[token] = user
        return token

    def take_back(self, token: str) -> None:
        """An access or a refresh token; from now on it is worth nothing."""
        self._users.pop(token, None)
        self._refresh_tokens.pop(token, None)

    def user_of(self, token: str) -> str | None:
        return self._users.get(token)

    # -- what programs ask -----------------------------------------------------------------------------------------

    def _introspect(self, token: str) -> Answer:
        user = self.user_of(token)
        return Answer(200, json.dumps({"active": True, "username": user} if user else {"active": False}).encode())

    def _token(self, form: dict[str, str]) -> Answer:
        self.forms.append(form)
        if self.answers:
            return self.answers.pop(0)
        user = self._user_for(form)
        if user is None:
            return error("invalid_grant", "no such grant")
        token = secrets.token_urlsafe(24)
        self._users[token] = user
        body: dict[str, object] = {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime}
        if self.rotates and form["grant_type"] == "refresh_token":
            self.take_back(form["refresh_token"])
            body["refresh_token"] = self.sign_in(user)
        return Answer(200, json.dumps(body).encode())

    def _user_for(self, form: Mapping[str, str]) -> str | None:
        match form.get("grant_type"):
            case "refresh_token":
                return self._refresh_tokens.get(form.get("refresh_token", ""))
            case "client_credentials":
                return self.apps.get((form.get("client_id", ""), form.get("client_secret", "")))
            case grant_type if grant_type == JWT_BEARER:
                return self._user_vouched_for(form.get("assertion", ""))
        return None

    def _user_vouched_for(self, assertion: str) -> str | None:
        """The subject of what a service account has signed (RFC 7523, 3). Raises JoseError for a wrong signature."""
        (key,) = self.keys.values()
        claims = jwt.decode(assertion, key, algorithms=["RS256"]).claims
        known = claims["iss"] in self.keys and claims["aud"] == self.token_url
        return str(claims["sub"]) if known else None
