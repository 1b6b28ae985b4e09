"""What a specialist does with one thread, by forms alone: every action of the page, without JavaScript."""

import json
import re
from datetime import timedelta

import pytest
from tests.services.office import question
from tests.web.desk_pages import Answered, WebOffice, drafted, held

from mailflow.core.review import Box, Filter


def test_a_page_tells_all_of_a_mail_and_its_decision(desk: WebOffice) -> None:
    desk.office.work(drafted(subject="Twenty seats"))
    page = desk.person("sam").get("/threads/1")
    assert page.status == 200
    for said in (
        "Twenty seats",
        "ann@partner1.example",
        "quoting",
        "95 %",
        "held for a person",
        "playbook of the tests",
    ):
        assert said in page.words, said
    assert 'src="/threads/1/answer" sandbox' in page.text
    assert "Approve and send" in page.words


def test_two_keys_worth_of_work_approve_sends_what_was_prepared(desk: WebOffice) -> None:
    desk.office.work(drafted())
    page = desk.person("sam").act("approve", desk.view(), desk)
    assert "The answer to #1 is on its way, to ann@partner1.example in 20 s" in page.words
    assert desk.view().row.status == "answered"
    (mail,) = desk.send_all()
    assert "To: <ann@partner1.example>" in mail
    assert "Auto-Submitted" not in mail, "a person stands behind it"


def test_after_an_action_the_next_thread_of_the_list_is_shown(desk: WebOffice) -> None:
    desk.office.work(drafted(1), drafted(2), drafted(3))
    sam = desk.person("sam")
    page = sam.act("approve", desk.view(2), desk, **{"in": "box=drafts"})
    assert page.url.startswith("/threads/3?in=box%3Ddrafts&did=approve&of=2")
    page = sam.act("no-answer", desk.view(3), desk, **{"in": "box=drafts"})
    assert page.url.startswith("/threads/1?"), "the list begins anew"
    page = sam.act("no-answer", desk.view(1), desk, **{"in": "box=drafts"})
    assert page.url.startswith("/queue?box=drafts&did=no-answer&of=1"), "nothing is left of it"
    assert "No prepared answer waits" in page.words


def test_within_its_undo_window_an_answer_is_cancelled_and_its_words_are_a_draft_again(desk: WebOffice) -> None:
    desk.office.work(drafted())
    sam = desk.person("sam")
    sam.act("send", desk.view(), desk, markdown="Words of *mine*.")
    page = sam.post("/outbox/1/cancel", {"back": "1"})
    assert page.url.startswith("/threads/1?did=cancel")
    assert "Words of *mine*." in page.words
    assert desk.send_all() == []
    assert desk.view().row.status == "held"
    assert [row.id for row in desk.queue(Filter(Box.DRAFTS))] == [1]


def test_an_automatic_answer_that_was_cancelled_is_prepared_for_a_person(desk: WebOffice) -> None:
    desk.decide(question(1))
    sam = desk.person("sam")
    assert "Approve and send" not in sam.get("/threads/1").words, "the same text twice helps nobody"
    page = sam.post("/outbox/1/cancel", {"back": "1"})
    assert "Approve and send" in page.words
    sam.act("approve", desk.view(), desk)
    (mail,) = desk.send_all()
    assert "Auto-Submitted" not in mail


def test_an_answered_thread_takes_another_answer_but_not_the_same_again(desk: WebOffice) -> None:
    desk.office.work(question(1))
    sam = desk.person("sam")
    assert "Another answer" in sam.get("/threads/1").words
    refused = sam.act("approve", desk.view(), desk)
    assert refused.status == 409 and "has its answer already" in refused.words
    assert sam.act("send", desk.view(), desk, markdown="One more thing").status == 200
    assert len(desk.send_all()) == 1


def test_approving_twice_sends_once(desk: WebOffice) -> None:
    desk.office.work(drafted())
    sam, view = desk.person("sam"), desk.view()
    sam.act("approve", view, desk)
    again = sam.act("approve", view, desk)
    assert again.status in (200, 409)
    assert len(desk.send_all()) == 1


def test_sending_twice_by_a_double_click_is_no_conflict(desk: WebOffice) -> None:
    desk.office.work(held())
    sam, view = desk.person("sam"), desk.view()
    sam.act("send", view, desk, markdown="Hello")
    again = sam.act("send", view, desk, markdown="Hello")
    assert again.status == 200
    assert len(desk.send_all()) == 1


def test_a_thread_that_changed_stops_the_answer_and_shows_what_is_new(desk: WebOffice) -> None:
    desk.office.work(held(subject="Riddle"))
    sam, view = desk.person("sam"), desk.view()
    at = desk.clock.now().isoformat()
    desk.clock.advance(timedelta(seconds=5))
    more = {"sender": "ann@partner1.example", "subject": "Re: Riddle", "In_Reply_To": "<q1@partner.example>"}
    desk.office.work(question(2, body="another riddle, with a twist", **more))
    page = sam.post("/threads/1/send", {"version": view.row.version, "at": at, "markdown": "My careful words"})
    assert page.status == 409
    assert "another riddle, with a twist" in page.words
    assert "My careful words" in page.words
    assert desk.send_all() == []
    draft = desk.view().draft
    assert draft is not None and draft.markdown == "My careful words", "nothing is lost"


def test_what_only_the_same_person_changed_is_no_conflict(desk: WebOffice) -> None:
    desk.office.work(held())
    sam, view = desk.person("sam"), desk.view()
    at = desk.clock.now().isoformat()
    desk.clock.advance(timedelta(seconds=5))
    sam.act("assign", view, desk, value="sam")
    page = sam.post("/threads/1/send", {"version": view.row.version, "at": at, "markdown": "Hello"})
    assert page.status == 200, page.words
    assert len(desk.send_all()) == 1


def test_what_another_changed_is_one(desk: WebOffice) -> None:
    desk.office.work(drafted())
    view, at = desk.view(), desk.clock.now().isoformat()
    desk.clock.advance(timedelta(seconds=5))
    desk.person("kim").act("assign", view, desk, value="kim")
    page = desk.person("sam").post("/threads/1/approve", {"version": view.row.version, "at": at, "shown": shown(desk)})
    assert page.status == 409
    assert "kim assigned: to kim" in page.words
    assert desk.send_all() == []


@pytest.mark.parametrize(
    ("action", "value", "status"),
    [("no-answer", "", "ignored"), ("close", "solved by phone", "closed"), ("spam", "", "ignored")],
)
def test_a_thread_is_put_away_and_opened_again(desk: WebOffice, action: str, value: str, status: str) -> None:
    desk.office.work(held())
    sam = desk.person("sam")
    page = sam.act(action, desk.view(), desk, value=value)
    assert page.status == 200
    assert desk.view().row.status == status
    assert "Undo" in page.words
    sam.post("/threads/1/reopen")
    assert desk.view().row.status == "held"
    kinds = [(line.actor, line.kind) for line in desk.view().trail]
    assert ("sam", status) in kinds and ("sam", "held") in kinds, "every action is an event with who"


def test_spam_teaches_the_model(desk: WebOffice) -> None:
    desk.office.work(held())
    desk.person("sam").act("spam", desk.view(), desk)
    with desk.store.view() as unit:
        (correction,) = unit.corrections(9)
    assert (correction.correction.intents, correction.correction.action) == (("spam",), "none")


def test_a_thread_sleeps_until_its_time_in_the_zone_of_who_says_so(desk: WebOffice) -> None:
    desk.office.work(held())
    sam = desk.person("sam")
    assert "choose one, or write" in sam.act("snooze", desk.view(), desk, value="soon").words
    for wrong in ("2020-01-01T00:00", "9999-12-31T23:59", "0001-01-01T00:00+14:00"):
        assert sam.act("snooze", desk.view(), desk, value=wrong).status == 422, wrong
    sam.act("snooze", desk.view(), desk, value="2026-03-03T09:00")
    assert desk.queue() == ()
    assert [row.id for row in desk.queue(Filter(Box.SNOOZED))] == [1]
    desk.clock.advance(timedelta(days=1))
    assert [row.id for row in desk.queue()] == [1]


def test_a_thread_is_handed_over_to_those_who_are_there(desk: WebOffice) -> None:
    desk.office.work(held())
    sam = desk.person("sam")
    sam.act("assign", desk.view(), desk, value="kim")
    assert desk.view().row.assignee == "kim"
    assert sam.act("assign", desk.view(), desk, value="nobody here").status == 422
    sam.act("assign", desk.view(), desk, value="")
    assert desk.view().row.assignee == ""


def test_escalating_needs_a_reason_and_makes_it_urgent(desk: WebOffice) -> None:
    desk.office.work(held())
    sam = desk.person("sam")
    assert sam.act("escalate", desk.view(), desk, value=" ").status == 422
    sam.act("escalate", desk.view(), desk, value="the customer is down")
    assert desk.view().row.priority == "urgent"
    assert "the customer is down" in sam.get("/threads/1").words


def test_a_note_is_for_colleagues(desk: WebOffice) -> None:
    desk.office.work(held())
    page = desk.person("sam").post("/threads/1/note", {"text": "<b>Look</b> at the region"})
    assert "<b>Look</b> at the region" in page.words, "text, not markup"
    assert "<b>Look" not in page.text
    assert desk.person("sam").post("/threads/1/note", {"text": " "}).status == 422


def test_a_correction_has_several_intents_and_is_told(desk: WebOffice) -> None:
    desk.office.work(drafted())
    values = {
        "first": "nfr_request",
        "further": ["quoting", "rebate"],
        "action": "reply",
        "role": "partner",
        "why": "so",
    }
    page = desk.person("sam").post(f"/mails/{desk.view().mails[0].id}/correct", values)
    assert "sam says: nfr request, quoting, rebate (reply), so" in page.words
    assert desk.view().row.intent == "nfr_request"
    wrong = desk.person("sam").post(f"/mails/{desk.view().mails[0].id}/correct", values | {"first": "no such"})
    assert wrong.status == 422


def test_a_mail_moves_splits_and_threads_merge(desk: WebOffice) -> None:
    desk.office.work(held(1), held(2), held(3))
    sam = desk.person("sam")
    second = desk.view(2).mails[0].id
    page = sam.post(f"/mails/{second}/move", {"to": 1})
    assert page.url.startswith("/threads/1?did=move")
    assert len(desk.view(1).mails) == 2
    page = sam.post(f"/mails/{second}/split")
    assert page.url.startswith("/threads/4?did=split")
    assert sam.post(f"/mails/{second}/split").status == 422, "it is the first of its thread now"
    page = sam.post("/threads/3/merge", {"into": 4})
    assert page.url.startswith("/threads/4?did=merge")
    assert sam.get("/threads/3").url == "/threads/4", "who looks for it finds it where it went"
    assert sam.post("/threads/4/merge", {"into": 99}).status == 422
    assert sam.post(f"/mails/{second}/move", {"to": 99}).status == 422


def test_a_draft_is_kept_as_it_is_written_and_found_by_everybody(desk: WebOffice) -> None:
    desk.office.work(held())
    sam = desk.person("sam")
    kept = sam.post("/threads/1/draft", {"markdown": "Half a"}, X_Partial="1")
    assert (kept.status, kept.headers["content-type"]) == (200, "application/json")
    page = desk.person("kim").get("/threads/1")
    assert "Half a" in page.words and "begun by sam" in page.words
    page = sam.post("/threads/1/draft", {"does": "discard", "draft_at": kept_at(desk)})
    assert "Half a" not in page.text.partition('id="trail"')[0]
    assert "sam discarded: the draft of sam: Half a" in page.words, "the trail has what is gone"


def test_the_draft_of_another_is_not_overwritten_unseen(desk: WebOffice) -> None:
    desk.office.work(held())
    sam, kim = desk.person("sam"), desk.person("kim")
    sam.post("/threads/1/draft", {"markdown": "Sam's"})
    refused = kim.post("/threads/1/draft", {"markdown": "Kim's"}, X_Partial="1")
    assert refused.status == 409 and "sam kept a draft" in refused.text
    page = kim.post("/threads/1/draft", {"markdown": "Kim's"})
    assert page.status == 409 and "Sam's" in page.words and "Kim's" in page.words
    assert desk.view().draft.markdown == "Sam's"  # type: ignore[union-attr]
    kim.post("/threads/1/draft", {"markdown": "Kim's", "does": "mine", "draft_at": kept_at(desk)})
    assert desk.view().draft.markdown == "Kim's"  # type: ignore[union-attr]


def test_who_saw_the_draft_of_another_goes_on_writing_it(desk: WebOffice) -> None:
    desk.office.work(held())
    desk.person("sam").post("/threads/1/draft", {"markdown": "Sam's"})
    seen_at = desk.view().draft.at.isoformat()  # type: ignore[union-attr]
    done = desk.person("kim").post("/threads/1/draft", {"markdown": "both", "draft_at": seen_at}, X_Partial="1")
    assert done.status == 200


def test_canned_replies_are_found_filled_in_and_read_before_they_are_sent(desk: WebOffice) -> None:
    desk.office.work(drafted())
    sam = desk.person("sam")
    page = sam.get("/threads/1/canned?q=nfr submitted")
    assert "nfr_submitted" in page.text and "nfr_not_eligible" not in page.text
    page = sam.post("/threads/1/canned", {"name": "nfr_submitted"})
    assert "The canned reply is filled in" in page.words
    assert 'id="editor" open' in page.text
    lacks = sam.post("/threads/1/canned", {"name": "nfr_not_eligible"})
    assert lacks.status == 422 and "missing_requirements" in lacks.words
    values = {
        "name": "nfr_not_eligible",
        "field-nfr_not_eligible-missing_requirements": "a signed agreement",
        "field-nfr_not_eligible-how_to_fulfill": "sign it in the portal",
    }
    assert "a signed agreement" in sam.post("/threads/1/canned", values | {"draft_at": kept_at(desk)}).words


def test_the_answer_is_shown_as_it_will_arrive_in_a_document_that_can_do_nothing(desk: WebOffice) -> None:
    desk.office.work(drafted())
    sam = desk.person("sam")
    sam.post("/threads/1/draft", {"markdown": "Hello **you** <script>alert(1)</script>"})
    page = sam.get("/threads/1/answer")
    assert "<strong>you</strong>" in page.text and "<script" not in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:;")


def test_markdown_that_no_mail_can_say_is_refused_and_kept(desk: WebOffice) -> None:
    desk.office.work(held())
    page = desk.person("sam").act("send", desk.view(), desk, markdown="```\ncode\n```")
    assert page.status == 422 and "no plain-text form" in page.words
    assert desk.view().draft.markdown == "```\ncode\n```"  # type: ignore[union-attr]
    assert desk.send_all() == []


def test_who_looks_at_a_thread_is_told_to_the_others(desk: WebOffice) -> None:
    desk.office.work(held())
    desk.person("sam").get("/threads/1")
    kim = desk.person("kim")
    assert "sam looks at this too" in kim.get("/threads/1").words
    assert kim.post("/threads/1/look").text == '{"present":["sam"]}'
    desk.clock.advance(timedelta(minutes=1))
    assert kim.post("/threads/1/look").text == '{"present":[]}'


def test_the_receipt_says_what_was_asked_and_what_would_have_changed_it(desk: WebOffice) -> None:
    desk.office.work(drafted())
    page = desk.person("vera").get(f"/threads/1/mails/{desk.view().mails[0].id}/receipt")
    assert page.status == 200
    for said in ("What decided when it came", "Guards, in their order", "held thread", "from a proven colleague"):
        assert said in page.words, said


def test_words_that_spoke_for_an_intent_are_marked_and_named(desk: WebOffice) -> None:
    desk.office.work(drafted())
    page = desk.person("sam").get("/threads/1").text
    assert '<mark class="intent-1">' in page, "the legend names each intent"


def test_a_viewer_reads_and_may_do_nothing(desk: WebOffice) -> None:
    desk.office.work(drafted())
    vera = desk.person("vera")
    page = vera.get("/threads/1")
    assert page.status == 200 and "Approve and send" not in page.words
    assert vera.act("approve", desk.view(), desk).status == 403
    assert desk.send_all() == []


def test_a_page_for_the_page_itself_is_the_inside_alone(desk: WebOffice) -> None:
    desk.office.work(drafted())
    part = desk.person("sam").get("/threads/1", X_Partial="1").text
    assert "<html" not in part and 'id="talk" data-part' in part


# ---------------------------------------------------------------------- what somebody else writes meanwhile


def kept_at(desk: WebOffice, thread_id: int = 1) -> str:
    """`draft_at` as a page that is made now says it."""
    draft = desk.view(thread_id).draft
    return draft.at.isoformat() if draft else ""


def shown(desk: WebOffice, thread_id: int = 1) -> str:
    """`shown` as a page that is made now says it."""
    found = re.search(
        r'name="shown" form="approve" value="(\w+)"', desk.person("kim").get(f"/threads/{thread_id}").text
    )
    assert found
    return found[1]


def test_nobody_approves_a_text_that_he_was_not_shown(desk: WebOffice) -> None:
    desk.office.work(drafted())
    sam, seen = desk.person("sam"), {"version": desk.view().row.version, "shown": shown(desk)}
    desk.person("kim").post("/threads/1/draft", {"markdown": "Half a letter"}, X_Partial="1")
    page = sam.post("/threads/1/approve", seen)
    assert page.status == 409 and "Half a letter" in page.words and "begun by kim" in page.words
    assert sam.post("/threads/1/approve", {"version": seen["version"]}).status == 409, "nor without saying what he saw"
    assert desk.send_all() == []
    assert sam.post("/threads/1/approve", seen | {"shown": shown(desk)}).status == 200
    assert desk.view().mails[-1].text.startswith("Half a letter")
    assert len(desk.send_all()) == 1


def test_a_page_that_keeps_a_draft_hears_which_text_it_shows_now(desk: WebOffice) -> None:
    desk.office.work(drafted())
    sam = desk.person("sam")
    told = json.loads(sam.post("/threads/1/draft", {"markdown": "Mine"}, X_Partial="1").text)
    assert told == {"at": kept_at(desk), "shown": shown(desk)}


def test_the_draft_of_another_is_not_discarded_unseen(desk: WebOffice) -> None:
    desk.office.work(held())
    desk.person("kim").post("/threads/1/draft", {"markdown": "Kim's letter"})
    sam = desk.person("sam")
    page = sam.post("/threads/1/draft", {"does": "discard", "draft_at": ""})
    assert page.status == 409 and "Kim's letter" in page.words
    assert kept_at(desk)
    sam.post("/threads/1/draft", {"does": "discard", "draft_at": kept_at(desk)})
    assert not kept_at(desk)
    assert ("sam", "discarded", "the draft of kim: Kim's letter") in trail(desk)


def test_an_answer_does_not_go_over_the_draft_of_another_unseen(desk: WebOffice) -> None:
    desk.office.work(held())
    sam, view = desk.person("sam"), desk.view()
    desk.person("kim").post("/threads/1/draft", {"markdown": "Kim's letter"})
    page = sam.act("send", view, desk, markdown="Short")
    assert page.status == 409 and "Kim's letter" in page.words and "Short" in page.words
    assert desk.send_all() == []
    known = re.search(r'name="draft_at" value="([^"]+)"', page.text)
    assert known and known[1] == kept_at(desk)
    assert sam.act("send", view, desk, markdown="Short", draft_at=known[1]).status == 200
    assert ("sam", "replaced", "the draft of kim: Kim's letter") in trail(desk), "nothing goes without a trace"
    assert len(desk.send_all()) == 1


def test_a_canned_reply_does_not_go_over_a_draft_unseen(desk: WebOffice) -> None:
    desk.office.work(drafted())
    sam = desk.person("sam")
    sam.post("/threads/1/draft", {"markdown": "Sam's letter"})
    assert f'name="draft_at" value="{kept_at(desk)}"' in sam.get("/threads/1/canned").text
    page = sam.post("/threads/1/canned", {"name": "nfr_submitted"})
    assert page.status == 409 and "Sam's letter" in page.words
    assert sam.post("/threads/1/canned", {"name": "nfr_submitted", "draft_at": kept_at(desk)}).status == 200
    assert ("sam", "replaced", "the draft of sam: Sam's letter") in trail(desk)


def test_of_two_tabs_of_one_person_the_later_one_asks(desk: WebOffice) -> None:
    desk.office.work(held())
    sam = desk.person("sam")
    sam.post("/threads/1/draft", {"markdown": "The long one"}, X_Partial="1")
    page = sam.post("/threads/1/draft", {"markdown": "Short"})
    assert page.status == 409 and "The long one" in page.words
    assert desk.view().draft.markdown == "The long one"  # type: ignore[union-attr]
    again = sam.post("/threads/1/draft", {"markdown": "The long one"}, X_Partial="1")
    assert again.status == 200, "the same words twice are no conflict"


def test_an_empty_editor_leaves_what_was_prepared(desk: WebOffice) -> None:
    desk.office.work(drafted())
    sam, before = desk.person("sam"), shown(desk)
    page = sam.act("send", desk.view(), desk, markdown=" \n")
    assert page.status == 422 and "answer is empty" in page.words
    assert shown(desk) == before and not kept_at(desk)
    sam.post("/threads/1/draft", {"markdown": "Mine"}, X_Partial="1")
    sam.post("/threads/1/draft", {"markdown": "", "draft_at": kept_at(desk)}, X_Partial="1")
    assert shown(desk) == before
    assert "begun by" not in sam.get("/threads/1").words


@pytest.mark.parametrize("action", ["escalate", "close"])
def test_a_reason_is_not_lost_where_the_thread_has_changed(desk: WebOffice, action: str) -> None:
    desk.office.work(held())
    view = desk.view()
    desk.person("kim").act("assign", view, desk, value="kim")
    page = desk.person("sam").act(action, view, desk, value="their director called")
    assert page.status == 409
    assert 'name="value" value="their director called"' in page.text


# ---------------------------------------------------------------------- taking it back


def pressed(page: Answered) -> tuple[str, dict[str, str]]:
    """Where the button Undo of a page leads, and what it sends."""
    form = re.search(r'action="(/threads/\d+/undo)">(.*?)<button', page.text, re.DOTALL)
    assert form
    return form[1], dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[2]))


@pytest.mark.parametrize(("action", "value"), [("no-answer", ""), ("close", "x"), ("spam", ""), ("snooze", "4h")])
def test_what_is_taken_back_is_due_and_asleep_as_it_was(desk: WebOffice, action: str, value: str) -> None:
    desk.office.work(held())
    sam = desk.person("sam")
    sam.act("snooze", desk.view(), desk, value="monday")
    before = desk.view().row
    desk.clock.advance(timedelta(minutes=1))
    path, form = pressed(sam.act(action, desk.view(), desk, value=value))
    desk.clock.advance(timedelta(minutes=1))
    assert "waits for a person as it did before" in sam.post(path, form).words
    after = desk.view().row
    assert (after.status, after.due_at, after.snoozed_until) == ("held", before.due_at, before.snoozed_until)


def test_a_cancelled_answer_makes_nobody_late(desk: WebOffice) -> None:
    desk.office.work(drafted())
    sam, before = desk.person("sam"), desk.view().row
    sam.act("approve", desk.view(), desk)
    sam.post("/outbox/1/cancel", {"back": "1"})
    assert (desk.view().row.status, desk.view().row.due_at) == ("held", before.due_at)


def test_spam_that_is_taken_back_teaches_nothing(desk: WebOffice) -> None:
    desk.office.work(drafted())
    sam, before = desk.person("sam"), desk.view().row
    path, form = pressed(sam.act("spam", desk.view(), desk))
    assert desk.view().row.intent == "spam"
    sam.post(path, form)
    assert (desk.view().row.intent, desk.view().row.status) == (before.intent, "held")
    with desk.store.view() as unit:
        assert unit.corrections(9) == []
    assert ("sam", "withdrew", "that it is spam") in trail(desk)


def test_nothing_is_taken_back_that_somebody_went_on_with(desk: WebOffice) -> None:
    desk.office.work(held())
    sam = desk.person("sam")
    path, form = pressed(sam.act("close", desk.view(), desk, value="x"))
    desk.clock.advance(timedelta(seconds=5))
    desk.person("kim").act("assign", desk.view(), desk, value="kim")
    page = sam.post(path, form)
    assert page.status == 409 and "kim assigned: to kim" in page.words
    assert desk.view().row.status == "closed"


def test_an_address_claims_nothing_that_did_not_happen(desk: WebOffice) -> None:
    desk.office.work(held())
    sam = desk.person("sam")
    assert "counts as spam" not in sam.get("/threads/1?did=spam&of=1").words
    assert "threads are done" not in sam.get("/queue?did=bulk&done=7").words
    url = sam.act("spam", desk.view(), desk).url
    assert "counts as spam" in sam.get(url).words
    assert "counts as spam" not in sam.get(url.replace("of=1", "of=2")).words
    assert "counts as spam" not in desk.person("kim").get(url).words, "he did not do it"
    desk.clock.advance(timedelta(hours=2))
    assert "counts as spam" not in sam.get(url).words, "it was a while ago"


def test_a_clock_hides_no_change_of_another(desk: WebOffice) -> None:
    """Kim's change is at the very moment that the page says it was made."""
    desk.office.work(held())
    sam, view, at = desk.person("sam"), desk.view(), desk.clock.now().isoformat()
    desk.person("kim").act("escalate", view, desk, value="they call")
    desk.clock.advance(timedelta(seconds=5))
    sam.act("assign", desk.view(), desk, value="sam")
    page = sam.post("/threads/1/close", {"version": view.row.version, "at": at, "value": "done"})
    assert page.status == 409
    assert desk.view().row.priority == "urgent"


# ---------------------------------------------------------------------- threads that become one, or two


def test_a_merged_thread_loses_neither_its_draft_nor_its_haste_nor_its_trail(desk: WebOffice) -> None:
    desk.office.work(held(1))
    desk.clock.advance(timedelta(minutes=5))
    desk.office.work(held(2))
    sam = desk.person("sam")
    sam.act("escalate", desk.view(1), desk, value="they call")
    due = desk.view(1).row.due_at
    sam.post("/threads/1/draft", {"markdown": "Begun in the first"}, X_Partial="1")
    known = kept_at(desk)
    sam.act("snooze", desk.view(2), desk, value="monday")
    sam.post("/threads/1/merge", {"into": 2})
    row = desk.view(2).row
    assert (row.priority, row.due_at, row.snoozed_until) == ("urgent", due, None)
    assert ("sam", "escalated", "they call") in trail(desk, 2)
    assert desk.view(2).draft.markdown == "Begun in the first"  # type: ignore[union-attr]
    sam.post("/threads/1/draft", {"markdown": "And went on", "draft_at": known}, X_Partial="1")
    assert desk.view(2).draft.markdown == "And went on", "a page of the first one was open"  # type: ignore[union-attr]


def test_two_drafts_that_meet_are_both_kept(desk: WebOffice) -> None:
    desk.office.work(held(1), held(2))
    desk.person("kim").post("/threads/1/draft", {"markdown": "Kim's"}, X_Partial="1")
    sam = desk.person("sam")
    sam.post("/threads/2/draft", {"markdown": "Sam's"}, X_Partial="1")
    sam.post("/threads/1/merge", {"into": 2})
    view = desk.view(2)
    assert view.draft is not None and view.draft.markdown == "Sam's"
    assert [(note.author, note.text.endswith("Kim's")) for note in view.notes] == [("kim", True)]


def test_a_reminder_makes_nothing_less_urgent(desk: WebOffice) -> None:
    desk.office.work(held(subject="Riddle"))
    desk.person("sam").act("escalate", desk.view(), desk, value="the director called")
    before = desk.view().row
    desk.clock.advance(timedelta(minutes=5))
    more = {"sender": "ann@partner1.example", "subject": "Re: Riddle", "In_Reply_To": "<q1@partner.example>"}
    desk.office.work(question(2, body="another riddle", **more))
    assert len(desk.view().mails) == 2
    assert (desk.view().row.priority, desk.view().row.due_at) == ("urgent", before.due_at)


def test_a_mail_that_is_split_off_is_awake_and_shows_what_it_asks(desk: WebOffice) -> None:
    desk.office.work(held(1), drafted(2))
    sam, mail = desk.person("sam"), desk.view(2).mails[0].id
    sam.post(f"/mails/{mail}/move", {"to": 1})
    sam.act("assign", desk.view(1), desk, value="kim")
    sam.act("snooze", desk.view(1), desk, value="monday")
    sam.post(f"/mails/{mail}/split")
    row = desk.view(3).row
    assert [one.id for one in desk.queue()] == [3]
    assert (row.intent, row.assignee, row.snoozed_until) == ("quoting", "", None)


def trail(desk: WebOffice, thread_id: int = 1) -> list[tuple[str, str, str]]:
    return [(line.actor, line.kind, line.sentence) for line in desk.view(thread_id).trail]
