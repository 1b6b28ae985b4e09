"""Who makes a request, what he may do, and requests that another site made a browser send.

    session cookie, or `Authorization: Bearer mfl_...`  ->  Signed  ->  needs(Permission)  ->  the route

Rule: every route says what it needs; tests/web/test_access.py walks all of them with every role.
Rule: a request that changes something and comes with a cookie comes from our own pages: Sec-Fetch-Site, and for clients
that do not send it Origin, must say so (Fetch Metadata, W3C; OWASP's cross-site request forgery cheat sheet).
Rule: a session ends without use; what an open page asks by itself is no use.
Rule: the cookie is new at each sign-in (no session fixation), HttpOnly, SameSite=Lax, and on TLS Secure with the prefix
__Host- (RFC 6265bis, 4.1.3).
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mailflow.core.accounts import Signed
from mailflow.core.review import Permission, may
from mailflow.errors import MailflowError
from mailflow.services.accounts import Access
from mailflow.web.rendering import PARTIAL

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_BEARER = "bearer "


class SignInNeeded(MailflowError):
    """Pages answer with the way to the sign-in, the REST interface with 401."""

    temporary = False

    def __init__(self, next_: str) -> None:
        super().__init__("sign in first")
        self.next = next_

    @property
    def location(self) -> str:
        return f"/login?next={quote(self.next, safe='')}"


class NotAllowed(MailflowError):
    temporary = False


@dataclass(frozen=True, slots=True)
class Guard:
    """In `app.state.guard`."""

    access: Access
    is_tls: bool
    """Whether browsers reach us over TLS: then the cookie is Secure."""
    origin: str
    """`https://desk.example`, where browsers reach us; '' for whatever the Host header says."""
    proxies: frozenset[str] = frozenset()
    """Addresses of proxies of ours, whose X-Forwarded-For counts."""

    @property
    def cookie(self) -> str:
        return "__Host-mailflow" if self.is_tls else "mailflow"


def secret_of(request: Request) -> tuple[str, bool]:
    """(the session's or token's secret, whether it came as a cookie); '' where there is none."""
    authorization = request.headers.get("authorization", "")
    if authorization.lower().startswith(_BEARER):
        return authorization[len(_BEARER) :].strip(), False
    return request.cookies.get(_guard(request).cookie, ""), True


def address_of(request: Request) -> str:
    """Where a request comes from, as far as we can know; of IPv6 the network, of which anybody has a whole one.

    Why the last of X-Forwarded-For: that one our proxy wrote, those before it the client may have made up.
    """
    peer = request.client.host if request.client else ""
    if peer in _guard(request).proxies:
        peer = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip() or peer
    try:
        found = ip_address(peer)
    except ValueError:
        return "unknown"
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((found, 64), strict=False))
    return str(found)


def signed_in(request: Request) -> Signed | None:
    secret, _ = secret_of(request)
    return _guard(request).access.who(secret, is_used=not is_background(request)) if secret else None


def is_background(request: Request) -> bool:
    """Whether a page that is open asks by itself: a session ends though the page of whoever left it asks on."""
    path = request.url.path
    is_refresh = request.method in SAFE_METHODS and PARTIAL in request.headers
    return is_refresh or path == "/live" or (path.startswith("/threads/") and path.endswith("/look"))


def needs(permission: Permission) -> Callable[[Request], Signed]:
    """A dependency of FastAPI. Raises SignInNeeded, NotAllowed."""

    def who(request: Request) -> Signed:
        signed = signed_in(request)
        if signed is None:
            query = f"?{request.url.query}" if request.url.query else ""
            raise SignInNeeded(request.url.path + query if request.method == "GET" else "/")
        if not may(signed.account.role, permission):
            raise NotAllowed(f"your account may not do this: its role is {signed.account.role}")
        return signed

    who.permission = permission  # type: ignore[attr-defined]  # read by the test that walks all routes
    return who


def set_cookie(response: Response, guard: Guard, secret: str) -> None:
    response.set_cookie(
        guard.cookie, secret, max_age=7 * 86_400, path="/", secure=guard.is_tls, httponly=True, samesite="lax"
    )


def drop_cookie(response: Response, guard: Guard) -> None:
    response.delete_cookie(guard.cookie, path="/", secure=guard.is_tls, httponly=True, samesite="lax")


def safe_next(path: str) -> str:
    """Where to go after the sign-in: a path of ours, else the front page. `//elsewhere` is none of ours."""
    parts = urlsplit(path)
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return path if is_ours and path.isprintable() else "/"


def is_cross_site(method: str, headers: Headers, origin: str) -> bool:
    """Whether another site made a browser send this. Bearer tokens are sent by nobody but their owner."""
    if method in SAFE_METHODS or headers.get("authorization", "").lower().startswith(_BEARER):
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    sent = headers.get("origin")
    if sent is None:
        return True
    ours = urlsplit(origin).netloc if origin else headers.get("host", "")
    return urlsplit(sent).netloc != ours or not ours


class CrossSiteGuard:
    """ASGI middleware: refuses what `is_cross_site` says."""

    def __init__(self, app: ASGIApp, origin: str) -> None:
        self._app, self._origin = app, origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_cross_site(scope["method"], Headers(scope=scope), self._origin):
            await _refusal(scope["path"])(scope, receive, send)
            return
        await self._app(scope, receive, send)


_NOT_OURS = "This request did not come from a page of this desk. Reload the page and try again."


def _refusal(path: str) -> Response:
    if not path.startswith("/api/"):
        return PlainTextResponse(_NOT_OURS, 403)
    problem = {"type": "about:blank", "title": "Forbidden", "status": 403, "detail": f"{_NOT_OURS} Or send a token."}
    return JSONResponse(problem, 403, media_type="application/problem+json")


def _guard(request: Request) -> Guard:
    guard: Guard = request.app.state.guard
    return guard
