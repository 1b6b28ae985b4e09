"""What happens reaches the pages that are open, once each, until the server stops."""

import asyncio
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from starlette.requests import Request
from tests.web.desk_pages import WebOffice, held

from mailflow.core.review_store import ReviewStore, ReviewUnit
from mailflow.errors import StoreError
from mailflow.web import live
from mailflow.web.live import Happened, News

SOON = 0.01
LONG = 30.0


async def first(news: News, after: int, count: int, beat: float = LONG) -> list[Happened | None]:
    """The first `count` of what is heard."""
    heard: list[Happened | None] = []
    async for happened in news.events(after, beat):
        heard.append(happened)
        if len(heard) == count:
            break
    return heard


def newest(desk: WebOffice) -> int:
    with desk.store.view() as unit:
        return unit.newest_event()


def test_what_happened_since_the_page_was_made_is_told_at_once(desk: WebOffice) -> None:
    desk.office.work(held(1), held(2))
    (happened,) = asyncio.run(first(News(desk.store, LONG), 0, 1))
    assert happened == (newest(desk), [1, 2])


def test_what_happens_while_a_page_is_open_is_told_to_all_who_listen(desk: WebOffice) -> None:
    desk.office.work(held(1), held(2))
    after = newest(desk)

    async def listen() -> list[list[Happened | None]]:
        news = News(desk.store, SOON)
        listeners = [asyncio.create_task(first(news, after, 1)) for _ in range(3)]
        await asyncio.to_thread(change)
        return await asyncio.gather(*listeners)

    def change() -> None:
        with desk.store.unit() as unit:
            unit.add_note(2, "kim", "look", desk.clock.now() + timedelta(seconds=1))

    assert asyncio.run(listen()) == [[(newest(desk), [2])]] * 3


def test_silence_is_told_as_such_so_that_who_left_is_noticed(desk: WebOffice) -> None:
    assert asyncio.run(first(News(desk.store, LONG), newest(desk), 2, beat=SOON)) == [None, None]


def test_the_server_stops_while_pages_are_open(desk: WebOffice) -> None:
    async def stop() -> list[Happened | None]:
        news = News(desk.store, SOON)
        listener = asyncio.create_task(first(news, newest(desk), 1))
        await asyncio.sleep(0)
        news.close()
        return await listener

    assert asyncio.run(stop()) == []


class AwayOnce:
    """A store that fails at the third look."""

    def __init__(self, store: ReviewStore) -> None:
        self._store, self.looks = store, 0

    def view(self) -> AbstractContextManager[ReviewUnit]:
        self.looks += 1
        if self.looks == 3:
            raise StoreError("the database refused")
        return self._store.view()


def test_a_database_that_is_away_for_a_moment_ends_nothing(desk: WebOffice) -> None:
    store, after = AwayOnce(desk.store), newest(desk)

    async def listen() -> list[Happened | None]:
        listener = asyncio.create_task(first(News(store, SOON), after, 1))  # type: ignore[arg-type]  # it only looks
        while store.looks < 4:
            await asyncio.sleep(SOON)
        await asyncio.to_thread(change)
        return await listener

    def change() -> None:
        with desk.store.unit() as unit:
            unit.tell("sam", "tried", "something", desk.clock.now())

    assert asyncio.run(listen()) == [(after + 1, [])]


def test_the_events_of_a_busy_desk_end_with_the_session(desk: WebOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BEAT", 0.2)
    desk.app.state.news = News(desk.store, SOON)
    with desk.store.view() as unit:
        sam = unit.account("sam")
    assert sam is not None
    cookie = f"mailflow={desk.access.begin_session(sam)}".encode()
    scope = {"type": "http", "app": desk.app, "method": "GET", "path": "/live", "headers": [(b"cookie", cookie)]}

    async def is_heard_to_end() -> bool:
        is_busy = True

        async def work() -> None:
            while is_busy:
                await asyncio.to_thread(happen, desk)
                await asyncio.sleep(SOON)

        busy = asyncio.create_task(work())
        heard = 0
        async for said in live._stream(Request(scope), 0):
            heard += said.startswith("id:")
            if heard == 3:
                await asyncio.to_thread(desk.access.sign_out_everywhere, "sam")
            if heard > 300:
                break
        is_busy = False
        await busy
        return 3 <= heard <= 300

    assert asyncio.run(asyncio.wait_for(is_heard_to_end(), 20))


def happen(desk: WebOffice) -> None:
    with desk.store.unit() as unit:
        unit.tell("kim", "tried", "something", desk.clock.now())


def test_events_need_a_sign_in(desk: WebOffice) -> None:
    person = desk.person("sam")
    person.post("/logout")
    assert person.get("/live", accept="text/event-stream").status == 401
