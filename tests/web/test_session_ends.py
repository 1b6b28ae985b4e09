"""A session ends without use, though a page that is open asks by itself."""

from datetime import timedelta

import pytest
from tests.web.desk_pages import Person, WebOffice, drafted

from mailflow.core.accounts import IDLE

ALMOST = IDLE - timedelta(minutes=5)


def asks_by_itself(person: Person, path: str) -> int:
    if path.endswith("/look"):
        return person.post(path, X_Partial="1").status
    return person.get(path, X_Partial="1").status


@pytest.mark.parametrize("path", ["/queue", "/threads/1", "/threads/1/look"])
def test_what_a_page_asks_by_itself_prolongs_no_session(desk: WebOffice, path: str) -> None:
    desk.office.work(drafted())
    sam = desk.person("sam")
    desk.clock.advance(ALMOST)
    assert asks_by_itself(sam, path) == 200
    desk.clock.advance(timedelta(minutes=10))
    assert asks_by_itself(sam, path) == 401
    assert sam.get("/queue").url.startswith("/login")


def test_what_a_person_does_prolongs_it(desk: WebOffice) -> None:
    desk.office.work(drafted())
    sam = desk.person("sam")
    desk.clock.advance(ALMOST)
    assert sam.get("/queue").status == 200
    desk.clock.advance(ALMOST)
    assert sam.post("/threads/1/draft", {"markdown": "kept as it is written"}, X_Partial="1").status == 200
    desk.clock.advance(ALMOST)
    assert sam.get("/queue").url == "/queue"
