"""Hostile mail, read by a specialist in a real browser: nothing of it runs, nothing of it is loaded."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.browser import browsing
from tests.hostile_mail import HOME, IN_HTML, hostile_mails
from tests.services.office import Office, reader_of

from mailflow import bootstrap
from mailflow.adapters import schema
from mailflow.adapters.passwords import Argon2Passwords
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.core.review import Account, AccountRole
from mailflow.services.accounts import Access
from mailflow.settings import Settings, StoreSettings
from mailflow.testing import DESK
from mailflow.web_commands import build_app, serving

pytestmark = pytest.mark.e2e
FORBIDDEN = ("<script", "onerror=", "onload=", "javascript:", "<iframe", "<form", "<svg", "srcset", "<base")
PASSWORD = "correct horse battery"


@dataclass(frozen=True, slots=True)
class Desk:
    address: str
    threads: list[int]
    mails: list[int]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    url = f"sqlite:///{tmp_path / 'desk.sqlite3'}"
    engine = open_engine(url)
    schema.upgrade(engine)
    store = SqlStore(engine)
    Office(store).work(*hostile_mails())
    access = Access(store=store, passwords=Argon2Passwords(), clock=bootstrap.SystemClock())
    access.add(Account("sam", "Sam", AccountRole.LEAD), PASSWORD, "test")
    with store.view() as unit:
        threads = [one.id for one in unit.threads(1000)]
        mails = [one.message_id for one in unit.stored_mails(None, 1000)]
    settings = Settings(store=StoreSettings(url=url))
    with serving(build_app(settings, store, reader_of(DESK)), "127.0.0.1", 0) as address:
        yield Desk(address, threads, mails)
    store.close()


def test_nothing_of_a_hostile_mail_runs_or_is_loaded(desk: Desk) -> None:
    assert len(desk.mails) >= 60
    with browsing(desk.address) as (sam,):
        sam.sign_in("sam", PASSWORD)
        page = sam.page
        for box in ("held", "all"):
            page.goto(f"{desk.address}/queue?box={box}")
            expect(page.locator("#rows")).to_be_visible()
        for thread_id in desk.threads:
            page.goto(f"{desk.address}/threads/{thread_id}")
            page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
            page.wait_for_load_state("networkidle" if thread_id == desk.threads[0] else "load")
        for mail_id in desk.mails:
            letter = page.request.get(f"{desk.address}/mails/{mail_id}/letter")
            assert letter.ok
            assert "sandbox" in letter.headers["content-security-policy"]
            page.goto(f"{desk.address}/mails/{mail_id}/letter")
        assert sam.elsewhere() == []
        dialogs = [one for one in sam.seen.complaints if one.startswith(("dialog", "script"))]
        assert dialogs == []


def test_what_is_cleaned_names_no_script_and_no_other_host(desk: Desk) -> None:
    with browsing(desk.address) as (sam,):
        sam.sign_in("sam", PASSWORD)
        for mail_id in desk.mails[: len(IN_HTML)]:
            html = sam.page.request.get(f"{desk.address}/mails/{mail_id}/letter").text().lower()
            for word in (
                "<script",
                "onerror=",
                "onload=",
                "javascript:",
                "<iframe",
                "<form",
                "<svg",
                "srcset",
                "<base",
            ):
                assert word not in html.replace("&lt;", ""), (mail_id, word)
            assert f'src="{HOME}' not in html
