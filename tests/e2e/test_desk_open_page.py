"""A page of the desk that stays open while somebody works with it, in a real browser: what he writes, opens and focuses
stays, whatever happens meanwhile.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_string
from email.policy import default
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.browser import Visitor, browsing
from tests.services.office import question
from tests.web.desk_pages import DRAFTED, WebOffice, drafted, held, web_office

from mailflow.web_commands import serving

pytestmark = pytest.mark.e2e
SOON_MS = 3_000
"""More than the desk takes to tell an open page what happened."""


@dataclass(frozen=True, slots=True)
class Open:
    office: WebOffice
    address: str

    def enter(self, visitor: Visitor, name: str = "sam") -> Page:
        with self.office.store.view() as unit:
            account = unit.account(name)
        assert account is not None
        secret = self.office.access.begin_session(account)
        visitor.context.add_cookies([{"name": "mailflow", "value": secret, "url": self.address}])
        return visitor.page

    def note(self, text: str, thread_id: int = 1) -> None:
        """Something happens: a colleague writes a note."""
        with self.office.store.unit() as unit:
            unit.add_note(thread_id, "kim", text, self.office.clock.now())


@contextmanager
def opened(folder: Path) -> Iterator[Open]:
    office = web_office(folder)
    with serving(office.app, "127.0.0.1", 0) as address:
        yield Open(office, address)
    office.store.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Open]:
    with opened(tmp_path) as found:
        yield found


def test_a_text_outlives_the_session_it_was_written_in(desk: Open) -> None:
    desk.office.office.work(drafted())
    with browsing(desk.address) as (sam,):
        page = desk.enter(sam)
        page.goto(f"{desk.address}/threads/1?edit=1")
        page.wait_for_timeout(300)
        desk.office.access.sign_out_everywhere("sam")
        page.fill("#markdown", "Words that took an hour.")
        desk.note("something happens")
        bar = page.locator("#signed-out")
        expect(bar).to_contain_text("signed out")
        assert bar.locator("a").get_attribute("target") == "_blank"
        page.keyboard.press("Control+Enter")
        page.wait_for_timeout(500)
        assert page.url.endswith("/threads/1?edit=1"), "it is not sent to the sign-in"
        expect(page.locator("#markdown")).to_have_value("Words that took an hour.")
        desk.enter(sam)
        expect(bar).to_have_count(0, timeout=15_000)
        draft = desk.office.view().draft
        assert draft is not None
        assert draft.markdown == "Words that took an hour."


def test_what_is_approved_is_what_stands_in_the_editor(desk: Open) -> None:
    desk.office.office.work(drafted())
    with browsing(desk.address) as (sam,):
        page = desk.enter(sam)
        page.goto(f"{desk.address}/threads/1?edit=1")
        expect(page.locator("#approve button")).to_be_hidden()
        page.fill("#markdown", "An older text.")
        page.wait_for_timeout(1_200)
        page.fill("#markdown", "The text before his eyes.")
        page.evaluate("document.querySelector('#editor').open = false")
        page.keyboard.press("Escape")
        page.keyboard.press("a")
        expect(page.locator(".flash")).to_contain_text("is on its way")
        (mail,) = desk.office.send_all()
        body = message_from_string(mail, policy=default).get_body(("plain",))
        assert body is not None
        assert "The text before his eyes." in body.get_content()
        assert sam.seen.complaints == []


def test_tabs_that_nobody_looks_at_hold_no_connection(desk: Open) -> None:
    """A browser has six to one host."""
    desk.office.office.work(drafted())
    hide = (
        "Object.defineProperty(document, 'hidden', {get: () => window.away ?? false});"
        "window.look = (away) => { window.away = away; document.dispatchEvent(new Event('visibilitychange')); }"
    )
    with browsing(desk.address) as (sam,):
        desk.enter(sam)
        sam.context.add_init_script(hide)
        for _ in range(8):
            page = sam.open()
            page.goto(f"{desk.address}/threads/1", timeout=8_000)
            page.wait_for_timeout(200)
            page.evaluate("look(true)")
        desk.note("said while nobody looked")
        page.evaluate("look(false)")
        expect(page.locator(".note")).to_contain_text("said while nobody looked")
        desk.note("said while somebody looks")
        expect(page.locator(".note")).to_have_count(2)


LETTER = question(1, body=f"{DRAFTED}\n\n> what was\n> said before\n")


def test_what_is_open_and_focused_stays_while_the_page_changes(desk: Open) -> None:
    desk.office.office.work(LETTER)
    with browsing(desk.address) as (sam,):
        page = desk.enter(sam)
        page.goto(f"{desk.address}/threads/1")
        page.click(".as-sent > summary")
        page.click("text=Load pictures of other servers")
        page.click(".quoted > summary")
        page.focus("button[data-key=d]")
        desk.note("first")
        expect(page.locator(".note")).to_have_count(1)
        assert page.evaluate("document.activeElement.dataset.key") == "d"
        expect(page.locator(".as-sent")).to_have_attribute("open", "")
        expect(page.locator(".quoted")).to_have_attribute("open", "")
        assert page.locator(".as-sent iframe").get_attribute("src", timeout=1_000).endswith("?images=1")  # type: ignore[union-attr]


def test_a_menu_in_which_something_is_chosen_stays_until_it_is_closed(desk: Open) -> None:
    desk.office.office.work(drafted())
    with browsing(desk.address) as (sam,):
        page = desk.enter(sam)
        page.goto(f"{desk.address}/threads/1")
        page.keyboard.press("o")
        page.select_option("#hand-over select", "lee")
        with desk.office.store.unit() as unit:
            unit.escalate(1, None, "it burns", "kim", desk.office.clock.now())
        page.wait_for_timeout(SOON_MS)
        expect(page.locator("#hand-over")).to_have_attribute("open", "")
        expect(page.locator("#hand-over select")).to_have_value("lee")
        page.keyboard.press("Escape")
        expect(page.locator("#head .chips").first).to_contain_text("urgent")


def test_where_the_focused_row_is_gone_its_neighbour_has_the_focus(desk: Open) -> None:
    desk.office.office.work(held(1), held(2), held(3))
    with browsing(desk.address) as (lee,):
        page = desk.enter(lee, "lee")
        page.goto(f"{desk.address}/queue")
        page.check("#t3 input")
        page.focus("#t2 a.open")
        with desk.office.store.unit() as unit:
            unit.set_status(2, None, "ignored", "kim", desk.office.clock.now(), "")
        expect(page.locator("#t2")).to_have_count(0)
        assert page.evaluate("document.activeElement.closest('li').id") in ("t1", "t3")
        expect(page.locator("#t3 input")).to_be_checked()
