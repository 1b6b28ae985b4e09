"""What the doctor concludes: the gravest first, and a sentence that names the setting wherever all is not well."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.findings import (
    CERTIFICATE_AHEAD,
    CLOCK_OFF,
    CLOCK_WRONG,
    LITTLE_SPACE,
    MIB,
    NO_SPACE,
    Arrival,
    Finding,
    Folder,
    MailboxFacts,
    SecretFile,
    ServerTime,
    Status,
    StoreFacts,
    TlsFacts,
    judge_arrival,
    judge_capabilities,
    judge_clock,
    judge_mailbox,
    judge_names,
    judge_secret_file,
    judge_space,
    judge_store,
    judge_tls,
    server_time,
    together,
)
from mailflow.testing import NOON

OK, WARNING, FAILED, SKIPPED = Status.OK, Status.WARNING, Status.FAILED, Status.SKIPPED
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
ALL = frozenset({"IDLE", "MOVE", "UIDPLUS"})


# ------------------------------------------------------------------ several as one

FINDINGS = st.builds(Finding, st.sampled_from(Status), st.sampled_from("abc"), st.sampled_from(["", "x", "y"]))


@given(st.lists(FINDINGS, min_size=1))
def test_of_several_findings_the_gravest_holds_and_nothing_is_lost(findings: list[Finding]) -> None:
    whole = together(findings)
    gravity = [FAILED, WARNING, OK, SKIPPED]
    assert whole.status == min((one.status for one in findings), key=gravity.index)
    assert whole.found == "; ".join(one.found for one in findings)
    assert set(filter(None, whole.to_do.split("; "))) == {one.to_do for one in findings} - {""}


def test_of_nothing_there_is_nothing_to_say() -> None:
    assert together([]).status is SKIPPED


# ------------------------------------------------------------------ files

FILE = SecretFile("[imap] password_file", "/etc/mailflow/imap", 0o400)


@pytest.mark.parametrize(
    ("file", "status", "to_do"),
    [
        (FILE, OK, ""),
        (replace(FILE, mode=0o600), OK, ""),
        (replace(FILE, mode=0o440), WARNING, "chmod 0400 /etc/mailflow/imap"),
        (replace(FILE, mode=0o440, is_roots=True), OK, ""),
        (replace(FILE, mode=0o460, is_roots=True), WARNING, "chmod 0400 /etc/mailflow/imap"),
        (replace(FILE, mode=0o444, is_roots=True), WARNING, "chmod 0400 /etc/mailflow/imap"),
        (replace(FILE, mode=0o604, is_written=True), WARNING, "chmod 0600 /etc/mailflow/imap"),
        (replace(FILE, mode=0o600, is_written=True, is_folder_writable=False), WARNING, "make its folder writable"),
        (replace(FILE, is_folder_writable=False), OK, ""),
        (replace(FILE, mode=None), FAILED, "correct [imap] password_file"),
    ],
)
def test_a_secret_is_for_its_owner_alone(file: SecretFile, status: Status, to_do: str) -> None:
    finding = judge_secret_file(file)
    assert finding.status is status and to_do in finding.to_do and "[imap] password_file" in finding.found


# ------------------------------------------------------------------ the store

SQLITE = StoreFacts("sqlite", "m.sqlite3", True, "3.40", revision="0005", newest_revision="0005", journal="wal")
POSTGRES = replace(SQLITE, kind="postgresql", version="15.3", journal="")


@pytest.mark.parametrize(
    ("store", "status", "to_do"),
    [
        (SQLITE, OK, ""),
        (POSTGRES, OK, ""),
        (replace(SQLITE, mode=0o600), OK, ""),
        (replace(SQLITE, mode=0o640), WARNING, "chmod 600 m.sqlite3*"),
        (replace(SQLITE, mode=0o604), WARNING, "chmod 600 m.sqlite3*"),
        (replace(SQLITE, revision="0004"), WARNING, "mailflow db upgrade"),
        (replace(SQLITE, revision=None), WARNING, "mailflow db upgrade"),
        (replace(POSTGRES, revision="0004"), FAILED, "mailflow db upgrade"),
        (replace(SQLITE, revision="0009", is_known=False), FAILED, "upgrade mailflow"),
        (replace(SQLITE, journal="delete"), FAILED, "local disk"),
        (replace(SQLITE, write_error="attempt to write a readonly database"), FAILED, "right to write"),
        (replace(POSTGRES, version="12.17"), FAILED, "PostgreSQL 13"),
        (replace(POSTGRES, version="16beta1"), OK, ""),
        (StoreFacts("sqlite", "m.sqlite3", False), OK, ""),
        (StoreFacts("sqlite", "m.sqlite3", False, write_error="its folder is not there"), FAILED, "[store] url"),
    ],
)
def test_a_store_is_well_if_it_is_of_this_version_and_takes_what_is_written(
    store: StoreFacts, status: Status, to_do: str
) -> None:
    finding = judge_store(store)
    assert finding.status is status and to_do in finding.to_do
    assert bool(finding.to_do) == (status is not OK)


@pytest.mark.parametrize(
    ("free", "status"),
    [(NO_SPACE - 1, FAILED), (NO_SPACE, WARNING), (LITTLE_SPACE - 1, WARNING), (LITTLE_SPACE, OK)],
)
def test_room_is_judged_before_it_is_gone(free: int, status: Status) -> None:
    assert judge_space("m.sqlite3", free).status is status


def test_room_is_wanted_for_the_largest_mails() -> None:
    assert judge_space("m.sqlite3", 200 * MIB, needed=300 * MIB).to_do.endswith("300 MiB are wanted")


# ------------------------------------------------------------------ names, TLS, the clock


def test_many_addresses_are_told_in_short() -> None:
    assert judge_names(["192.0.2.1", "192.0.2.2"]).found == "192.0.2.1, 192.0.2.2"
    assert judge_names([f"192.0.2.{n}" for n in range(9)]).found.endswith("192.0.2.3 and 5 more")


TLS = TlsFacts("mail.example", 143, "starttls", "imap", "TLSv1.3", NOON + 90 * DAY)


@pytest.mark.parametrize(
    ("left", "status"),
    [
        (CERTIFICATE_AHEAD + MINUTE, OK),
        (CERTIFICATE_AHEAD, OK),
        (CERTIFICATE_AHEAD - MINUTE, WARNING),
        (SECOND, WARNING),
    ],
)
def test_a_certificate_that_ends_soon_is_a_warning(left: timedelta, status: Status) -> None:
    finding = judge_tls(replace(TLS, ends_at=NOON + left), NOON)
    assert finding.status is status and finding.found.startswith("TLSv1.3, certificate for")


def test_without_tls_on_this_machine_all_is_well_and_a_certificate_without_an_end_too() -> None:
    assert judge_tls(TlsFacts("localhost", 143, "none", "imap"), NOON).status is OK
    assert judge_tls(replace(TLS, ends_at=None), NOON) == Finding(OK, "TLSv1.3")


@pytest.mark.parametrize(
    ("code", "error", "to_do"),
    [
        (20, "unable to get local issuer certificate", "[imap] ca_file"),
        (18, "self-signed certificate", "[imap] ca_file"),
        (10, "certificate has expired", "renewed"),
        (9, "certificate is not yet valid", "clock"),
        (62, "Hostname mismatch", "set [imap] host to the name"),
        (64, "IP address mismatch", "set [imap] host to the name"),
        (0, "ca_file /x: No such file or directory", "correct [imap] ca_file"),
        (0, "TLS not supported by server", 'security = "tls" and its port (993)'),
        (0, "STARTTLS extension not supported by server.", 'security = "tls" and its port (993)'),
        (0, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)", 'security = "starttls"'),
        (0, "[SSL] record layer failure (_ssl.c:1006)", 'security = "starttls"'),
        (0, "timed out", "firewall"),
        (0, "[Errno 111] Connection refused", "nothing listens there"),
        (0, "[Errno 104] Connection reset by peer", "[imap] host, port and security"),
    ],
)
def test_each_failure_of_tls_has_its_advice(code: int, error: str, to_do: str) -> None:
    finding = judge_tls(replace(TLS, version="", error=error, verify_code=code), NOON)
    assert finding.status is FAILED and error in finding.found and to_do in finding.to_do
    assert "{" not in finding.to_do


def test_the_submission_server_has_its_own_port() -> None:
    assert (
        "465"
        in judge_tls(replace(TLS, section="smtp", version="", error="STARTTLS extension not supported"), NOON).to_do
    )


@pytest.mark.parametrize(
    ("off", "status"),
    [
        (CLOCK_OFF, OK),
        (-CLOCK_OFF, OK),
        (CLOCK_OFF + SECOND, WARNING),
        (-CLOCK_WRONG, WARNING),
        (2 * CLOCK_WRONG, FAILED),
    ],
)
def test_the_clock_that_is_furthest_off_counts(off: timedelta, status: Status) -> None:
    finding = judge_clock([ServerTime("near", NOON, NOON), ServerTime("far", NOON + off, NOON)])
    assert finding.status is status and "far" in finding.found
    assert ("NTP" in finding.to_do) == (status is not OK)


def test_without_another_clock_nothing_is_said_of_ours() -> None:
    assert judge_clock([]).status is SKIPPED


@pytest.mark.parametrize(
    ("theirs", "off"),
    [(NOON - MINUTE, -MINUTE), (NOON, 0 * MINUTE), (NOON + SECOND, 0 * MINUTE), (NOON + MINUTE, 50 * SECOND)],
)
def test_a_clock_that_was_read_at_some_moment_in_between_is_not_blamed_for_the_wait(
    theirs: datetime, off: timedelta
) -> None:
    time = server_time("x", theirs, NOON, NOON + 10 * SECOND)
    assert time.theirs - time.ours == off


# ------------------------------------------------------------------ the mailbox


@pytest.mark.parametrize(
    ("capabilities", "status"),
    [
        (ALL, OK),
        (ALL - {"MOVE"}, OK),
        (ALL - {"IDLE"}, WARNING),
        (frozenset({"IDLE"}), WARNING),
        (frozenset(), WARNING),
    ],
)
def test_what_a_server_cannot_do_is_told_and_what_it_costs(capabilities: frozenset[str], status: Status) -> None:
    assert judge_capabilities("desk", capabilities).status is status


MAILBOX = MailboxFacts("imap", Folder("INBOX"), Folder("Processed"), Folder("Failed"), True, ALL)


@pytest.mark.parametrize(
    ("facts", "status", "found", "to_do"),
    [
        (MAILBOX, OK, "INBOX; Processed; Failed", ""),
        (replace(MAILBOX, failed=Folder("Failed", is_made=True)), OK, "INBOX; Processed; Failed made", ""),
        (replace(MAILBOX, mailbox=Folder("X", "no such mailbox")), FAILED, "X: no such mailbox", "[imap] mailbox"),
        (replace(MAILBOX, mailbox=Folder("INBOX", is_read_only=True)), FAILED, "not changed", "right to move"),
        (replace(MAILBOX, processed=Folder("P", "denied")), FAILED, "cannot be made: denied", "[imap] processed"),
        (replace(MAILBOX, failed=Folder("F", is_read_only=True)), FAILED, "nothing can be put into F", "[imap] failed"),
        (replace(MAILBOX, capabilities=frozenset()), OK, "keywords", ""),
        (replace(MAILBOX, capabilities=frozenset(), keeps_keywords=False), FAILED, "neither", "another server"),
    ],
)
def test_a_mailbox_is_well_if_mail_can_be_read_and_put_away(
    facts: MailboxFacts, status: Status, found: str, to_do: str
) -> None:
    finding = judge_mailbox(facts)
    assert finding.status is status and found in finding.found and to_do in finding.to_do


ARRIVAL = Arrival("INBOX", NOON, "mx.example", own_mark=True, after=3 * SECOND)


@pytest.mark.parametrize(
    ("arrival", "trusted", "status", "to_do"),
    [
        (ARRIVAL, ("mx.example",), OK, ""),
        (replace(ARRIVAL, authserv_id="MX.Example"), ("mx.example",), OK, ""),
        (replace(ARRIVAL, authserv_id=""), ("mx.example",), OK, ""),
        (ARRIVAL, (), OK, ""),
        (ARRIVAL, ("mx.other.example",), WARNING, "add it to [desk] trusted_authserv_ids"),
        (replace(ARRIVAL, own_mark=False), ("mx.example",), FAILED, "X-Mailflow-Loop"),
        (None, ("mx.example",), FAILED, "log of the mail server"),
    ],
)
def test_a_mail_to_ourselves_tells_whether_mail_goes_round(
    arrival: Arrival | None, trusted: tuple[str, ...], status: Status, to_do: str
) -> None:
    finding = judge_arrival(arrival, trusted, 90 * SECOND)
    assert finding.status is status and to_do in finding.to_do
    assert ("in INBOX after 3 s" in finding.found) == (arrival is not None)
