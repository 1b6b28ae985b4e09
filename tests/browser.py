"""Debian's Chromium, driven by Playwright: pages as a person sees them. No other browser is fetched."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import BrowserContext, Dialog, Page, sync_playwright

PROGRAMS = ("chromium", "chromium-browser")
PATIENCE_MS = 20_000


def chromium() -> str:
    """Where it is. Where it is not installed the test is skipped, but never in CI: there it fails."""
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), "")
    if not found:
        if os.environ.get("CI") == "true":
            pytest.fail("not installed: chromium")
        pytest.skip("not installed: chromium")
    return found


@dataclass(slots=True)
class Seen:
    """What a page did beside being shown."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """Errors in its scripts, refusals of its policy, dialogs that it opened."""


class Visitor:
    """One browser of one person."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context, self.address, self.seen = context, address, Seen()
        context.set_default_timeout(PATIENCE_MS)
        context.on("request", lambda request: self.seen.requests.append(request.url))
        self.page = self.open()

    def open(self) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.seen.complaints.append(f"script: {error}"))
        page.on("console", lambda said: self.seen.complaints.append(said.text) if said.type == "error" else None)
        page.on("dialog", self._refuse)
        return page

    def _refuse(self, dialog: Dialog) -> None:
        self.seen.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def sign_in(self, name: str, password: str) -> None:
        self.page.goto(f"{self.address}/login")
        self.page.fill("#name", name)
        self.page.fill("#password", password)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url("**/queue*")

    def elsewhere(self) -> list[str]:
        """Requests to anybody but the desk."""
        own = (self.address, "data:", "about:", "blob:")
        return [url for url in self.seen.requests if not url.startswith(own)]


@contextmanager
def browsing(address: str, people: int = 1) -> Iterator[list[Visitor]]:
    """Browsers that share nothing, one a person. As root Chromium has no sandbox of its own."""
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=options)
        try:
            yield [
                Visitor(browser.new_context(viewport={"width": 1360, "height": 860}, locale="en-GB"), address)
                for _ in range(people)
            ]
        finally:
            browser.close()
