"""Threads as the worker lives them: follow-ups, strangers, robots, rest and return, merging, and what comes back."""

from datetime import timedelta
from email.parser import BytesParser
from email.policy import default

import pytest
from tests.services.office import WORDS, Office, by_words, question, reader_of

from mailflow.adapters.store import SqlStore
from mailflow.core.classification import Classification, ClassifierInput
from mailflow.core.delivery import MUTE_PERMANENT, MUTE_TEMPORARY, OutboxState
from mailflow.core.octets import Octets
from mailflow.core.partner import NO_PARTNERS, Partner, PartnerDirectory, PartnerKind, Route
from mailflow.core.storage import ThreadStory, Understood
from mailflow.testing import DESK, NOON, FixedClassifier

ANN = "ann@partner.example"
MALLORY = "mallory@evil.example"
FIRST = "q1@partner.example"
SECOND = "q2@partner.example"
ASK = "How do we get a licence?"
QUOTE = "Please send a quote."
THANKS = "Thanks a lot!"


@pytest.fixture
def office(store: SqlStore) -> Office:
    return Office(store)


def story_of(office: Office, message_id: str) -> ThreadStory:
    thread_id = next(one.thread_id for one in office.decided() if one.message_id == message_id)
    with office.store.unit() as unit:
        story = unit.story(thread_id)
    assert story is not None
    return story


def thread_of(office: Office, message_id: str) -> int:
    return story_of(office, message_id).summary.id


def placed(office: Office, message_id: str) -> list[str]:
    """What the trail says of where this mail went."""
    return [line.sentence for line in story_of(office, message_id).lines if line.kind == "placed"]


def our_id(office: Office) -> str:
    return office.submission.sent[0].message_id


# ------------------------------------------------------------------ who joins


def test_a_stranger_with_a_forged_reference_is_pointed_at_the_thread_and_kept_out(office: Office) -> None:
    office.work(question(1, ANN))
    office.work(question(2, MALLORY, references=f"<{our_id(office)}>"))
    assert thread_of(office, SECOND) != thread_of(office, FIRST)
    assert placed(office, SECOND) == [
        f"a possible reply to thread {thread_of(office, FIRST)}: signed id, but written by a stranger"
    ]


def test_a_subject_tag_opens_nothing_to_a_stranger(office: Office) -> None:
    """Numbers are easy to count through: nothing of the thread may be learnt or filled by guessing one."""
    office.work(question(1, ANN))
    tag = f"Re: Question 1 [MF-{thread_of(office, FIRST)}]"
    office.work(question(2, MALLORY, subject=tag))
    assert thread_of(office, SECOND) != thread_of(office, FIRST)
    assert placed(office, SECOND) == []


def test_a_subject_tag_joins_for_the_requester(office: Office) -> None:
    office.work(question(1, ANN))
    office.work(question(2, ANN, subject=f"about [MF-{thread_of(office, FIRST)}] again"))
    assert thread_of(office, SECOND) == thread_of(office, FIRST)


def test_the_same_subject_alone_is_only_a_hint(office: Office) -> None:
    office.work(question(1, ANN, subject="Licence for our lab"))
    office.work(question(2, ANN, subject="RE: [EXT] Licence for our lab"))
    assert thread_of(office, SECOND) != thread_of(office, FIRST)
    assert placed(office, SECOND)[0].startswith(f"a possible reply to thread {thread_of(office, FIRST)}: same subject")


def test_a_one_word_subject_is_no_hint(office: Office) -> None:
    office.work(question(1, ANN, subject="Licence"), question(2, ANN, subject="Re: Licence"))
    assert placed(office, SECOND) == []


def test_somebody_in_cc_may_go_on(office: Office) -> None:
    bob = "bob@customer.example"
    office.work(question(1, ANN, cc=bob))
    office.work(question(2, bob, references=f"<{FIRST}>"))
    assert thread_of(office, SECOND) == thread_of(office, FIRST)


def test_two_matters_of_one_partner_stay_two(office: Office) -> None:
    office.work(question(1, ANN, subject="Licence for the lab"), question(2, ANN, subject="Licence for the fair"))
    assert thread_of(office, SECOND) != thread_of(office, FIRST)


# ------------------------------------------------------------------ two help desks


def test_another_desks_acknowledgement_is_filed_and_changes_nothing(office: Office) -> None:
    """Two help desks that acknowledge each other: no answer, no reopening, no second thread."""
    office.work(question(1, ANN, body=QUOTE))
    office.clock.advance(timedelta(hours=1))
    before = story_of(office, FIRST).summary
    robot = {"auto_submitted": "auto-replied", "references": f"<{FIRST}>", "subject": "[Ticket#77] received"}
    office.work(question(2, "desk@partner.example", **robot))
    assert office.actions()[SECOND] == "none"
    assert story_of(office, FIRST).summary == before


def test_a_robot_with_our_signed_id_lands_in_the_thread_without_waking_it(office: Office) -> None:
    office.work(question(1, ANN))
    office.clock.advance(timedelta(hours=1))
    before = story_of(office, FIRST).summary
    office.work(question(2, "noreply@partner.example", auto_submitted="auto-replied", in_reply_to=our_id(office)))
    assert thread_of(office, SECOND) == thread_of(office, FIRST)
    assert story_of(office, FIRST).summary == before
    assert len(office.submission.sent) == 1


# ------------------------------------------------------------------ held, thanked, rested, merged


def test_a_question_in_a_thread_that_waits_for_a_person_waits_with_it(office: Office) -> None:
    """D8: two must not answer one thread, whatever the second mail asks."""
    office.work(question(1, ANN, body=QUOTE))
    office.work(question(2, ANN, body=ASK, references=f"<{FIRST}>"))
    assert office.actions()[SECOND] == "review"
    assert office.submission.sent == []


def test_thanks_do_not_close_what_waits_for_a_person(office: Office) -> None:
    office.work(question(1, ANN, body=QUOTE))
    office.work(question(2, ANN, body=THANKS, references=f"<{FIRST}>"))
    assert office.actions()[SECOND] == "none"
    assert story_of(office, FIRST).summary.status == "held"


@pytest.mark.parametrize(("days", "reopens"), [(59, True), (61, False)])
def test_a_thread_is_reopened_for_a_while_and_then_begins_anew(office: Office, days: int, reopens: bool) -> None:
    office.work(question(1, ANN))
    office.clock.advance(timedelta(days=days))
    date = (NOON + timedelta(days=days)).strftime("%a, %d %b %Y %H:%M:%S +0000")
    office.work(question(2, ANN, references=f"<{our_id(office)}>", date=date))
    assert (thread_of(office, SECOND) == thread_of(office, FIRST)) is reopens
    assert ("is not reopened" in placed(office, SECOND)[0]) is not reopens


def test_mail_for_a_merged_thread_goes_where_its_mails_went(office: Office) -> None:
    office.work(question(1, ANN), question(2, ANN))
    first, second = thread_of(office, FIRST), thread_of(office, SECOND)
    with office.store.unit() as unit:
        assert unit.merge_threads(first, second, NOON, "sam")
        assert not unit.merge_threads(first, second, NOON, "sam"), "its mails are there already"
        assert not unit.merge_threads(second, second, NOON, "sam")
        assert not unit.merge_threads(second, first, NOON, "sam"), "it would go round in a circle"
        assert not unit.merge_threads(second, 999, NOON, "sam")
    assert thread_of(office, FIRST) == second
    office.work(question(3, ANN, references=f"<{our_id(office)}>"))
    assert thread_of(office, "q3@partner.example") == second


# ------------------------------------------------------------------ one mail to two addresses, plus-addresses


def test_to_and_cc_to_two_of_our_addresses_is_one_case(store: SqlStore) -> None:
    """The second copy came over a list, which tagged the subject and added a footer."""
    office = Office(store)
    footer = f"{ASK}\n\n_______________________________________________\npartners mailing list\n"
    office.work(
        question(1, ANN, to=DESK, cc="partners@gitlab.com"),
        question(1, ANN, body=footer, to=DESK, cc="partners@gitlab.com", subject="[partners] Question 1"),
    )
    assert office.counts().duplicates == 1
    assert len(office.submission.sent) == 1


def test_answers_carry_a_plus_address_where_the_server_delivers_them(store: SqlStore) -> None:
    office = Office(store, has_subaddress=True)
    office.work(question(1, ANN))
    header = BytesParser(policy=default).parsebytes(office.submission.sent[0].content)
    assert header["Reply-To"].startswith("partnersupport+mf.")
    office.work(question(2, ANN, to=header["Reply-To"], subject="quite another subject"))
    assert thread_of(office, SECOND) == thread_of(office, FIRST)


def test_a_forged_plus_address_joins_nothing(office: Office) -> None:
    office.work(question(1, ANN))
    forged = f"partnersupport+mf.{thread_of(office, FIRST)}.{'a' * 16}@gitlab.com"
    office.work(question(2, ANN, to=forged))
    assert thread_of(office, SECOND) != thread_of(office, FIRST)


def test_an_answer_to_our_plus_address_is_an_answer_to_ourselves(office: Office) -> None:
    office.work(question(1, ANN, reply_to="partnersupport+mf.1.aaaaaaaaaaaaaaaa@gitlab.com"))
    assert office.actions() == {FIRST: "review"}


# ------------------------------------------------------------------ language


def test_a_short_mail_is_in_the_language_of_its_thread(store: SqlStore) -> None:
    seen: list[str] = []

    def of(mail: ClassifierInput) -> Classification:
        seen.append(mail.language)
        return by_words(mail)

    office = Office(store, classifier=FixedClassifier(WORDS["riddle"], of=of))
    office.work(question(1, ANN, body="Guten Tag, wir brauchen bitte ein quote für unseren Kunden in Hamburg, danke."))
    office.work(question(2, ANN, body="Und?", references=f"<{FIRST}>"), question(3, ANN, body="Und?"))
    assert seen == ["de", "de", ""]


# ------------------------------------------------------------------ what comes back


def bounce(office: Office, *, action: str = "failed", status: str = "5.1.1", returned: str = "") -> bytes:
    """A delivery report (RFC 3464) about the first answer; `returned`: the Message-ID in the returned headers."""
    recipient = office.submission.sent[0].envelope.forward_path
    return f"""Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@mx.partner.example>
To: {DESK}
Subject: Undelivered Mail Returned to Sender
Date: Mon, 02 Mar 2026 12:05:00 +0000
Message-ID: <b{returned}@mx.partner.example>
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I could not deliver your message.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.partner.example

Final-Recipient: rfc822; {recipient}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 5.1.1 no such user

--b
Content-Type: text/rfc822-headers

Message-ID: <{returned}>
Subject: Re: Question 1

--b--
""".replace("\n", "\r\n").encode()


def states(office: Office) -> list[OutboxState]:
    return [entry.state for entry in office.answers()]


def test_a_bounce_marks_its_answer_mutes_the_address_and_calls_a_person(office: Office) -> None:
    office.work(question(1, ANN))
    office.work(bounce(office, returned=our_id(office)))
    assert states(office) == [OutboxState.BOUNCED]
    story = story_of(office, FIRST)
    assert story.summary.status == "held"
    assert any(line.kind == "bounced" and "no such user" in line.sentence for line in story.lines)
    with office.store.unit() as unit:
        (mute,) = unit.mutes(NOON, 10)
    assert (mute.address, mute.until) == (ANN, NOON + MUTE_PERMANENT)


def test_a_muted_address_gets_no_automatic_mail_until_a_person_lifts_it(office: Office) -> None:
    office.work(question(1, ANN))
    office.work(bounce(office, returned=our_id(office)))
    office.work(question(2, ANN))
    assert office.actions()[SECOND] == "review"
    assert "came back" in next(one.reason for one in office.decided() if one.message_id == SECOND)
    with office.store.unit() as unit:
        assert unit.unmute(ANN.upper(), NOON, "sam")
        assert not unit.unmute(ANN, NOON, "sam")
    office.work(question(3, ANN, subject="Licence for the third lab"))
    assert office.actions()["q3@partner.example"] == "reply"


def test_a_mute_ends_by_itself(office: Office) -> None:
    office.work(question(1, ANN))
    office.work(bounce(office, returned=our_id(office)))
    office.clock.advance(MUTE_PERMANENT)
    date = office.clock.now().strftime("%a, %d %b %Y %H:%M:%S +0000")
    office.work(question(2, ANN, date=date))
    assert office.actions()[SECOND] == "reply"


def test_a_delay_is_no_failure(office: Office) -> None:
    office.work(question(1, ANN))
    office.work(bounce(office, action="delayed", status="4.4.1", returned=our_id(office)))
    assert states(office) == [OutboxState.SENT]
    with office.store.unit() as unit:
        (mute,) = unit.mutes(NOON, 10)
    assert mute.until == NOON + MUTE_TEMPORARY
    office.work(bounce(office, returned=our_id(office)).replace(b"<bmf", b"<cmf"))
    assert states(office) == [OutboxState.BOUNCED], "the failure that follows a delay counts"


def test_a_bounce_that_names_no_mail_is_about_the_newest_answer_to_its_recipient(office: Office) -> None:
    office.work(question(1, ANN))
    office.work(bounce(office, returned="somebody.elses@else.example"))
    assert states(office) == [OutboxState.BOUNCED]


def test_a_bounce_of_somebody_elses_mail_changes_nothing(office: Office) -> None:
    office.work(question(1, ANN))
    foreign = bounce(office, returned="x@else.example").replace(ANN.encode(), b"zoe@else.example")
    office.work(foreign)
    assert states(office) == [OutboxState.SENT]
    with office.store.unit() as unit:
        assert unit.mutes(NOON, 10) == []


def test_the_same_bounce_twice_is_one(office: Office) -> None:
    office.work(question(1, ANN))
    office.work(bounce(office, returned=our_id(office)))
    again = bounce(office, returned=our_id(office)).replace(b"<bmf", b"<cmf")
    office.work(again)
    assert states(office) == [OutboxState.BOUNCED]


# ------------------------------------------------------------------ the partner directory


def test_a_running_worker_knows_an_imported_directory_at_once(store: SqlStore) -> None:
    told: list[str] = []
    read = reader_of(DESK)

    def watched(content: Octets, size: int | None, partners: PartnerDirectory) -> Understood:
        told.append(partners.version)
        return read(content, size, partners)

    office = Office(store, read=watched)
    worker = office.worker()
    firm = Partner(
        ("partner.example", "partner.de"), "Partner Ltd", "Select", PartnerKind.RESELLER, "EMEA", Route.DIRECT, ""
    )
    directory = PartnerDirectory.of([firm])
    office.source.deliver(question(1, ANN))
    worker.run_once()
    with store.unit() as unit:
        unit.replace_partners(directory, NOON, "sam")
        assert unit.partners() == directory
        assert unit.partners_version() == directory.version
    office.source.deliver(question(2, ANN))
    worker.run_once()
    assert told == [NO_PARTNERS.version, directory.version]
    with store.unit() as unit:
        unit.replace_partners(NO_PARTNERS, NOON, "sam")
        assert unit.partners() == NO_PARTNERS
