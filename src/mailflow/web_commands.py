"""`mailflow web`: the review desk put together, and served until somebody stops it.

Rule: FastAPI and uvicorn are imported where they are used; without the extra `web` every other command works.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from mailflow import bootstrap, console, learning, settings
from mailflow.command_line import ConfigOption, explained, fail, out
from mailflow.core.octets import Octets
from mailflow.core.partner import PartnerDirectory
from mailflow.core.storage import Read, Understood
from mailflow.errors import SettingsError

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from mailflow.adapters.store import SqlStore

_PATIENCE = 5
"""Seconds that requests have to end when the server is stopped."""
_STARTED_WITHIN = 20.0


def web(
    config: ConfigOption = None,
    host: Annotated[str, typer.Option("--host", help="in place of [web] host")] = "",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="in place of [web] port")] = 0,
) -> None:
    """Serve the review desk, until stopped."""
    with explained():
        chosen = settings.read_settings(config)
        store = bootstrap.build_store(chosen)
        app = build_app(chosen, store)
        server = _server(app, host or chosen.web.host, port or chosen.web.port)
        where = chosen.web.origin or f"http://{host or chosen.web.host}:{port or chosen.web.port}"
        with store.view() as unit:
            has_accounts = bool(unit.accounts())
        if not has_accounts:
            out.print(console.plain("nobody may sign in yet: mailflow users add NAME --role admin"))
        out.print(console.plain(f"the review desk is at {where}"))
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, server.handle_exit)
        server.run()
    if not server.started:
        fail(f"nothing can listen at {where}: is the desk running already? `--port` takes another port")


def build_app(chosen: settings.Settings, store: SqlStore, read: Read | None = None) -> FastAPI:
    """The whole review desk. Raises SettingsError where the extra `web` is not installed, AssetError, ModelError."""
    access = bootstrap.build_access(chosen, store=store)
    from mailflow.web.access import Guard
    from mailflow.web.api import api_router
    from mailflow.web.app import create_app
    from mailflow.web.desk import WebDesk
    from mailflow.web.learning import learning_router
    from mailflow.web.numbers import numbers_router
    from mailflow.web.rendering import Renderer
    from mailflow.web.sign_in import account_router, sign_in_router

    review = bootstrap.build_review(chosen, store=store, read=one_at_a_time(read or bootstrap.build_reader(chosen)))
    origin = chosen.web.origin
    desk = WebDesk(
        store=store,
        guard=Guard(access, is_tls=origin.startswith("https://"), origin=origin),
        review=review,
        clock=bootstrap.SystemClock(),
        name=chosen.desk.name,
    )
    renderer = Renderer()
    further = (
        sign_in_router(renderer),
        account_router(renderer),
        api_router(),
        numbers_router(renderer),
        learning_router(renderer, learning.ModelFolders(chosen)),
    )
    return create_app(desk, renderer, further)


def one_at_a_time(read: Read) -> Read:
    """The reading process takes one mail at a time; requests come from many threads."""
    lock = threading.Lock()

    def locked(content: Octets, size: int | None, partners: PartnerDirectory) -> Understood:
        with lock:
            return read(content, size, partners)

    return locked


# ---------------------------------------------------------------------- serving


def _server(app: FastAPI, host: str, port: int) -> uvicorn.Server:
    """Stops at SIGTERM and SIGINT: streams end at once, requests within _PATIENCE."""
    import uvicorn

    class DeskServer(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Generator[None]:
            yield  # they belong to whoever called us

        async def shutdown(self, sockets: object = None) -> None:
            app.state.news.close()
            await super().shutdown()

    return DeskServer(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_PATIENCE,
            proxy_headers=False,
        )
    )


@contextmanager
def served(chosen: settings.Settings, store: SqlStore) -> Iterator[str]:
    """The desk on loopback, at its port or, where that is taken, at another one. Gives its address."""
    port = chosen.web.port if _is_free(chosen.web.port) else 0
    with serving(build_app(chosen, store), "127.0.0.1", port) as address:
        yield address


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def serving(app: FastAPI, host: str, port: int) -> Iterator[str]:
    """The desk in a thread of its own. Gives its address. Raises SettingsError where the port is taken."""
    server = _server(app, host, port)
    thread = threading.Thread(target=server.run, name="review desk", daemon=True)
    thread.start()
    waited = threading.Event()
    for _ in range(int(_STARTED_WITHIN / 0.05)):
        if server.started or not thread.is_alive():
            break
        waited.wait(0.05)
    if not server.started:
        raise SettingsError(f"the review desk cannot listen on {host}:{port}: is it running already? choose another")
    try:
        bound = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://{host}:{bound}"
    finally:
        server.should_exit = True
        thread.join(_PATIENCE + 5)
