"""The daily mail to whoever runs the desk: all that is in doubt, with what to do; one a day, harmless as a mail."""

from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.delivery import OutboxKind, OutboxState
from mailflow.core.digest import MOST_SHOWN, DigestHeaders, Troubles, compose_digest, digest_text
from mailflow.core.message import MailRef, OutboundMessage
from mailflow.core.storage import OutboxView, QuarantineView
from mailflow.testing import DESK, NOON

HEADERS = DigestHeaders("Partner Support", DESK, "bounces@gitlab.com", "ops@desk.example")
DAY = timedelta(days=1)


def answer(state: OutboxState, number: int = 1, error: str = "550 no such user") -> OutboxView:
    recipient = f"ann@partner{number}.example"
    due = NOON - DAY
    return OutboxView(
        number, OutboxKind.AUTOMATIC, 40 + number, recipient, "Re: x", state, 1, due, due, NOON, f"m{number}", error
    )


def quarantined(number: int = 1, error: str = "reading it took longer than 20 s") -> QuarantineView:
    return QuarantineView(number, MailRef("desk", "INBOX", 1, number), NOON, 5, 1000, error)


ALL_KINDS = Troubles([answer(OutboxState.FAILED)], [answer(OutboxState.UNCERTAIN, 2, "lost")], [quarantined(3)])


def parsed(message: OutboundMessage) -> EmailMessage:
    read = message_from_bytes(message.content, policy=policy.default)
    assert isinstance(read, EmailMessage)
    return read


@pytest.mark.parametrize(
    ("troubles", "is_empty"),
    [
        (Troubles([], [], []), True),
        (replace(ALL_KINDS, uncertain=[], quarantined=[]), False),
        (replace(ALL_KINDS, failed=[], quarantined=[]), False),
        (replace(ALL_KINDS, failed=[], uncertain=[]), False),
    ],
)
def test_one_trouble_of_any_kind_is_something_to_tell(troubles: Troubles, is_empty: bool) -> None:
    assert troubles.is_empty is is_empty


def test_each_trouble_is_told_with_its_number_its_reason_and_what_to_do() -> None:
    lines = digest_text(ALL_KINDS).splitlines()
    failed = lines.index("Failed: not sent, and not tried again (1)")
    uncertain = lines.index("Uncertain: may or may not have gone out (1)")
    quarantine = lines.index("Quarantine: mails that could not be dealt with (1)")
    assert lines[failed + 1] == "  1  2026-03-01 12:00 UTC  to ann@partner1.example (41): 550 no such user"
    assert "mailflow outbox retry ID" in lines[failed + 2]
    assert lines[uncertain + 1] == "  2  2026-03-01 12:00 UTC  to ann@partner2.example (42): lost"
    assert "confirm ID" in lines[uncertain + 2] and "cancel ID" in lines[uncertain + 2]
    assert lines[quarantine + 1] == "  3  2026-03-02 12:00 UTC  reading it took longer than 20 s"
    assert "mailflow quarantine show ID" in lines[quarantine + 2]


def test_what_there_is_nothing_of_is_not_mentioned() -> None:
    text = digest_text(replace(ALL_KINDS, failed=[], quarantined=[]))
    assert "Uncertain" in text
    assert "Failed" not in text and "Quarantine" not in text


def test_a_long_list_is_cut_and_says_so() -> None:
    many = [answer(OutboxState.FAILED, number) for number in range(MOST_SHOWN + 1)]
    text = digest_text(Troubles(many, [], []))
    assert f"(more than {MOST_SHOWN})" in text
    assert text.count("@partner") == MOST_SHOWN


def test_it_is_a_mail_of_the_desk_that_no_machine_answers() -> None:
    message = compose_digest(ALL_KINDS, HEADERS, NOON)
    mail = parsed(message)
    assert (mail["From"], mail["To"]) == (f"Partner Support <{DESK}>", "ops@desk.example")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Mailflow-Loop"] == DESK
    assert mail["Subject"] == "Partner Support: 3 things to look at"
    assert (message.envelope.reverse_path, message.envelope.forward_path) == ("bounces@gitlab.com", "ops@desk.example")
    assert mail.get_content() == digest_text(ALL_KINDS)


def test_one_trouble_is_one_thing() -> None:
    assert parsed(compose_digest(replace(ALL_KINDS, failed=[], uncertain=[]), HEADERS, NOON))["Subject"].endswith(
        ": 1 thing to look at"
    )


@given(st.datetimes(datetime(2026, 3, 2), datetime(2026, 3, 2, 23, 59)).map(lambda at: at.replace(tzinfo=NOON.tzinfo)))
def test_all_digests_of_a_day_have_one_message_id(at: datetime) -> None:
    today = compose_digest(ALL_KINDS, HEADERS, at).message_id
    assert today == compose_digest(replace(ALL_KINDS, failed=[]), HEADERS, NOON).message_id
    assert today != compose_digest(ALL_KINDS, HEADERS, at + DAY).message_id
    assert today != compose_digest(ALL_KINDS, replace(HEADERS, desk_address="other@gitlab.com"), at).message_id


@given(st.text(max_size=200), st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30))
def test_whatever_a_server_said_stays_in_the_text(error: str, desk_name: str) -> None:
    """An error quotes strangers: it must neither break out of its place nor stop the digest."""
    error = error.encode("utf-8", "replace").decode()
    troubles = Troubles([answer(OutboxState.FAILED, error=error)], [], [quarantined(error=error)])
    message = compose_digest(troubles, replace(HEADERS, desk_name=desk_name), NOON)
    head, _, body = message.content.partition(b"\r\n\r\n")
    assert len(head.split(b"\r\n")) == 10
    assert body.replace(b"\r\n", b"").isascii()
    assert max(map(len, message.content.split(b"\r\n"))) <= 998
    payload = message_from_bytes(message.content).get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert payload.decode() == message.text


@pytest.mark.parametrize(
    "recipient", ["", "ops", "Ops <ops@desk.example>", "a@b.example, c@d.example", "a@b\r\nBcc: c@d"]
)
def test_what_is_no_address_is_refused(recipient: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        compose_digest(ALL_KINDS, replace(HEADERS, recipient=recipient), NOON)
