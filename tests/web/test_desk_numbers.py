"""The numbers as the desk says them: from what people did."""

from datetime import timedelta

from tests.web.desk_pages import WebOffice, drafted

from mailflow.services.numbers import numbers_of


def test_an_answer_that_was_cancelled_is_no_answer(desk: WebOffice) -> None:
    desk.office.work(drafted())
    sam = desk.person("sam")
    desk.clock.advance(timedelta(hours=2))
    sam.act("send", desk.view(), desk, markdown="Too early.")
    sam.post("/outbox/1/cancel", {"back": "1"})
    assert numbers_of(desk.store, 30, desk.clock.now()).time_to_person.count == 0
    desk.clock.advance(timedelta(hours=1))
    sam.act("send", desk.view(), desk, markdown="Now.", draft_at=sam_draft(desk))
    found = numbers_of(desk.store, 30, desk.clock.now()).time_to_person
    assert (found.count, found.median) == (1, 3 * 3600.0)


def sam_draft(desk: WebOffice) -> str:
    draft = desk.view().draft
    return draft.at.isoformat() if draft else ""


def test_corrections_of_one_mail_count_once(desk: WebOffice) -> None:
    desk.office.work(drafted())
    sam, mail = desk.person("sam"), desk.view().mails[0].id
    for intent in ("rebate", "rebate", "quoting"):
        sam.post(f"/mails/{mail}/correct", {"first": intent, "action": "reply", "role": "partner"})
    found = numbers_of(desk.store, 30, desk.clock.now())
    assert (found.corrected, found.agreed, found.right_actions) == (1, 1, 0)
