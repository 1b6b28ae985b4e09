"""The review desk without a browser: the real application on a real store in a file, and people who are signed in.

What comes in goes by the words of tests/services/office.py; answers are made of the real templates.
"""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

from fastapi import FastAPI
from starlette.testclient import TestClient
from tests.services.office import Office, question, reader_of

from mailflow import bootstrap
from mailflow.adapters import schema
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.core.review import Account, AccountRole, Filter, QueueRow, ThreadView
from mailflow.services.accounts import Access
from mailflow.services.ingest import ingest
from mailflow.services.review import ReviewDesk
from mailflow.settings import Settings
from mailflow.testing import DESK, FrozenClock
from mailflow.web.access import Guard
from mailflow.web.app import create_app
from mailflow.web.desk import WebDesk
from mailflow.web.rendering import Renderer
from mailflow.web.sign_in import sign_in_router

PASSWORD = "a long enough password"
UNDO = timedelta(seconds=20)
PEOPLE = {
    "vera": AccountRole.VIEWER,
    "sam": AccountRole.SPECIALIST,
    "kim": AccountRole.SPECIALIST,
    "lee": AccountRole.LEAD,
}
RENDERER = Renderer()


class PlainPasswords:
    """As good as argon2id for tests, and faster."""

    def hash(self, password: str) -> str:
        return f"hash of {password}"

    def fits(self, password_hash: str, password: str) -> bool:
        return password_hash == self.hash(password)

    def is_outdated(self, password_hash: str) -> bool:
        return False


@dataclass(slots=True)
class Answered:
    """What a page said."""

    status: int
    url: str
    """Where it led to, path and query."""
    text: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """Without elements, blanks joined."""
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", self.text)).split())


class Person:
    """Somebody who is signed in, with a browser that runs no scripts."""

    def __init__(self, app: FastAPI, secret: str, name: str) -> None:
        self.name = name
        self._client = TestClient(app, raise_server_exceptions=False)
        self._client.cookies.set("mailflow", secret)

    def get(self, path: str, **headers: str) -> Answered:
        return self._answered(self._client.get(path, headers=_named(headers)))

    def post(self, path: str, values: Mapping[str, object] | None = None, **headers: str) -> Answered:
        """A form; where it leads to another page, that one."""
        pairs = [(key, one) for key, value in (values or {}).items() for one in _each(value)]
        own = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
        content = urlencode(pairs).encode()
        return self._answered(self._client.post(path, content=content, headers=own | _named(headers)))

    def act(self, action: str, view: ThreadView, office: "WebOffice", **values: object) -> Answered:
        """An action on a thread as the page of `view` would send it."""
        seen = {"version": view.row.version, "at": office.clock.now().isoformat()}
        if action == "approve":
            seen["shown"] = office.app.state.desk.review.prepare(view).shown
        return self.post(f"/threads/{view.row.id}/{action}", seen | values)

    def _answered(self, response: object) -> Answered:
        url = response.url  # type: ignore[attr-defined]
        query = f"?{url.query.decode()}" if url.query else ""
        return Answered(
            response.status_code,  # type: ignore[attr-defined]
            url.path + query,
            response.text,  # type: ignore[attr-defined]
            {key.lower(): value for key, value in response.headers.items()},  # type: ignore[attr-defined]
        )


def _each(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {key.replace("_", "-"): value for key, value in headers.items()}


@dataclass(slots=True)
class WebOffice:
    store: SqlStore
    office: Office
    access: Access
    app: FastAPI

    @property
    def clock(self) -> FrozenClock:
        return self.office.clock

    def person(self, name: str) -> Person:
        with self.store.view() as unit:
            account = unit.account(name)
        assert account is not None
        return Person(self.app, self.access.begin_session(account), name)

    def view(self, thread_id: int = 1) -> ThreadView:
        with self.store.view() as unit:
            found = unit.thread_view(thread_id, self.clock.now())
        assert found is not None
        return found

    def queue(self, filter_: Filter = Filter()) -> tuple[QueueRow, ...]:  # noqa: B008 - frozen
        with self.store.view() as unit:
            return unit.queue(filter_, "sam", self.clock.now(), None, 100).rows

    def decide(self, *mails: bytes) -> None:
        """Deal with `mails`; their answers wait for the undo window."""
        self.office.undo = UNDO
        for content in mails:
            self.office.source.deliver(content)
        ingest(self.office.source, self.store, self.clock)
        self.office.processing().turn()

    def send_all(self) -> list[str]:
        """What leaves when every undo window is over: the text of each mail, oldest first."""
        self.clock.advance(UNDO + timedelta(seconds=1))
        before = len(self.office.submission.sent)
        outbox = self.office.outbox()
        while outbox.deliver_one():
            pass
        return [message.content.decode() for message in self.office.submission.sent[before:]]


def web_office(folder: Path, url: str = "") -> WebOffice:
    engine = open_engine(url or f"sqlite:///{folder / 'desk.sqlite3'}")
    schema.upgrade(engine)
    store = SqlStore(engine)
    office = Office(store)
    settings = Settings()
    found, playbook = bootstrap.find_assets(settings), bootstrap.read_playbook(settings)
    access = Access(store=store, passwords=PlainPasswords(), clock=office.clock)
    for name, role in PEOPLE.items():
        access.add(Account(name, name.capitalize(), role), PASSWORD, "test")
    review = ReviewDesk(
        store=store,
        read=reader_of(DESK),
        renderer=bootstrap.build_renderer(found, playbook),
        canned=bootstrap.build_canned(found, playbook),
        playbook=playbook,
        desk=bootstrap.build_identity(settings, store),
        clock=office.clock,
        undo=UNDO,
    )
    guard = Guard(access, is_tls=False, origin="")
    desk = WebDesk(
        store=store, guard=guard, review=review, clock=office.clock, name="Partner Support", told_key=store.key("told")
    )
    return WebOffice(store, office, access, create_app(desk, RENDERER, [sign_in_router(RENDERER)]))


DRAFTED = "Please send a quote for 20 seats."
"""A mail for which an answer is prepared, and a person sends it."""
HELD = "a riddle"


def drafted(number: int = 1, **headers: str) -> bytes:
    return question(number, body=DRAFTED, **headers)


def held(number: int = 1, **headers: str) -> bytes:
    return question(number, body=HELD, **headers)
