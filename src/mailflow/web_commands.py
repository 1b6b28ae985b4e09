"""`mailflow web`: the review desk put together, and served until somebody stops it.

Rule: FastAPI and uvicorn are imported where they are used; without the extra `web` every other command works.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from mailflow import bootstrap, console, learning, settings
from mailflow.command_line import ConfigOption, explained, out
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


def web(
    config: ConfigOption = None,
    host: Annotated[str, typer.Option("--host", help="in place of [web] host")] = "",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="in place of [web] port")] = 0,
) -> None:
    """Serve the review desk, until stopped."""
    with explained():
        chosen = settings.read_settings(config)
        store = bootstrap.build_store(chosen)
        server = _server(build_app(chosen, store))
        listener = _listen(host or chosen.web.host, port or chosen.web.port)
        with store.view() as unit:
            has_accounts = bool(unit.accounts())
        if not has_accounts:
            out.print(console.plain("nobody may sign in yet: mailflow users add NAME --role admin"))
        where = chosen.web.origin or f"http://{host or chosen.web.host}:{port or chosen.web.port}"
        out.print(console.plain(f"the review desk is at {where}"))
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, server.handle_exit)
        server.run([listener])


def build_app(chosen: settings.Settings, store: SqlStore, read: Read | None = None) -> FastAPI:
    """The whole review desk. Raises SettingsError where the extra `web` is not installed, AssetError, ModelError."""
    access = bootstrap.build_access(chosen, store=store)
    from mailflow.web.access import Guard
    from mailflow.web.api import api_router
    from mailflow.web.api_models import models_router
    from mailflow.web.app import create_app
    from mailflow.web.desk import WebDesk
    from mailflow.web.learning import Comparisons, learning_router
    from mailflow.web.numbers import numbers_router
    from mailflow.web.oidc import BEGIN, oidc_router
    from mailflow.web.rendering import Renderer
    from mailflow.web.sign_in import account_router, sign_in_router

    review = bootstrap.build_review(chosen, store=store, read=one_at_a_time(read or bootstrap.build_reader(chosen)))
    origin = chosen.web.origin
    desk = WebDesk(
        store=store,
        guard=Guard(access, origin.startswith("https://"), origin, frozenset(chosen.web.proxies)),
        review=review,
        clock=bootstrap.SystemClock(),
        name=chosen.desk.name,
        told_key=store.key("told"),
    )
    renderer = Renderer()
    comparisons = Comparisons(learning.ModelFolders(chosen))
    elsewhere = bootstrap.build_elsewhere(chosen, access, store.key("oidc"))
    further = (
        sign_in_router(renderer, ((elsewhere.label, BEGIN),) if elsewhere else ()),
        *((oidc_router(renderer, elsewhere),) if elsewhere else ()),
        account_router(renderer),
        api_router(),
        numbers_router(renderer),
        learning_router(renderer, comparisons),
        models_router(comparisons),
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


def _server(app: FastAPI) -> uvicorn.Server:
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
    app = build_app(chosen, store)
    with ExitStack() as stack:
        try:
            address = stack.enter_context(serving(app, "127.0.0.1", chosen.web.port))
        except SettingsError:
            address = stack.enter_context(serving(app, "127.0.0.1", 0))
        yield address


@contextmanager
def serving(app: FastAPI, host: str, port: int) -> Iterator[str]:
    """The desk in a thread of its own; port 0 is any. Gives its address. Raises SettingsError."""
    listener = _listen(host, port)
    port = listener.getsockname()[1]
    server = _server(app)
    thread = threading.Thread(target=server.run, args=([listener],), name="review desk", daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join(_PATIENCE + 5)


def _listen(host: str, port: int) -> socket.socket:
    """Raises SettingsError where nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        where = f"{host}:{port}"
        raise SettingsError(
            f"nothing can listen at {where} ({error.strerror}): is the desk running already? take another [web] port"
        ) from error
