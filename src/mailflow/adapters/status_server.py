"""/metrics, /healthz and /readyz over HTTP, in a thread of its own, for whoever watches a worker.

    /healthz   200 while every loop comes round in its time, else 503; the body names each loop
    /readyz    200 while everything that the worker needs is there, else 503; the body names each
    /metrics   what `metrics` gives

Rule: reading only, GET and HEAD; nothing about a mail, an address or a server is told. There is no login: listen on
      127.0.0.1 or on a network of your own.
Rule: a visitor who says nothing is gone after five seconds, and one who asks for nonsense gets 404; neither reaches
      the worker.
Why the standard library's server: three pages for two visitors; a framework would be more to keep than the pages.
"""

import json
import socketserver
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from socket import AF_INET, AF_INET6
from typing import ClassVar, Self

import structlog

from mailflow.core.health import Health, as_document
from mailflow.core.ports import Clock
from mailflow.errors import SettingsError

log = structlog.get_logger()
_VISITOR_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Page:
    status: HTTPStatus
    content_type: str
    body: bytes


Pages = Mapping[str, Callable[[str], Page]]
"""By path. Each is asked anew at each visit, with the visitor's Accept."""
Ready = Mapping[str, Callable[[], str]]
"""By what is needed: '' while it is there, else a sentence that says what is missing."""


def status_pages(
    health: Health, ready: Ready, clock: Clock, metrics: Callable[[str], tuple[str, bytes]] | None = None
) -> Pages:
    pages: dict[str, Callable[[str], Page]] = {
        "/healthz": lambda _: health_page(health, clock),
        "/readyz": lambda _: ready_page(ready),
    }
    if metrics is not None:
        pages["/metrics"] = lambda accept: Page(HTTPStatus.OK, *metrics(accept))
    return pages


def health_page(health: Health, clock: Clock) -> Page:
    pulses = health.pulses(clock.now())
    stale = [pulse.name for pulse in pulses if pulse.is_stale]
    return _document(not stale, {"status": "stale" if stale else "ok", "stale": stale, "loops": as_document(pulses)})


def ready_page(ready: Ready) -> Page:
    """Each is asked, also after one that is missing. One that fails is missing."""
    missing = {name: sentence for name, ask in ready.items() if (sentence := _asked(ask))}
    needs = {name: missing.get(name, "ok") for name in ready}
    return _document(not missing, {"status": "not ready" if missing else "ok", "needs": needs})


def _asked(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 - the edge of one question: the answer is that it is not there
        log.warning("not ready", error=type(error).__name__, sentence=str(error))
        return f"{type(error).__name__}; the log says more"


def _document(is_fine: bool, document: Mapping[str, object]) -> Page:
    status = HTTPStatus.OK if is_fine else HTTPStatus.SERVICE_UNAVAILABLE
    return Page(status, "application/json", json.dumps(document, ensure_ascii=True).encode("ascii") + b"\n")


class StatusServer:
    """Listens from `start` to `close`. Raises SettingsError where it cannot listen."""

    def __init__(self, host: str, port: int, pages: Pages, visitor_seconds: float = _VISITOR_SECONDS) -> None:
        """`port` 0 takes a free one; `self.port` says which."""
        handler = type("_Bound", (_Handler,), {"pages": pages, "timeout": visitor_seconds})
        server = _Server6 if ":" in host else _Server
        try:
            self._server = server((host, port), handler)
        except OSError as error:
            raise SettingsError(f"[metrics] cannot listen on {host} port {port}: {error.strerror or error}") from error
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="status", daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop listening; harmless if it never started."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.close()


class _Server(socketserver.ThreadingMixIn, HTTPServer):
    daemon_threads = True
    block_on_close = False
    """A visitor who says nothing must not hold up the end of the worker."""
    address_family = AF_INET

    def server_bind(self) -> None:
        """Without HTTPServer's look-up of the host's name, which may wait for a DNS server."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "mailflow", int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        log.debug("visitor lost")


class _Server6(_Server):
    address_family = AF_INET6


class _Handler(BaseHTTPRequestHandler):
    pages: ClassVar[Pages] = {}
    server_version = "mailflow"
    sys_version = ""

    def do_GET(self) -> None:
        self._send(self._page())

    def do_HEAD(self) -> None:
        self._send(self._page(), with_body=False)

    def _page(self) -> Page:
        path = self.path.partition("?")[0]
        page = self.pages.get(path)
        if page is None:
            return Page(HTTPStatus.NOT_FOUND, "text/plain", b"see /healthz, /readyz, /metrics\n")
        return page(self.headers.get("Accept", ""))

    def _send(self, page: Page, *, with_body: bool = True) -> None:
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if with_body:
            self.wfile.write(page.body)

    def log_message(self, format: str, *args: object) -> None:
        """Visits are not logged: two watchers make a line each few seconds."""
