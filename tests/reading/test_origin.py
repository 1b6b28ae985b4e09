"""Origin: the order of the kinds, our own mail, lists, reports and calendars; and that it is total (D5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reading.origin_mail import DESK, TEXT, mail, origin

from mailflow.core.message import FailedRecipient, OriginKind
from mailflow.reading.origin import detect
from mailflow.reading.parse import parse


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (OriginKind.LIST, "List-Id: Partners <partners.lists.example>"),
        (OriginKind.LIST, "List-Post: <mailto:partners@lists.example>"),
        (OriginKind.LIST, "List-Unsubscribe: <mailto:leave@lists.example>"),
        (OriginKind.LIST, "Mailing-List: contact partners-help@lists.example"),
        (OriginKind.LIST, "X-Mailing-List: partners@lists.example"),
        (OriginKind.LIST, "X-BeenThere: partners@lists.example"),
        (OriginKind.LIST, "X-Google-Group-Id: 1029384756"),
        (OriginKind.AUTO_REPLIED, "Content-Type: multipart/report; report-type=disposition-notification; boundary=b"),
        (OriginKind.AUTO_GENERATED, "Content-Type: multipart/report; boundary=b; report-type=feedback-report"),
        (OriginKind.AUTO_GENERATED, 'Content-Type: multipart/report; report-type="tlsrpt"; boundary=b'),
        (OriginKind.AUTO_REPLIED, "Content-Type: text/calendar; charset=utf-8; method=REPLY"),
        (OriginKind.AUTO_REPLIED, 'Content-Type: text/calendar;\r\n\tmethod="COUNTER"'),
        (OriginKind.AUTO_GENERATED, "Content-Type: text/calendar; method=CANCEL"),
        (OriginKind.OWN, "X-Mailflow-Loop: desk@vendor.example"),
        (OriginKind.OWN, "Sender: Desk <desk@vendor.example>"),
        (OriginKind.OWN, "Message-ID: <mf.7.abcdefghijklmnop.x1@vendor.example>"),
    ],
)
def test_a_field_tells_the_origin_and_is_the_evidence(kind: OriginKind, field: str) -> None:
    found = origin(field, text="BEGIN:VCALENDAR\nEND:VCALENDAR\n")
    assert found.kind is kind
    assert found.evidence.lower().startswith(field.partition(":")[0].lower())


@pytest.mark.parametrize(
    "field",
    [
        "Content-Type: text/calendar; method=REQUEST",
        "Content-Type: text/calendar; method=PUBLISH",
        "Content-Type: multipart/mixed; boundary=b",
        "Importance: high",
        "Disposition-Notification-To: ada@partner.example",
        "List-Id: Desk <desk.vendor.example>",
        "Message-ID: <mf.7.abcdefghijklmnop.x1@elsewhere.example>",
        "Sender: assistant@partner.example",
        "Sender: notdesk@vendor.example",
        "List-Id:",
    ],
)
def test_a_field_that_people_send_keeps_them_human(field: str) -> None:
    assert origin(field).kind is OriginKind.HUMAN


def test_our_own_address_and_only_it_is_own_mail() -> None:
    assert origin(author="Desk <Desk@Vendor.example>").kind is OriginKind.OWN
    assert origin(author="Jo <jo@vendor.example>").kind is OriginKind.HUMAN


def test_the_list_fields_of_the_desks_own_group_say_nothing() -> None:
    group = ("List-Id: Desk <desk.vendor.example>", "Precedence: list", "X-Google-Group-Id: 12")
    assert origin(*group).kind is OriginKind.HUMAN
    assert origin(*group, "Auto-Submitted: auto-replied").kind is OriginKind.AUTO_REPLIED


@pytest.mark.parametrize(
    ("original", "kind"),
    [
        ("Ada <ada@partner.example>", OriginKind.LIST),
        ("desk@vendor.example", OriginKind.OWN),
        ("Ada", OriginKind.OWN),
    ],
)
def test_a_group_that_wrote_itself_into_from_hides_a_person(original: str, kind: OriginKind) -> None:
    author = "'Ada' via Desk <desk@vendor.example>"
    assert origin(f"X-Original-From: {original}", author=author).kind is kind


# Calendars and reports among the parts

INVITATION_PARTS = """\
--b
Content-Type: text/plain; charset=utf-8

{words}
--b
Content-Type: text/calendar; charset=utf-8; method={method}

BEGIN:VCALENDAR
METHOD:{method}
END:VCALENDAR
--b--
"""


@pytest.mark.parametrize(
    ("method", "words", "kind"),
    [
        ("REPLY", "", OriginKind.AUTO_REPLIED),
        ("REPLY", "See you there.", OriginKind.AUTO_REPLIED),
        ("REPLY", "Yes. Before that, could you send us the price for 50 seats?", OriginKind.HUMAN),
        ("COUNTER", "Ten would suit me better.", OriginKind.AUTO_REPLIED),
        ("CANCEL", "Why was it cancelled, do you know?", OriginKind.AUTO_GENERATED),
        ("REQUEST", "Can we talk about our NFR licence?", OriginKind.HUMAN),
    ],
)
def test_a_calendar_answers_but_a_person_invites(method: str, words: str, kind: OriginKind) -> None:
    text = INVITATION_PARTS.format(method=method, words=words)
    assert origin('Content-Type: multipart/alternative; boundary="b"', text=text).kind is kind


REPORT_PARTS = """\
--b
Content-Type: text/plain

Your mail was shown.
--b
Content-Type: {part}

Final-Recipient: rfc822; ada@partner.example
--b--
"""


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ("message/disposition-notification", OriginKind.AUTO_REPLIED),
        ("message/feedback-report", OriginKind.AUTO_GENERATED),
        ("application/pdf", OriginKind.HUMAN),
    ],
)
def test_a_report_is_known_by_its_part_unless_a_person_forwards_it(part: str, kind: OriginKind) -> None:
    field, text = 'Content-Type: multipart/mixed; boundary="b"', REPORT_PARTS.format(part=part)
    assert origin(field, text=text).kind is kind
    assert origin(field, text=text, subject="Fwd: what is this").kind is OriginKind.HUMAN


# Order


@pytest.mark.parametrize(
    ("fields", "author", "kind"),
    [
        (("X-Mailflow-Loop: 1", "Return-Path: <>"), "mailer-daemon@partner.example", OriginKind.OWN),
        (("X-Mailflow-Loop: 1", "Auto-Submitted: auto-replied"), "desk@vendor.example", OriginKind.OWN),
        (("X-Failed-Recipients: a@b.example", "X-Autoreply: yes"), "mailer-daemon@mx.example", OriginKind.BOUNCE),
        (("Precedence: bulk", "Auto-Submitted: auto-replied"), "ada@partner.example", OriginKind.AUTO_REPLIED),
        (("Return-Path: <>", "Auto-Submitted: auto-replied"), "ada@partner.example", OriginKind.AUTO_REPLIED),
        (("Auto-Submitted: auto-generated", "X-Autoreply: yes"), "ada@partner.example", OriginKind.AUTO_REPLIED),
        (("List-Id: <a.example>", "Auto-Submitted: auto-generated"), "ada@partner.example", OriginKind.AUTO_GENERATED),
        (("List-Id: <a.example>",), "noreply@partner.example", OriginKind.AUTO_GENERATED),
        (("List-Id: <a.example>", "X-Loop: yes"), "ada@partner.example", OriginKind.LIST),
        (("List-Id: <a.example>", "Auto-Submitted: no"), "ada@partner.example", OriginKind.LIST),
        (("List-Id: <a.example>", "Feedback-ID: 1:2"), "ada@partner.example", OriginKind.LIST),
        (
            ("List-Unsubscribe: <mailto:a@b.example>", "Feedback-ID: 1:2"),
            "ada@partner.example",
            OriginKind.AUTO_GENERATED,
        ),
        (("Feedback-ID: 1:2",), "ada@partner.example", OriginKind.HUMAN),
    ],
)
def test_the_first_kind_that_applies_wins(fields: tuple[str, ...], author: str, kind: OriginKind) -> None:
    assert origin(*fields, author=author).kind is kind


def test_a_bounce_comes_before_its_auto_submitted_and_names_mail_and_recipient() -> None:
    found = origin(
        "Return-Path: <>",
        "Auto-Submitted: auto-replied",
        "X-Failed-Recipients: ada@partner.example",
        author="Mail Delivery System <mailer-daemon@mx.partner.example>",
        subject="Mail delivery failed: returning message to sender",
        text="A message that you sent could not be delivered.\nThe following address(es) failed:\n\n"
        "  ada@partner.example\n    550 5.1.1 User unknown\n\n------ This is a copy of the message ------\n\n"
        "Message-ID: <mf.7.a.b@vendor.example>\n",
    )
    assert found.kind is OriginKind.BOUNCE
    assert found.bounced == (FailedRecipient("ada@partner.example", True, "550 5.1.1 User unknown"),)
    assert found.returned_message_ids == ("mf.7.a.b@vendor.example",)


def test_evidence_is_one_short_line() -> None:
    assert origin("Auto-Submitted: auto-replied;\r\n\tmoved=yes").evidence == "Auto-Submitted: auto-replied; moved=yes"
    found = origin("X-Autoreply: " + "very \x07" * 300)
    assert len(found.evidence) <= 200
    assert found.evidence.isprintable()


@given(st.binary(max_size=500))
def test_every_mail_has_an_origin_with_evidence(content: bytes) -> None:
    found = detect(parse(content), content, DESK)
    assert found.evidence


@given(st.binary(max_size=300))
def test_no_text_is_too_broken_for_a_sign(text: bytes) -> None:
    content = mail(subject="Automatic reply: x", text="") + text
    assert detect(parse(content), content, DESK).evidence


@given(st.text(alphabet="bcdfgh", min_size=3, max_size=8), st.text(alphabet="abc yes", max_size=12))
def test_unknown_fields_never_change_the_origin(name: str, value: str) -> None:
    for known in ("Auto-Submitted: auto-replied", "List-Id: <a.example>", "Auto-Submitted: no"):
        assert origin(known, f"X-{name}: {value}") == origin(known)
    assert origin(f"X-{name}: {value}").kind is OriginKind.HUMAN


def test_a_plain_mail_is_a_persons() -> None:
    assert origin(text=TEXT).evidence == "no sign of an automaton"
