"""The review desk as one application: pages, files of ours, events, errors. Nothing is built at import."""

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mailflow.web.access import CrossSiteGuard
from mailflow.web.desk import WebDesk
from mailflow.web.failures import add_failures
from mailflow.web.letter import letter_router
from mailflow.web.live import News, live_router
from mailflow.web.outbox import outbox_router
from mailflow.web.quarantine import quarantine_router
from mailflow.web.queue import queue_router
from mailflow.web.rendering import Renderer, Static
from mailflow.web.thread import thread_router

MOST_SENT = 2 << 20
"""Octets of one request."""


class SizeGuard:
    """ASGI middleware: reads no more of a request than MOST_SENT."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = Headers(scope=scope).get("content-length", "0")
        if not said.isdecimal() or int(said) > MOST_SENT:
            await PlainTextResponse(f"A request has at most {MOST_SENT} octets.", 413)(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            # more than was said: as if the sender had hung up
            return {"type": "http.disconnect"} if read > MOST_SENT else message

        await self._app(scope, counted, send)


def create_app(desk: WebDesk, renderer: Renderer, further: Sequence[APIRouter] = ()) -> FastAPI:
    """`further`: what is not about mails: signing in, numbers, training, the REST interface."""
    app = FastAPI(title="mailflow review desk", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.desk, app.state.guard, app.state.news = desk, desk.guard, News(desk.store)
    app.add_middleware(CrossSiteGuard, origin=desk.guard.origin)
    app.add_middleware(SizeGuard)
    add_failures(app, desk, renderer)
    app.mount("/static", Static())

    @app.get("/", include_in_schema=False)
    def front() -> Response:
        return RedirectResponse("/queue", 303)

    own = (
        queue_router(renderer),
        thread_router(renderer),
        outbox_router(renderer),
        quarantine_router(renderer),
        letter_router(),
        live_router(),
    )
    for router in (*own, *further):
        app.include_router(router)
    return app
