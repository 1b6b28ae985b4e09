"""The doctor on Dovecot and Exim: what is well is told, what is wrong is named, with what to do about it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.e2e.mailboxes import CLI, PATIENCE, DeskOffice
from tests.servers import AUTHSERV_ID, BARE_HOST, OLD_HOST, MailServers, Relay

from mailflow import bootstrap, checkup
from mailflow.adapters import schema
from mailflow.adapters.store import open_engine
from mailflow.core.findings import Finding, Status
from mailflow.services.doctor import examine

SLOW = {"knowledge", "model"}
"""They load the model; one test looks at them."""


def findings(desk: DeskOffice, *, send: bool = False) -> dict[str, Finding]:
    """What the doctor finds, the model left out."""
    wanted = [check for check in checkup.checks(desk.config, send=send) if check.name not in SLOW]
    return {result.name: result.finding for result in examine(wanted)}


def statuses(found: dict[str, Finding], *names: str) -> list[str]:
    return [found[name].status.value for name in names]


def change(desk: DeskOffice, old: str, new: str) -> None:
    """Change one thing in mailflow.toml, everywhere it stands."""
    before = desk.config.read_text()
    assert old in before
    desk.config.write_text(before.replace(old, new))


@pytest.fixture(autouse=True)
def password_is_ours_alone(desk: DeskOffice) -> None:
    (desk.config.parent / "password").chmod(0o400)


def test_a_desk_that_has_all_it_needs_is_well(desk: DeskOffice) -> None:
    found = findings(desk)
    assert {name: one.status for name, one in found.items() if one.status is not Status.OK} == {
        "mail to ourselves": Status.SKIPPED
    } | dict.fromkeys(("imap tls", "smtp tls"), Status.WARNING)
    assert "certificate for 1 days yet" in found["imap tls"].found and "TLSv1.3" in found["smtp tls"].found
    assert found["imap login"].found.endswith("has IDLE, MOVE, UIDPLUS")
    assert found["imap folders"].found.startswith("INBOX; Processed")
    assert "8BITMIME" in found["smtp login"].found
    assert found["imap names"].found == "127.0.0.1"
    assert "s from 127.0.0.1" in found["clock"].found  # Exim greets with its time


def test_the_command_tells_all_as_a_table_or_as_lines_and_ends_well(desk: DeskOffice) -> None:
    told = desk.command("doctor", "--json")
    lines = [json.loads(line) for line in told.splitlines()]
    assert [line["check"] for line in lines] == [check.name for check in checkup.checks(desk.config, send=False)]
    assert not [line for line in lines if line["status"] == "failed"]
    by_name = {line["check"]: line for line in lines}
    assert by_name["model"]["status"] == "ok" and "wrong answer" in by_name["model"]["found"]
    assert set(lines[0]) == {"check", "status", "found", "to_do"}


def test_a_mail_to_ourselves_goes_round_and_the_desk_ignores_it(desk: DeskOffice) -> None:
    found = findings(desk, send=True)
    assert statuses(found, "mail to ourselves", "clock") == ["ok", "ok"]
    assert found["mail to ourselves"].found.startswith("in INBOX after")
    desk.run_once()
    ledger = desk.ledger()
    assert (ledger.counts.received, ledger.counts.ignored, ledger.outbox) == (1, 1, [])
    assert "we never answer ourselves" in str(desk.story(1).messages[0].reasons)


def test_a_server_that_signs_under_another_name_is_told(desk: DeskOffice) -> None:
    change(desk, AUTHSERV_ID, "mx.elsewhere.example")
    found = findings(desk, send=True)["mail to ourselves"]
    assert found.status is Status.WARNING
    assert "add it to [desk] trusted_authserv_ids" in found.to_do and AUTHSERV_ID in found.found


def test_a_wrong_password_is_found_at_both_servers_and_not_told(desk: DeskOffice) -> None:
    file = desk.config.parent / "password"
    file.chmod(0o600)
    file.write_text("quite-another-one\n")
    file.chmod(0o400)
    found = findings(desk, send=True)
    assert statuses(found, "imap login", "smtp login") == ["failed", "failed"]
    assert "check username and password" in found["imap login"].to_do
    assert found["imap folders"].found == "because of: imap login"
    assert found["mail to ourselves"].found == "because of: imap folders, smtp login"
    assert not [one for one in found.values() if "quite-another-one" in one.found + one.to_do]


def test_an_authority_that_nobody_knows_is_told_with_the_setting_for_it(
    desk: DeskOffice, mail_servers: MailServers
) -> None:
    change(desk, f'ca_file = "{mail_servers.ca_file}"\n', "")
    found = findings(desk)
    for section in ("imap", "smtp"):
        assert found[f"{section} tls"].status is Status.FAILED
        assert "unable to get local issuer certificate" in found[f"{section} tls"].found
        assert f"[{section}] ca_file" in found[f"{section} tls"].to_do
        assert found[f"{section} login"].found == f"because of: {section} tls"


def test_a_name_that_the_certificate_is_not_for_is_told(desk: DeskOffice) -> None:
    change(desk, 'host = "127.0.0.1"', f'host = "{OLD_HOST}"')
    found = findings(desk)["imap tls"]
    assert found.status is Status.FAILED and "IP address mismatch" in found.found
    assert found.to_do == "set [imap] host to the name that the certificate is for"


def test_a_name_that_does_not_exist_and_a_port_where_nobody_listens_are_told(desk: DeskOffice) -> None:
    change(desk, 'host = "127.0.0.1"', 'host = "mail.nowhere.invalid"')
    found = findings(desk)
    assert statuses(found, "imap names", "smtp names", "imap tls") == ["failed", "failed", "skipped"]
    change(desk, 'host = "mail.nowhere.invalid"', 'host = "127.0.0.1"')
    change(desk, f"port = {desk.settings.smtp.port}", "port = 9")
    refused = findings(desk)["smtp tls"]
    assert refused.status is Status.FAILED and "nothing listens there" in refused.to_do


def test_a_port_that_does_not_begin_with_tls_is_told(desk: DeskOffice) -> None:
    change(desk, 'security = "starttls"', 'security = "tls"')
    found = findings(desk)
    assert statuses(found, "imap tls", "smtp tls") == ["failed", "failed"]
    assert found["imap tls"].to_do.endswith('does not begin with TLS: set [imap] security = "starttls"')


@pytest.mark.parametrize(("host", "has"), [(OLD_HOST, "has UIDPLUS"), (BARE_HOST, "has none of IDLE, MOVE, UIDPLUS")])
def test_a_server_that_can_do_less_is_a_warning_and_keywords_will_do(
    desk: DeskOffice, mail_servers: MailServers, host: str, has: str
) -> None:
    with Relay(mail_servers.imap_port, host) as relay:
        change(desk, f"port = {mail_servers.imap_port}", f"port = {relay.port}")
        found = findings(desk)
    assert statuses(found, "imap login", "imap folders") == ["warning", "ok"]
    assert found["imap login"].found.endswith(has)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(0o755)


def test_a_folder_that_may_not_be_made_is_told_with_its_setting(desk: DeskOffice, mail_servers: MailServers) -> None:
    if not desk.program.imap.folder_exists("Locked"):
        desk.program.imap.create_folder("Locked")
    (lock,) = mail_servers.root.glob("mail/support*/sdbox/mailboxes/Locked")
    change(desk, "poll_seconds = 1740\n", 'poll_seconds = 1740\nprocessed = "Locked/Done"\n')
    with locked(lock):
        found = findings(desk)["imap folders"]
    assert found.status is Status.FAILED
    assert "Locked/Done is not there and cannot be made" in found.found
    assert "[imap] processed" in found.to_do


def test_a_mailbox_that_is_not_there_is_told(desk: DeskOffice) -> None:
    change(desk, 'mailbox = "INBOX"', 'mailbox = "Nowhere"')
    found = findings(desk)
    assert statuses(found, "imap login", "imap folders") == ["ok", "failed"]
    assert found["imap folders"].to_do.startswith("correct [imap] mailbox")


def test_missing_folders_are_made(desk: DeskOffice) -> None:
    change(desk, "poll_seconds = 1740\n", 'poll_seconds = 1740\nprocessed = "Checked"\nfailed = "Unread"\n')
    assert findings(desk)["imap folders"].found == "INBOX; Checked made; Unread made"
    assert findings(desk)["imap folders"].found == "INBOX; Checked; Unread"


def test_a_store_of_another_revision_is_told_and_left_as_it_is(desk: DeskOffice) -> None:
    engine = open_engine(desk.settings.store.url)
    schema.upgrade(engine)
    for revision, status, to_do in (("9999", "failed", "upgrade mailflow"), ("0004", "warning", "mailflow db upgrade")):
        with engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
        found = findings(desk)["store"]
        assert found.status == status and to_do in found.to_do and f"revision {revision}" in found.found
        assert schema.revision(engine) == revision
    engine.dispose()


def test_the_store_is_not_made_by_looking_at_it(desk: DeskOffice) -> None:
    found = findings(desk)["store"]
    assert found.status is Status.OK and "is not there yet" in found.found
    assert not (desk.config.parent / "mailflow.sqlite3").exists()


def test_what_was_written_to_the_store_is_taken_back(desk: DeskOffice) -> None:
    store = bootstrap.build_store(desk.settings)
    key = store.key("reply")
    assert "written and taken back" in findings(desk)["store"].found
    with store.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM secret")) == 1
    assert store.key("reply") == key
    store.close()


def test_a_password_that_others_can_read_is_a_warning_with_the_command_that_mends_it(desk: DeskOffice) -> None:
    file = desk.config.parent / "password"
    file.chmod(0o644)
    found = findings(desk)["secrets"]
    assert found.status is Status.WARNING and found.to_do == f"chmod 0400 {file}"


def test_a_wrong_setting_is_the_one_thing_that_failed_and_the_command_says_so(desk: DeskOffice) -> None:
    change(desk, "poll_seconds = 1740", "poll_seconds = 0")
    done = subprocess.run(
        [*CLI, "doctor", "--config", desk.config], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 1
    assert "failed   settings" in done.stdout and "poll_seconds" in done.stdout
    assert " 1 failed," in done.stdout and " 0 ok," in done.stdout


def test_each_further_mailbox_is_looked_at(desk: DeskOffice) -> None:
    settings = desk.config.read_text()
    imap = settings.partition("[imap]\n")[2].partition("[smtp]")[0]
    desk.config.write_text(settings + "[mailboxes.second]\n" + imap.replace('"INBOX"', '"Nowhere"'))
    found = findings(desk)
    names = ("imap folders", "mailboxes.second login", "mailboxes.second folders")
    assert statuses(found, *names) == ["ok", "ok", "failed"]
    assert "correct [mailboxes.second] mailbox" in found["mailboxes.second folders"].to_do
