"""What happens on the desk, as it happens: server-sent events (HTML, 9.2) to the pages that are open.

    audit trail  ->  one look a second for all pages  ->  `data: {"newest": 42, "threads": [7]}`

Rule: an event says which threads changed and nothing more; the page asks for what it shows, as whoever is signed in.
Rule: without JavaScript nothing is lost: the page is as it was, and a version check stops what is too late.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from time import monotonic
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from mailflow.core.accounts import Signed
from mailflow.core.review import Permission
from mailflow.core.review_store import ReviewStore
from mailflow.errors import MailflowError
from mailflow.web.access import needs, signed_in
from mailflow.web.filters import MOST_ID
from mailflow.web.rendering import HEADERS

EVERY = 1.0
"""Seconds between two looks."""
BEAT = 15.0
"""Seconds after which a silent stream says that it is there, and asks whether its reader is still signed in."""
_AT_ONCE = 500
_log = logging.getLogger(__name__)
_End = None

Happened = tuple[int, list[int]]
"""(the newest event, the threads that changed)."""


class News:
    """Looks while somebody listens."""

    def __init__(self, store: ReviewStore, every: float = EVERY) -> None:
        self._store, self._every = store, every
        self._listeners: set[asyncio.Queue[Happened | None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._is_closed = False

    async def events(self, after: int, beat: float = BEAT) -> AsyncIterator[Happened | None]:
        """What happened after `after`, without end until `close`; None where nothing has for `beat` seconds."""
        heard: asyncio.Queue[Happened | None] = asyncio.Queue()
        self._listeners.add(heard)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(await run_in_threadpool(self._newest)))
        try:
            missed = await run_in_threadpool(self._after, after)
            if missed[1] or missed[0] > after:
                yield missed
            while not self._is_closed:
                try:
                    happened = await asyncio.wait_for(heard.get(), beat)
                except TimeoutError:
                    yield None
                    continue
                if happened is _End:
                    return
                yield happened
        finally:
            self._listeners.discard(heard)

    def close(self) -> None:
        """End all streams, so that the server can stop. Called on the server's loop."""
        self._is_closed = True
        for heard in self._listeners:
            heard.put_nowait(_End)

    async def _look(self, newest: int) -> None:
        while self._listeners and not self._is_closed:
            await asyncio.sleep(self._every)
            with suppress(MailflowError):  # the database is away for a moment: the next look finds what happened
                now, threads = await run_in_threadpool(self._after, newest)
                if now > newest:
                    newest = now
                    for heard in self._listeners:
                        heard.put_nowait((now, threads))

    def _newest(self) -> int:
        with self._store.view() as unit:
            return unit.newest_event()

    def _after(self, after: int) -> Happened:
        with self._store.view() as unit:
            return unit.news(after, _AT_ONCE)


def live_router() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/live")
    async def live(
        request: Request,
        signed: Annotated[Signed, Depends(needs(Permission.READ))],
        after: Annotated[int, Query(ge=0, le=MOST_ID)] = 0,
    ) -> Response:
        last = request.headers.get("last-event-id", "")
        start = int(last) if last.isascii() and last.isdecimal() and len(last) < 16 else after
        headers = HEADERS | {"X-Accel-Buffering": "no"}
        return StreamingResponse(_stream(request, start), media_type="text/event-stream", headers=headers)

    return router


async def _stream(request: Request, after: int) -> AsyncIterator[str]:
    """Ends with the session, at the latest BEAT after it, however much happens."""
    news: News = request.app.state.news
    yield "retry: 3000\n\n"
    asked = monotonic()
    async for happened in news.events(after, BEAT):
        if happened is None or monotonic() - asked >= BEAT:
            asked = monotonic()
            if await run_in_threadpool(signed_in, request) is None:
                return
        if happened is None:
            yield ": still here\n\n"
        else:
            newest, threads = happened
            yield f"id: {newest}\ndata: {json.dumps({'newest': newest, 'threads': threads})}\n\n"
