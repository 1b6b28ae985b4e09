"""The review desk for everyone: axe-core finds nothing against WCAG 2.2 AA, on screen and phone, light and dark; and
the first page is small.
"""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Request, expect
from tests.browser import Visitor, browsing
from tests.e2e.browser_desk import PASSWORD, Desk, open_thread
from tests.e2e.mailboxes import MailProgram, write_mail

AXE = Axe()
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "iframes": False,  # a letter of strangers is what it is, and its frame runs no script
    "resultTypes": ["violations"],
}
SCREEN, PHONE = {"width": 1360, "height": 860}, {"width": 390, "height": 844}
PAGES = ("queue?box=all", "queue?box=drafts", "outbox", "quarantine", "numbers", "training", "account", "accounts")
FIRST_PAGE_BYTES = 60_000
FIRST_PAGE_REQUESTS = 3


def violations(page: Page, where: str) -> Iterator[str]:
    for found in AXE.run(page, options=RULES).response["violations"]:
        for node in found["nodes"]:
            yield f"{where}: {found['id']}: {found['help']}: {node['html'][:160]}: {node.get('failureSummary', '')}"


def too_wide(page: Page, where: str) -> Iterator[str]:
    """WCAG 2.2, 1.4.10: nobody reads by scrolling both ways."""
    if (over := page.evaluate("document.documentElement.scrollWidth - innerWidth")) > 0:
        yield f"{where}: {over} px wider than the screen"


def looked_at(visitor: Visitor, look: str, is_phone: bool) -> Iterator[str]:
    page = visitor.page
    for name in PAGES:
        page.goto(f"{visitor.address}/{name}")
        yield from violations(page, f"{name} ({look})")
        yield from too_wide(page, f"{name} ({look})") if is_phone else ()
    open_thread(visitor, "Lab licence")
    expect(page.locator("#answer-frame")).to_be_visible()
    yield from violations(page, f"thread ({look})")
    yield from too_wide(page, f"thread ({look})") if is_phone else ()
    page.click("summary:has-text('More')")
    yield from violations(page, f"thread with its forms ({look})")
    page.goto(f"{visitor.address}/threads/999999")
    yield from violations(page, f"no such thread ({look})")


def test_axe_finds_nothing_on_any_page(open_desk: Desk, partner: MailProgram) -> None:
    partner.send(write_mail("How do we get a licence for our lab?", subject="Lab licence"))
    partner.send(write_mail("Our rebate did not arrive.", subject="Rebate of May"))
    with browsing(open_desk.address) as (ada,):
        ada.page.goto(f"{open_desk.address}/login")
        found = list(violations(ada.page, "login"))
        ada.sign_in("ada", PASSWORD)
        expect(ada.page.locator(".rows li")).to_have_count(2)
        for scheme in ("light", "dark"):
            ada.page.emulate_media(color_scheme=scheme)
            for size in (SCREEN, PHONE):
                ada.page.set_viewport_size(size)  # type: ignore[arg-type]
                found += looked_at(ada, f"{scheme}, {size['width']} px", size is PHONE)
        assert found == []
        ada.page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=data:>')")
        assert list(violations(ada.page, "a picture without a text")) != [], "axe would see it"


@pytest.mark.parametrize("name", ["login", "queue"])
def test_the_first_page_is_small(open_desk: Desk, partner: MailProgram, name: str) -> None:
    """What a browser asks for that has nothing of ours yet; the stream of news, which stays open, beside it."""
    partner.send(write_mail("How do we get a licence for our lab?", subject="Lab licence"))
    with browsing(open_desk.address) as (sam,):
        if name == "queue":
            sam.sign_in("sam", PASSWORD)
            expect(sam.page.locator(".rows li")).to_have_count(1)
            session = sam.context.new_cdp_session(sam.page)
            session.send("Network.clearBrowserCache")
        asked: list[Request] = []
        sam.page.on("requestfinished", lambda request: asked.append(request))
        sam.page.goto(f"{open_desk.address}/{name}", wait_until="load")
        sizes = {one.url: one.sizes()["responseBodySize"] + one.sizes()["responseHeadersSize"] for one in asked}
        assert len(sizes) <= FIRST_PAGE_REQUESTS, sizes
        assert sum(sizes.values()) < FIRST_PAGE_BYTES, sizes
