"""The desk on a phone: words stay whole, menus stay on the screen, plots can be read, and each has its table."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.browser import browsing
from tests.e2e.test_desk_for_everyone import too_wide, violations
from tests.services.office import Office, question, reader_of
from tests.web.desk_pages import DRAFTED, HELD

from mailflow import bootstrap
from mailflow.adapters import schema
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.core.review import Account, AccountRole, Correction
from mailflow.settings import Settings, StoreSettings
from mailflow.testing import DESK
from mailflow.web_commands import build_app, serving

pytestmark = pytest.mark.e2e
PHONE = {"width": 390, "height": 844}
LEAST_LETTER_PX = 9
ONE_LINE_PX = 60


@contextmanager
def on_a_phone(folder: Path) -> Iterator[tuple[Page, str]]:
    url = f"sqlite:///{folder / 'desk.sqlite3'}"
    engine = open_engine(url)
    schema.upgrade(engine)
    store = SqlStore(engine)
    office = Office(store)
    office.clock.at = bootstrap.SystemClock().now()
    office.work(question(1, body=DRAFTED), question(2, body=HELD), question(3, body=HELD))
    settings = Settings(store=StoreSettings(url=url))
    access = bootstrap.build_access(settings, store=store)
    sam = Account("sam", "Sam", AccountRole.LEAD, time_zone="Asia/Tokyo")
    access.add(sam, "correct horse battery", "test")
    with store.unit() as unit:
        unit.correct(Correction(1, ("quoting",), "reply", "partner", "why not"), "sam", office.clock.now())
    with serving(build_app(settings, store, reader_of(DESK)), "127.0.0.1", 0) as address, browsing(address) as (one,):
        one.context.add_cookies([{"name": "mailflow", "value": access.begin_session(sam), "url": address}])
        one.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        yield one.page, address
    store.close()


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[tuple[Page, str]]:
    with on_a_phone(tmp_path) as found:
        yield found


def test_plots_are_read_and_each_has_its_table(phone: tuple[Page, str]) -> None:
    page, address = phone
    page.goto(f"{address}/numbers")
    letters = page.locator(".plot text").evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    assert letters and min(letters) >= LEAST_LETTER_PX
    assert "_" not in " ".join(page.locator(".plot-rows").all_inner_texts())
    drawn = page.locator("section:has(.plot, .plot-rows)")
    assert drawn.count() == 5
    for n in range(5):
        expect(drawn.nth(n).locator("table").first).to_be_attached()
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
    assert [*violations(page, "numbers"), *too_wide(page, "numbers")] == []


def test_words_of_a_table_and_of_its_buttons_stay_whole(phone: tuple[Page, str]) -> None:
    page, address = phone
    page.goto(f"{address}/training")
    table = page.locator("table").last
    table.evaluate("one => { one.rows[1].cells[0].innerHTML = '<button>Compare</button>'; }")
    assert page.locator("td button").evaluate("one => one.offsetHeight") < ONE_LINE_PX
    zone_free = page.locator("td time").first
    assert "JST" in (zone_free.get_attribute("title") or ""), "in the time zone of whoever reads it, which is named"
    assert [*violations(page, "training"), *too_wide(page, "training")] == []


def test_every_menu_stays_on_the_screen(phone: tuple[Page, str]) -> None:
    page, address = phone
    page.goto(f"{address}/threads/1")
    for name in ("snooze", "hand-over", "more", "m1-move"):
        page.click(f"#{name} > summary")
        box = page.locator(f"#{name} .menu-body").bounding_box()
        assert box is not None
        assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"], name
        page.keyboard.press("Escape")
    assert list(too_wide(page, "menus")) == []


def test_a_key_that_a_sentence_names_is_there(phone: tuple[Page, str]) -> None:
    page, address = phone
    page.goto(f"{address}/queue")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<p id=s>press <kbd>c</kbd></p>')")
    expect(page.locator("#s kbd")).to_be_visible()
    page.set_viewport_size({"width": 1360, "height": 860})
    assert page.locator("#keys-button").evaluate("one => getComputedStyle(one).position") == "static"
