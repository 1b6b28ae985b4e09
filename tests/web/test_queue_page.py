"""The queue: boxes, filters, search, views, page by page, many at once; answers on their way; quarantine; errors."""

import re
from datetime import timedelta

import pytest
from tests.services.office import question
from tests.web.desk_pages import PASSWORD, WebOffice, drafted, held

from mailflow.core.review import Box, Filter
from mailflow.errors import PermanentRefusal
from mailflow.web import queue
from mailflow.web.rendering import FOLDER, STATIC


def shown(page: str) -> list[int]:
    """The threads of a list, in its order."""
    return [int(found) for found in re.findall(r'<li id="t(\d+)"', page)]


def test_each_box_shows_its_threads_and_all_show_how_many_there_are(desk: WebOffice) -> None:
    desk.office.work(question(1), drafted(2), held(3))
    sam = desk.person("sam")
    assert shown(sam.get("/queue").text) == [2, 3]
    assert shown(sam.get("/queue?box=drafts").text) == [2]
    assert shown(sam.get("/queue?box=answered").text) == [1]
    assert shown(sam.get("/queue?box=all").text) == [3, 2, 1]
    assert "Held 2 Drafts 1 Uncertain 0 Undo window 0 Quarantine 0" in sam.get("/queue").words


@pytest.mark.parametrize("box", Box)
def test_an_empty_box_says_what_will_be_in_it(desk: WebOffice, box: Box) -> None:
    page = desk.person("sam").get(f"/queue?box={box}")
    assert page.status == 200
    assert all(sentence in page.words for sentence in queue.EMPTY[box])


def test_filters_narrow_and_can_be_kept_as_a_view(desk: WebOffice) -> None:
    desk.office.work(drafted(1), drafted(2), held(3))
    sam = desk.person("sam")
    page = sam.get("/queue?box=held&intent=quoting")
    assert shown(page.text) == [1, 2]
    assert 'value="quoting" selected' in page.text
    page = sam.post("/queue/views", {"name": "Quotes", "in": "box=held&intent=quoting&evil=1"})
    assert page.url.startswith("/queue?box=held&intent=quoting&did=view&")
    assert 'href="/queue?box=held&amp;intent=quoting" aria-current="page">Quotes' in page.text
    assert "Quotes" not in desk.person("kim").get("/queue").words, "a view is its maker's"
    drop = re.search(r"/queue/views/\d+/drop", page.text)
    assert drop
    assert "Quotes" not in sam.post(drop[0]).words


@pytest.mark.parametrize(
    "query",
    ["older=1h", "assignee=-", "priority=normal", "reason=guard:abstained", "role=partner", "trust=unauthenticated"],
)
def test_each_condition_is_understood(desk: WebOffice, query: str) -> None:
    desk.office.work(held(1))
    desk.clock.advance(timedelta(hours=2))
    assert shown(desk.person("sam").get(f"/queue?box=held&{query}").text) == [1]


def test_what_an_address_says_that_is_none_is_left_out(desk: WebOffice) -> None:
    desk.office.work(held(1))
    sam = desk.person("sam")
    for query in ("box=nowhere", "sort=odd", "older=x", "after=x~y", "after=0001-01-01T00:00:00%2B14:00~1", "did=x"):
        assert sam.get(f"/queue?{query}").status == 200, query
    assert sam.get("/queue?intent=%00&q=%00%ED%A0%80&partner=%F0%9F").status == 200


def test_search_finds_words_without_accents_in_all_mail(desk: WebOffice) -> None:
    desk.office.work(held(1, subject="Réclamation"), question(2))
    sam = desk.person("sam")
    assert shown(sam.get("/queue?box=all&q=reclam").text) == [1]
    assert "No mail has all of these words" in sam.get("/queue?box=all&q=zebra").words


def test_search_for_a_number_goes_to_that_thread(desk: WebOffice) -> None:
    desk.office.work(held(1), held(2))
    sam = desk.person("sam")
    assert sam.get("/queue?q=%232").url == "/threads/2"
    assert sam.get("/queue?q=%23zebra").status == 200


def test_pages_go_on_where_the_last_one_ended(desk: WebOffice) -> None:
    desk.office.work(*(held(number) for number in range(1, 111)))
    sam, address = desk.person("sam"), "/queue?box=held"
    seen: list[list[int]] = []
    while address:
        page = sam.get(address)
        seen.append(shown(page.text))
        following = re.search(r'href="([^"]+)" rel="next"', page.text)
        address = following[1].replace("&amp;", "&") if following else ""
    assert [len(one) for one in seen] == [50, 50, 10]
    assert [one for page in seen for one in page] == list(range(1, 111))


def test_many_threads_at_once_are_a_leads_and_each_stands_alone(desk: WebOffice) -> None:
    desk.office.work(held(1), held(2), held(3))
    rows = {row.id: row.version for row in desk.queue()}
    desk.person("kim").act("assign", desk.view(2), desk, value="kim")
    chosen = [f"{thread_id}.{version}" for thread_id, version in rows.items()]
    lee = desk.person("lee")
    page = lee.post("/queue/bulk", {"action": "no-answer", "chosen": chosen, "in": "box=held"})
    assert "2 threads are done" in page.words and "#2" in page.words, "what changed meanwhile is left and named"
    assert [row.id for row in desk.queue()] == [2]
    assert desk.person("sam").post("/queue/bulk", {"action": "spam", "chosen": chosen}).status == 403
    assert "Do it" not in desk.person("sam").get("/queue").words


@pytest.mark.parametrize(
    ("action", "value", "query"),
    [
        ("assign", "kim", Filter(assignee="kim")),
        ("snooze", "4h", Filter(Box.SNOOZED)),
        ("escalate", "all at once", Filter(priority="urgent")),
        ("spam", "", Filter(Box.ALL, intent="spam")),
        ("close", "", Filter(Box.ALL)),
        ("approve", "", Filter(Box.ANSWERED)),
    ],
)
def test_each_action_works_on_many(desk: WebOffice, action: str, value: str, query: Filter) -> None:
    desk.office.work(drafted(1), drafted(2))
    chosen = [f"{row.id}.{row.version}" for row in desk.queue()]
    page = desk.person("lee").post("/queue/bulk", {"action": action, "chosen": chosen, action: value})
    assert "2 threads are done" in page.words
    assert {row.id for row in desk.queue(query)} == {1, 2}


def test_a_list_sends_no_text_of_a_person_unread(desk: WebOffice) -> None:
    desk.office.work(drafted(1), drafted(2))
    chosen = [f"{row.id}.{row.version}" for row in desk.queue()]
    desk.person("sam").post("/threads/2/draft", {"markdown": "Half a"}, X_Partial="1")
    page = desk.person("lee").post("/queue/bulk", {"action": "approve", "chosen": chosen})
    assert "1 thread is done" in page.words and "a person has begun the answer of 1 of them" in page.words
    assert [row.id for row in desk.queue()] == [2]
    assert [mail.direction for mail in desk.view(2).mails] == ["in"]
    assert len(desk.send_all()) == 1


def test_many_at_once_asks_for_what_is_missing(desk: WebOffice) -> None:
    desk.office.work(held(1))
    lee = desk.person("lee")
    assert lee.post("/queue/bulk", {"action": "spam"}).status == 422
    assert lee.post("/queue/bulk", {"action": "explode", "chosen": "1.1"}).status == 422
    assert lee.post("/queue/bulk", {"action": "spam", "chosen": ["x.y", "1", "9" * 99 + ".1"]}).status == 422


def test_answers_on_their_way_are_cancelled_confirmed_or_sent_again(desk: WebOffice) -> None:
    desk.office.work(drafted(1), drafted(2))
    sam = desk.person("sam")
    sam.act("approve", desk.view(1), desk)
    page = sam.get("/outbox")
    assert "Leaving soon" in page.words and "leaves in 20 s" in page.words
    assert "It was not sent; its words are a draft again" in sam.post("/outbox/1/cancel").words
    assert desk.view(1).row.status == "held"
    sam.act("approve", desk.view(2), desk)
    desk.office.submission.errors.append(PermanentRefusal("550 no such user", reply_code=550))
    desk.send_all()
    page = sam.get("/outbox")
    assert "Failed" in page.words and "550 no such user" in page.words
    assert [row.id for row in desk.queue(Filter(Box.TROUBLE))] == [2]
    assert "It is queued again" in sam.post("/outbox/2/retry").words
    assert len(desk.send_all()) == 1
    assert sam.post("/outbox/2/confirm").status == 422, "it is sent, not uncertain"
    assert sam.post("/outbox/77/cancel").status == 404
    assert sam.post("/outbox/2/burn").status == 404


def test_quarantine_shows_why_and_gives_the_mail_as_it_came(desk: WebOffice) -> None:
    desk.office.work(held(1))
    (claimed,) = _received(desk, drafted(2))
    with desk.store.unit() as unit:
        unit.claim_inbound(desk.clock.now(), 10)
        unit.quarantine(claimed, "it ended the reading process", desk.clock.now())
    sam, lee = desk.person("sam"), desk.person("lee")
    page = sam.get("/quarantine")
    assert "it ended the reading process" in page.words and "Try again" not in page.words
    assert "quote for 20 seats" in sam.get(f"/quarantine/{claimed}/source").text
    assert sam.post(f"/quarantine/{claimed}/retry").status == 403
    assert "It will be tried again" in lee.post(f"/quarantine/{claimed}/retry").words
    assert lee.post(f"/quarantine/{claimed}/retry").status == 422
    assert sam.get("/quarantine/99/source").status == 404


def _received(desk: WebOffice, content: bytes) -> list[int]:
    """Inbound ids of mail that was stored and not processed."""
    source = desk.office.source
    source.deliver(content)
    for batch in source.fetch(None):
        with desk.store.unit() as unit:
            unit.record(source.account, source.mailbox, batch, desk.clock.now())
    with desk.store.unit() as unit:
        found = [mail.inbound_id for mail in unit.claim_inbound(desk.clock.now(), 10)]
        unit.give_back(desk.clock.now())
    return found


# ---------------------------------------------------------------------- what cannot be done


@pytest.mark.parametrize(
    ("path", "status"),
    [("/threads/99", 404), ("/threads/x", 404), ("/nothing", 404), ("/threads/99999999999999999999", 404)],
)
def test_what_is_not_there_is_said_with_a_way_on(desk: WebOffice, path: str, status: int) -> None:
    page = desk.person("sam").get(path)
    assert page.status == status
    assert 'href="/queue"' in page.text and "Search for a word of the mail" in page.words


def test_a_form_that_lacks_something_is_refused_in_words(desk: WebOffice) -> None:
    desk.office.work(held(1))
    page = desk.person("sam").post("/threads/1/approve", {"version": "many"})
    assert page.status == 400 and "version" in page.words
    assert "Traceback" not in page.text


def test_who_is_not_signed_in_is_led_to_the_sign_in_and_back(desk: WebOffice) -> None:
    desk.office.work(held(1))
    stranger = desk.person("sam")
    stranger.post("/logout")
    page = stranger.get("/threads/1?in=box%3Dheld")
    assert page.url == "/login?next=%2Fthreads%2F1%3Fin%3Dbox%253Dheld"
    assert stranger.get("/threads/1", X_Partial="1").status == 401
    page = stranger.post("/login", {"name": "sam", "password": PASSWORD, "next": "/threads/1"})
    assert page.url == "/threads/1"


def test_a_request_that_is_too_large_is_refused(desk: WebOffice) -> None:
    desk.office.work(held(1))
    sam = desk.person("sam")
    assert sam.post("/threads/1/note", {"text": "x" * (2 << 20)}).status == 413
    assert sam.post("/threads/1/note", {"text": "x" * 100_001}).status == 422


def test_every_page_has_a_strict_policy_and_is_kept_by_no_cache(desk: WebOffice) -> None:
    desk.office.work(held(1))
    sam = desk.person("sam")
    for path in ("/queue", "/threads/1", "/outbox", "/quarantine", "/threads/1/canned", "/nothing"):
        headers = sam.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'"), path
        assert headers["cache-control"] == "no-store", path
        assert headers["x-content-type-options"] == "nosniff", path


def test_files_of_ours_are_kept_as_long_as_they_are_the_same(desk: WebOffice) -> None:
    sam = desk.person("sam")
    for address in re.findall(r'"(/static/[^"]+)"', sam.get("/queue").text):
        found = sam.get(address)
        assert found.status == 200 and "immutable" in found.headers["cache-control"]
    assert sam.get("/static/../rendering.py").status == 404


def test_the_first_page_is_small_and_asks_for_two_files(desk: WebOffice) -> None:
    desk.office.work(*(drafted(number, subject="A subject of usual length") for number in range(1, 51)))
    page = desk.person("lee").get("/queue").text
    assert len(shown(page)) == 50
    assert len(page.encode()) < 60_000
    assert len(re.findall(r'(?:src|href)="/static/', page)) == 2
    assert max(path.stat().st_size for path in STATIC.iterdir()) < 20_000


def test_no_page_has_script_or_style_of_its_own() -> None:
    """The policy forbids them; a page that had some would be broken."""
    for path in (FOLDER / "pages").glob("*.j2"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?! type=\"module\" src=)", source), (
            path.name
        )
