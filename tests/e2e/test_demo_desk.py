"""`mailflow demo --serve`: sample mail through the real worker, the review desk on it, a sample login, Ctrl+C."""

import _thread
import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from mailflow.adapters.store import SqlStore
from mailflow.demo import LOGINS, SAMPLE_PASSWORD, run_demo
from mailflow.settings import Settings
from mailflow.web_commands import served

SAMPLES = 36


@pytest.mark.e2e
def test_the_demo_opens_a_desk_with_something_to_do(tmp_path: Path) -> None:
    seen: dict[str, object] = {}

    def visit(address: str, store: SqlStore) -> None:
        """Signs in as the demo says, looks when all mail is dealt with, and presses Ctrl+C."""
        try:
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline:
                with store.view() as unit:
                    counts = unit.counts()
                if counts.received >= SAMPLES and not counts.pending:
                    break
                threading.Event().wait(0.2)
            with httpx.Client(base_url=address, headers={"Origin": address}, follow_redirects=True) as browser:
                for name in LOGINS:
                    page = browser.post("/login", data={"name": name, "password": SAMPLE_PASSWORD, "next": "/queue"})
                    seen[name] = page.status_code, page.url.path
                seen["queue"] = browser.get("/queue?box=drafts").text
        finally:
            _thread.interrupt_main()

    @contextmanager
    def serve(settings: Settings, store: SqlStore) -> Iterator[str]:
        with served(settings, store) as address:
            threading.Thread(target=visit, args=(address, store), daemon=True).start()
            yield address

    said = io.StringIO()
    assert run_demo(tmp_path / "demo.sqlite3", Console(file=said, width=120), serve) == 0
    assert seen["sam"] == seen["kim"] == (200, "/queue")
    assert "draft ready" in str(seen["queue"])
    assert f"sign in as sam (lead), password: {SAMPLE_PASSWORD}" in said.getvalue()
    assert "the demo ends" in said.getvalue()
