"""The review desk beside a worker at a real mailbox, for a real browser; and screenshots of its pages."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.browser import Visitor
from tests.e2e.mailboxes import DeskOffice

from mailflow import bootstrap
from mailflow.adapters.passwords import Argon2Passwords
from mailflow.adapters.store import SqlStore
from mailflow.core.classification import Classification, ClassifierInput
from mailflow.core.review import Account, AccountRole
from mailflow.reading.understand import reader
from mailflow.services.accounts import Access
from mailflow.testing import FixedClassifier, classification
from mailflow.web_commands import build_app, serving

PASSWORD = "correct horse battery"
SHOTS = Path(__file__).parents[2] / "var" / "screenshots"
"""Of each page, to be looked at."""
PEOPLE = {"sam": AccountRole.LEAD, "kim": AccountRole.SPECIALIST, "eve": AccountRole.VIEWER, "ada": AccountRole.ADMIN}
KNOWN: dict[str, Classification] = {
    "licence": classification(("nfr_request", 0.95)),
    "rebate": classification(("rebate", 0.9), reply=0.1, review=0.8),
    "price": classification(("quoting", 0.9)),
}


def by_word(mail: ClassifierInput) -> Classification:
    text = f"{mail.subject} {mail.content}".lower()
    return next((said for word, said in KNOWN.items() if word in text), classification(abstained="unlike any mail"))


@dataclass(frozen=True, slots=True)
class Desk:
    office: DeskOffice
    store: SqlStore
    address: str


@contextmanager
def opened(desk: DeskOffice) -> Iterator[Desk]:
    """A worker at its mailbox, every answer a draft, and the review desk beside it."""
    config = desk.config.read_text().replace('rollout = "live"', 'rollout = "draft"')
    desk.config.write_text(config.replace("undo_seconds = 0", "undo_seconds = 4"))
    settings, read = desk.settings, reader(bootstrap.build_desk(desk.settings))
    store = bootstrap.build_store(settings)
    access = Access(store=store, passwords=Argon2Passwords(), clock=bootstrap.SystemClock())
    for name, role in PEOPLE.items():
        access.add(Account(name, name.title(), role), PASSWORD, "test")
    worker = bootstrap.build_worker(
        settings,
        store=store,
        submission=bootstrap.build_submission(settings),
        classifier=FixedClassifier(classification(), by_word),
        read=read,
    )
    with _running(worker.run, worker.stop), serving(build_app(settings, store, read), "127.0.0.1", 0) as address:
        yield Desk(desk, store, address)
    store.close()


@contextmanager
def _running(run: object, stop: object) -> Iterator[None]:
    assert callable(run)
    assert callable(stop)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join()


def shot(visitor: Visitor, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    visitor.page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def open_thread(visitor: Visitor, subject: str) -> None:
    visitor.page.goto(f"{visitor.address}/queue?box=all")
    visitor.page.click(f".rows a.open:has-text('{subject}')")
    visitor.page.wait_for_url("**/threads/*")


def thread_id(desk: Desk, subject: str) -> int:
    with desk.store.view() as unit:
        return next(one.id for one in unit.threads(50) if one.subject == subject)
