"""The doctor asks on, whatever it finds; what cannot be asked is skipped by name."""

import pytest

from mailflow.core.findings import Finding, Status, failed, ok, skipped, warning
from mailflow.core.message import OriginKind
from mailflow.core.partner import NO_PARTNERS
from mailflow.errors import StoreError
from mailflow.reading.sender import Desk
from mailflow.reading.understand import reader
from mailflow.services.doctor import Check, examine, mail_to_ourselves
from mailflow.testing import DESK, NOON


def fails(error: Exception) -> Finding:
    raise error


def told(*checks: Check) -> list[tuple[str, Status, str]]:
    return [(one.name, one.finding.status, one.finding.found) for one in examine(checks)]


def test_what_needs_a_failed_check_is_skipped_by_its_name_and_the_others_go_on() -> None:
    assert told(
        Check("names", lambda: failed("no such host", "")),
        Check("tls", lambda: ok("fine"), ("names",)),
        Check("login", lambda: ok("fine"), ("tls", "names")),
        Check("store", lambda: ok("fine")),
    ) == [
        ("names", Status.FAILED, "no such host"),
        ("tls", Status.SKIPPED, "because of: names"),
        ("login", Status.SKIPPED, "because of: tls, names"),
        ("store", Status.OK, "fine"),
    ]


@pytest.mark.parametrize("finding", [ok("x"), warning("x", "y"), skipped("x")])
def test_a_warning_or_what_had_nothing_to_say_keeps_nobody_from_asking(finding: Finding) -> None:
    assert told(Check("a", lambda: finding), Check("b", lambda: ok("asked"), ("a",)))[1] == ("b", Status.OK, "asked")


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (StoreError("the database refused"), "the database refused"),
        (ModuleNotFoundError("No module named 'psycopg'"), "ModuleNotFoundError: No module named 'psycopg'"),
    ],
)
def test_an_error_is_a_finding_with_what_the_check_says_to_do(error: Exception, found: str) -> None:
    first, second = examine([Check("a", lambda: fails(error), to_do="look"), Check("b", lambda: ok("asked"))])
    assert first.finding == failed(found, "look")
    assert second.finding == ok("asked")


def test_each_result_is_told_before_the_next_check_begins() -> None:
    begun: list[str] = []

    def examined(name: str) -> Finding:
        begun.append(name)
        return ok("")

    results = examine([Check("a", lambda: examined("a")), Check("b", lambda: examined("b"))])
    next(results)
    assert begun == ["a"]


def test_the_mail_to_ourselves_is_known_as_our_own_and_says_that_nobody_need_answer() -> None:
    mail = mail_to_ourselves(DESK, "bounces@desk.example", "abc123", NOON)
    assert (mail.envelope.forward_path, mail.envelope.reverse_path) == (DESK, "bounces@desk.example")
    assert f"Message-ID: <{mail.message_id}>\r\n".encode() in mail.content
    assert b"Auto-Submitted: auto-generated\r\n" in mail.content
    read = reader(Desk(frozenset({DESK}), frozenset({"gitlab.com"}), frozenset()))(mail.content, None, NO_PARTNERS)
    assert read.origin.kind is OriginKind.OWN
    assert read.message.message_id == mail.message_id and read.message.text.startswith("mailflow doctor has sent")
