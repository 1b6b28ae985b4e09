"""The review desk's store: queue, filters, search, versions, drafts, mails between threads; on both databases."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from tests.databases import database_url
from tests.services.office import Office, question

from mailflow.adapters import schema
from mailflow.adapters.sql import desk as sql_desk
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.core.delivery import OutboxState
from mailflow.core.message import Envelope, OutboundMessage
from mailflow.core.partner import Partner, PartnerDirectory, PartnerKind, Route
from mailflow.core.review import (
    Box,
    Correction,
    Filter,
    Place,
    QueueRow,
    SavedDraft,
    Sort,
    ThreadChanged,
    ThreadView,
)
from mailflow.errors import OutcomeUnknown
from mailflow.services.ingest import ingest
from mailflow.testing import NOON

DRAFTED, HELD, ASKED = "Please send a quote", "a riddle", "How do we get a licence?"
WHO = "sam"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.e2e)])
def office(request: pytest.FixtureRequest) -> Iterator[Office]:
    engine = open_engine(database_url(request))
    schema.upgrade(engine)
    yield Office(SqlStore(engine))
    engine.dispose()


def rows(office: Office, filter_: Filter, after: Place | None = None, limit: int = 50) -> tuple[QueueRow, ...]:
    with office.store.view() as unit:
        return unit.queue(filter_, WHO, office.clock.now(), after, limit).rows


def ids(office: Office, filter_: Filter) -> list[int]:
    return [row.id for row in rows(office, filter_)]


def thread(office: Office, thread_id: int = 1) -> ThreadView:
    with office.store.view() as unit:
        found = unit.thread_view(thread_id, office.clock.now())
    assert found is not None
    return found


def answer(number: int = 1, markdown: str = "Hello") -> OutboundMessage:
    envelope = Envelope("desk@desk.example", "ann@partner1.example")
    return OutboundMessage(envelope, f"a{number}@desk.example", "Re: Question", b"octets", "Hello", markdown)


def decide(office: Office, *mails: bytes) -> None:
    """Deal with `mails`; their answers wait for the undo window."""
    office.undo = timedelta(seconds=30)
    for content in mails:
        office.source.deliver(content)
    ingest(office.source, office.store, office.clock)
    office.processing().turn()


# ---------------------------------------------------------------------- the queue


def test_a_page_ends_where_the_next_one_begins(office: Office) -> None:
    office.work(*(question(number, body=HELD) for number in range(1, 8)))
    seen: list[int] = []
    after = None
    for _ in range(4):
        with office.store.view() as unit:
            page = unit.queue(Filter(), WHO, NOON, after, 2)
        seen += [row.id for row in page.rows]
        after = page.next
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert after is None


@pytest.mark.parametrize("sort", Sort)
def test_a_page_can_be_gone_through_in_each_order(office: Office, sort: Sort) -> None:
    for number in range(1, 5):
        office.work(question(number, body=HELD))
        office.clock.advance(timedelta(minutes=number % 3))
    whole = ids(office, Filter(sort=sort))
    walked, after = [], None
    for _ in whole:
        with office.store.view() as unit:
            page = unit.queue(Filter(sort=sort), WHO, office.clock.now(), after, 1)
        walked += [row.id for row in page.rows]
        after = page.next
    assert walked == whole
    assert whole == sorted(whole, reverse=sort is Sort.NEWEST)


def test_the_threads_beside_a_thread(office: Office) -> None:
    office.work(*(question(number, body=HELD) for number in range(1, 4)))
    (_, middle, _) = rows(office, Filter())
    assert middle.due_at is not None
    with office.store.view() as unit:
        assert unit.beside(Filter(), WHO, NOON, Place(middle.due_at, middle.id)) == (1, 3)
        newest = Filter(Box.ALL)
        assert unit.beside(newest, WHO, NOON, Place(middle.updated_at, middle.id)) == (3, 1)
        assert unit.beside(newest, WHO, NOON, Place(middle.updated_at, 3)) == (None, 2)


def test_each_box_has_its_threads(office: Office) -> None:
    office.work(question(1), question(2, body=DRAFTED), question(3, body=HELD), question(4, body=HELD))
    with office.store.unit() as unit:
        unit.assign(3, None, WHO, WHO, NOON)
        unit.snooze(4, None, NOON + timedelta(hours=1), WHO, NOON)
        counts = unit.box_counts(WHO, NOON)
    wanted = {
        Box.HELD: [2, 3],
        Box.DRAFTS: [2],
        Box.TROUBLE: [],
        Box.MINE: [3],
        Box.SNOOZED: [4],
        Box.ANSWERED: [1],
        Box.ALL: [1, 2, 3, 4],
    }
    assert {box: sorted(ids(office, Filter(box))) for box in Box} == wanted
    assert counts == {box: len(wanted[box]) for box in Box if box not in (Box.ALL, Box.ANSWERED)}


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        (Filter(intent="quoting"), [2]),
        (Filter(reason="guard:abstained"), [3]),
        (Filter(role="partner"), [2, 3]),
        (Filter(trust="known"), []),
        (Filter(language="en"), []),
        (Filter(priority="normal"), [2, 3]),
        (Filter(partner="nobody"), []),
        (Filter(assignee="kim"), [3]),
        (Filter(assignee="-"), [2]),
        (Filter(older_than=timedelta(minutes=30)), [2]),
        (Filter(query="quot"), [2]),
        (Filter(query="riddle zebra"), []),
        (Filter(intent="quoting", assignee="kim"), []),
    ],
)
def test_each_condition_of_a_filter(office: Office, filter_: Filter, found: list[int]) -> None:
    office.work(question(1), question(2, body=DRAFTED))
    office.clock.advance(timedelta(hours=1))
    office.work(question(3, body=HELD))
    with office.store.unit() as unit:
        unit.assign(3, None, "kim", WHO, office.clock.now())
    assert ids(office, filter_) == found


def test_what_the_queue_can_be_filtered_by_is_what_occurs_in_it(office: Office) -> None:
    office.work(question(1), question(2, body=DRAFTED), question(3, body=HELD))
    with office.store.view() as unit:
        values = unit.values_in_queue()
    assert values["intent"] == ["quoting"]
    assert values["priority"] == ["normal"]
    assert values["assignee"] == []


def test_a_row_shows_how_the_newest_mail_begins(office: Office) -> None:
    office.work(question(1, body="a  riddle\nin two lines " + "x" * 1000), question(2, body=HELD))
    with office.store.view() as unit:
        found = unit.excerpts([1, 2, 99])
    assert found[1].startswith("a riddle in two lines xxx") and len(found[1]) <= sql_desk.EXCERPT
    assert set(found) == {1, 2}


def test_search_takes_any_text_for_words(office: Office) -> None:
    office.work(question(1, body="Réclamation: a riddle"))
    with office.store.view() as unit:
        assert unit.search("reclam") and unit.search("RÉCLAMATION riddle")
        for hostile in ("", '"', "a OR b:*", "reclam & !riddle", "(", "NEAR(", "'); --", "* *", "\N{SNOWMAN}"):
            unit.search(hostile)


def test_what_is_on_its_way_and_in_quarantine_is_counted(office: Office) -> None:
    decide(office, question(1), question(2))
    with office.store.view() as unit:
        assert unit.waiting_counts() == (2, 0)


# ---------------------------------------------------------------------- versions


@pytest.mark.parametrize("change", ["status", "assign", "snooze", "escalate", "send"])
def test_a_change_that_names_an_old_version_is_refused_and_nothing_happens(office: Office, change: str) -> None:
    office.work(question(1, body=HELD))
    seen = thread(office).row.version
    with office.store.unit() as unit:
        unit.assign(1, seen, "kim", "kim", NOON)
    before = thread(office)
    with pytest.raises(ThreadChanged), office.store.unit() as unit:
        changes: dict[str, Callable[[], object]] = {
            "status": lambda: unit.set_status(1, seen, "closed", WHO, NOON),
            "assign": lambda: unit.assign(1, seen, WHO, WHO, NOON),
            "snooze": lambda: unit.snooze(1, seen, NOON + timedelta(hours=1), WHO, NOON),
            "escalate": lambda: unit.escalate(1, seen, "now", WHO, NOON),
            "send": lambda: unit.send(1, seen, answer(), WHO, NOON, NOON),
        }
        changes[change]()
    assert thread(office) == before


def test_a_version_that_no_thread_can_have_is_an_old_one(office: Office) -> None:
    office.work(question(1, body=HELD))
    with pytest.raises(ThreadChanged), office.store.unit() as unit:
        unit.assign(1, 2**53, "kim", WHO, NOON)


def test_new_mail_makes_a_new_version(office: Office) -> None:
    office.work(question(1, body=HELD, subject="Riddle"))
    seen = thread(office).row.version
    more = {"sender": "ann@partner1.example", "subject": "Re: Riddle", "In_Reply_To": "<q1@partner.example>"}
    office.work(question(2, body="another riddle", **more))
    assert len(thread(office).mails) == 2
    assert thread(office).row.version > seen


def test_each_change_is_told_with_who_and_why(office: Office) -> None:
    office.work(question(1, body=HELD))
    with office.store.unit() as unit:
        unit.set_status(1, None, "closed", WHO, NOON, "solved by phone")
        unit.escalate(1, None, "the customer is down", "kim", NOON)
        unit.add_note(1, "kim", "words", NOON)
    told = [(line.actor, line.kind, line.sentence) for line in thread(office).trail]
    assert told[-3:] == [
        (WHO, "closed", "solved by phone"),
        ("kim", "escalated", "the customer is down"),
        ("kim", "note", "wrote a note"),
    ]


# ---------------------------------------------------------------------- answers of people


def test_an_answer_of_a_person_is_queued_with_its_thread_answered(office: Office) -> None:
    office.work(question(1, body=DRAFTED))
    with office.store.unit() as unit:
        unit.save_draft(1, SavedDraft(WHO, NOON, "Hel"))
        entry = unit.send(1, thread(office).row.version, answer(), WHO, NOON, NOON + timedelta(seconds=20))
        found = unit.outbox_entry(entry)
    view = thread(office)
    assert found is not None and (found.state, found.due_at) == (OutboxState.QUEUED, NOON + timedelta(seconds=20))
    assert (view.row.status, view.row.has_draft, view.draft) == ("answered", False, None)
    assert (view.mails[-1].direction, view.mails[-1].author, view.mails[-1].answer_state) == ("out", WHO, "queued")
    with office.store.view() as unit:
        assert [one.id for one in unit.outbox_of_thread(1)] == [entry]


def test_what_was_cancelled_is_a_draft_again(office: Office) -> None:
    office.work(question(1, body=HELD))
    with office.store.unit() as unit:
        entry = unit.send(1, thread(office).row.version, answer(markdown="*Hello*"), WHO, NOON, NOON)
        assert unit.cancel_outbox(entry, NOON, "kim")
    view = thread(office)
    assert view.draft == SavedDraft(WHO, NOON, "*Hello*")
    assert (view.row.status, view.row.has_draft) == ("held", True)
    with office.store.unit() as unit:
        assert not unit.cancel_outbox(entry, NOON, "kim"), "once"
        assert unit.outbox_of_thread(1) == []


def test_a_draft_that_was_begun_meanwhile_stays(office: Office) -> None:
    office.work(question(1, body=HELD))
    with office.store.unit() as unit:
        entry = unit.send(1, thread(office).row.version, answer(), WHO, NOON, NOON)
        unit.save_draft(1, SavedDraft("kim", NOON, "mine"))
        unit.cancel_outbox(entry, NOON, WHO)
        draft = unit.draft(1)
    assert draft is not None and draft.markdown == "mine"


def test_an_automatic_answer_that_was_cancelled_can_be_sent_by_a_person(office: Office) -> None:
    decide(office, question(1))
    with office.store.unit() as unit:
        unit.cancel_outbox(1, NOON, WHO)
        parts = unit.draft_parts(thread(office).mails[0].id)
    assert [part.intent for part in parts] == ["nfr_request"]
    assert ids(office, Filter(Box.DRAFTS)) == [1]


def test_an_answer_of_a_person_takes_the_place_of_the_automatic_one_that_waits(office: Office) -> None:
    decide(office, question(1))
    with office.store.unit() as unit:
        unit.send(1, thread(office).row.version, answer(), WHO, NOON, NOON + timedelta(seconds=30))
    view = thread(office)
    assert [mail.answer_state for mail in view.mails[1:]] == ["cancelled", "queued"]
    assert [(line.actor, line.kind) for line in view.trail[-2:]] == [(WHO, "cancelled"), (WHO, "queued")]
    assert view.row.status == "answered"
    office.clock.advance(timedelta(seconds=31))
    office.worker().run_once()
    assert [one.message_id for one in office.submission.sent] == [answer().message_id]


def test_one_that_leaves_or_has_left_since_he_looked_is_told_to_him(office: Office) -> None:
    decide(office, question(1))
    seen = thread(office).row.version
    office.clock.advance(timedelta(seconds=31))
    with office.store.unit() as unit:
        claimed = unit.claim_outbox(office.clock.now())
    assert claimed is not None
    with office.store.unit() as unit, pytest.raises(ThreadChanged, match="this moment"):
        unit.send(1, seen, answer(), WHO, NOON, NOON)
    with office.store.unit() as unit:
        unit.finish_outbox(claimed.id, OutboxState.SENT, NOON, due_at=None, reply_code=250, error="")
    with office.store.unit() as unit, pytest.raises(ThreadChanged, match="has changed"):
        unit.send(1, seen, answer(), WHO, NOON, NOON)
    with office.store.unit() as unit:
        assert unit.send(1, thread(office).row.version, answer(), WHO, NOON, NOON), "he knows of it"


def test_it_is_told_to_him_too_where_both_happen_at_once(office: Office) -> None:
    decide(office, question(1))
    seen = thread(office).row.version
    office.clock.advance(timedelta(seconds=31))
    told: list[str] = []

    def send() -> None:
        try:
            with office.beside().store.unit() as unit:
                unit.send(1, seen, answer(), WHO, NOON, NOON)
        except ThreadChanged as error:
            told.append(str(error))

    person = threading.Thread(target=send)
    with office.store.unit() as unit:
        assert unit.claim_outbox(office.clock.now()) is not None
        person.start()
        person.join(0.5)
        assert person.is_alive(), "he waits for what becomes of it"
    person.join()
    assert len(told) == 1
    assert [one.state for one in office.answers()] == [OutboxState.SENDING]


def test_an_answer_in_doubt_is_in_its_box_until_somebody_decides(office: Office) -> None:
    office.submission.errors.append(OutcomeUnknown("lost after DATA"))
    office.work(question(1))
    assert ids(office, Filter(Box.TROUBLE)) == [1]
    assert rows(office, Filter(Box.TROUBLE))[0].trouble == "uncertain"
    with office.store.unit() as unit:
        assert unit.confirm_outbox(1, NOON, WHO)
    assert ids(office, Filter(Box.TROUBLE)) == []


# ---------------------------------------------------------------------- mails between threads


def test_a_mail_moves_into_another_thread_and_the_empty_one_is_closed(office: Office) -> None:
    office.work(question(1, body=HELD), question(2, body=HELD))
    (mail,) = thread(office, 2).mails
    with office.store.unit() as unit:
        assert unit.move_mail(mail.id, 1, WHO, NOON)
        assert not unit.move_mail(mail.id, 1, WHO, NOON), "it is there"
        assert not unit.move_mail(mail.id, 99, WHO, NOON)
        assert not unit.move_mail(99, 1, WHO, NOON)
    assert [one.id for one in thread(office, 1).mails][-1] == mail.id
    assert (thread(office, 2).mails, thread(office, 2).row.status) == ((), "closed")


def test_a_mail_becomes_a_thread_of_its_own(office: Office) -> None:
    office.work(question(1, body=HELD), question(2, body=HELD))
    second = thread(office, 2).mails[0].id
    with office.store.unit() as unit:
        unit.move_mail(second, 1, WHO, NOON)
        new = unit.split(second, WHO, NOON)
        assert unit.split(thread(office, 1).mails[0].id, WHO, NOON) is None
        assert unit.split(99, WHO, NOON) is None
    assert new is not None
    assert [one.id for one in thread(office, new).mails] == [second]
    assert thread(office, new).row.status == "held"
    assert len(thread(office, 1).mails) == 1


def in_doubt(office: Office) -> tuple[int, int]:
    """Two mails of one thread, the answer to the second uncertain. Returns the second and that answer."""
    office.work(question(1, body=HELD), question(2, body=HELD))
    second = thread(office, 2).mails[0].id
    with office.store.unit() as unit:
        unit.move_mail(second, 1, WHO, NOON)
    office.submission.errors.append(OutcomeUnknown("lost after DATA"))
    with office.store.unit() as unit:
        entry = unit.send(1, thread(office).row.version, answer(), WHO, NOON, NOON)
    office.work()
    assert ids(office, Filter(Box.TROUBLE)) == [1]
    return second, entry


def test_how_far_an_answer_is_goes_with_the_mails_that_are_split_off(office: Office) -> None:
    second, entry = in_doubt(office)
    with office.store.unit() as unit:
        new = unit.split(second, WHO, NOON)
    assert new is not None
    with office.store.view() as unit:
        assert [one.id for one in unit.outbox_of_thread(new)] == [entry]
        assert unit.outbox_of_thread(1) == []
    assert ids(office, Filter(Box.TROUBLE)) == [new]
    with office.store.unit() as unit:
        unit.confirm_outbox(entry, NOON, WHO)
    assert ids(office, Filter(Box.TROUBLE)) == []


def test_how_far_an_answer_is_goes_with_it_into_another_thread(office: Office) -> None:
    _, entry = in_doubt(office)
    office.work(question(3, body=HELD))
    with office.store.unit() as unit:
        assert unit.move_mail(thread(office).mails[-1].id, 3, WHO, NOON)
    with office.store.view() as unit:
        assert [one.id for one in unit.outbox_of_thread(3)] == [entry]
    assert ids(office, Filter(Box.TROUBLE)) == [3]


def test_a_merged_thread_is_found_as_the_one_that_took_it_over(office: Office) -> None:
    office.work(question(1, body=HELD), question(2, body=HELD))
    with office.store.unit() as unit:
        unit.add_note(2, WHO, "words", NOON)
        seen = unit.thread_view(1, NOON)
        assert seen is not None
        assert unit.merge_threads(2, 1, NOON, WHO)
    view = thread(office, 2)
    assert (view.row.id, len(view.mails), len(view.notes)) == (1, 2, 1)
    assert view.row.version > seen.row.version, "who looked at it before sees that it changed"
    assert ids(office, Filter()) == [1]


# ---------------------------------------------------------------------- people


def test_a_correction_is_kept_beside_what_the_model_said(office: Office) -> None:
    office.work(question(1, body=DRAFTED))
    mail = thread(office).mails[0].id
    said = Correction(mail, ("nfr_request", "quoting"), "reply", "partner", "they ask for a licence")
    with office.store.unit() as unit:
        unit.correct(said, WHO, NOON)
        unit.correct(Correction(mail, (), "none", "partner", ""), "kim", NOON)
        newest, oldest = unit.corrections_of(1)
        assert unit.corrections_of(99) == []
    assert (oldest.correction, oldest.predicted, oldest.predicted_action) == (said, ("quoting",), "review")
    assert newest.author == "kim"
    assert thread(office).row.intent == "", "none of ours"


def test_who_looks_is_seen_for_a_while(office: Office) -> None:
    office.work(question(1, body=HELD))
    with office.store.unit() as unit:
        assert unit.look(1, "kim", NOON) == ("kim",)
        assert unit.look(1, WHO, NOON + timedelta(seconds=30)) == ("kim", WHO)
        assert unit.look(1, WHO, NOON + timedelta(seconds=60)) == (WHO,)
        assert unit.look(99, WHO, NOON) == ()


def test_a_view_is_its_makers_and_has_one_name(office: Office) -> None:
    with office.store.unit() as unit:
        unit.save_view(WHO, "Quotes", "box=held&intent=quoting")
        unit.save_view(WHO, "Quotes", "box=all&intent=quoting")
        unit.save_view("kim", "Hers", "box=mine")
        ((view_id, name, query),) = unit.saved_views(WHO)
        assert (name, query) == ("Quotes", "box=all&intent=quoting")
        unit.drop_view("kim", view_id)
        assert unit.saved_views(WHO), "nobody drops another's"
        unit.drop_view(WHO, view_id)
        assert unit.saved_views(WHO) == []


def test_news_are_the_threads_that_events_are_about(office: Office) -> None:
    office.work(question(1, body=HELD), question(2, body=HELD))
    with office.store.unit() as unit:
        before = unit.newest_event()
        unit.add_note(2, WHO, "words", NOON)
        unit.tell(WHO, "tried", "something", NOON)
        assert unit.news(before, 100) == (before + 2, [2])
        assert unit.news(before + 2, 100) == (before + 2, [])
        assert unit.news(0, 1)[0] == 1, "no more than asked for at once"


def test_a_partner_is_found_by_his_company(office: Office) -> None:
    partner = Partner(
        ("firm.example", "firm.test.example"), "Firm", "Select", PartnerKind.RESELLER, "EMEA", Route.DIRECT, ""
    )
    with office.store.unit() as unit:
        unit.replace_partners(PartnerDirectory.of([partner]), NOON, WHO)
        assert unit.partner("Firm") == partner
        assert unit.partner("Other") is None
