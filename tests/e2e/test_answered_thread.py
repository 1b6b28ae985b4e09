"""The whole way: a partner's mail through a real mail server, a real worker process, and the answer back to him."""

import os
import signal
import subprocess
from email.message import EmailMessage
from pathlib import Path

from tests.e2e.mailboxes import (
    CLI,
    DESK,
    PARTNER,
    PATIENCE,
    DeskOffice,
    MailProgram,
    is_answer_to,
    is_mail,
    text_of,
    write_mail,
)
from tests.servers import MailServers, Relay


def assert_answers(answer: EmailMessage, question: EmailMessage) -> None:
    """In the thread of the question (RFC 5322, 3.6.4), marked as automatic (RFC 3834, 5), with the published path."""
    assert answer["In-Reply-To"] == question["Message-ID"]
    assert question["Message-ID"] in answer["References"]
    assert answer["Subject"] == f"Re: {question['Subject']}"
    assert answer["Auto-Submitted"] == "auto-replied"
    assert DESK in answer["From"]
    assert PARTNER in answer["To"]
    assert answer["Cc"] is None
    text = text_of(answer)
    assert "NFR" in text
    assert "https://partners.gitlab.com" in text


def test_a_partners_mail_is_answered_once_in_its_thread(desk: DeskOffice, partner: MailProgram) -> None:
    question = partner.send(write_mail())
    desk.program.await_mail(is_mail(question))

    done = subprocess.run(
        [*CLI, "run", "--once", "--config", desk.config], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr

    partner.await_mail(is_answer_to(question))
    (answer,) = partner.answers_to(question)
    assert_answers(answer, question)
    assert desk.where(question) == {"Processed": 1}

    (decided,) = desk.ledger().decided
    story = desk.command("threads", "show", str(decided.thread_id))
    for told in ("received", "decided reply", "queued", "sent", "nfr_request", question["Message-ID"].strip("<>")):
        assert told in story
    assert story.index("received") < story.index("decided reply") < story.index("queued")
    (entry,) = (line for line in desk.command("outbox", "list").splitlines() if PARTNER in line)
    assert "sent" in entry.split()


def through(relay: Relay) -> dict[str, str]:
    """An environment whose IMAP server is `relay`, unencrypted, so that it hears what the worker says."""
    return os.environ | {"MAILFLOW_IMAP__PORT": str(relay.port), "MAILFLOW_IMAP__SECURITY": "none"}


def test_a_running_worker_answers_what_arrives_and_ends_at_sigterm(
    desk: DeskOffice, partner: MailProgram, mail_servers: MailServers, tmp_path: Path
) -> None:
    """`poll_seconds` is 29 minutes: what arrives while the worker is in IDLE (RFC 2177) is found by IDLE alone."""
    with (
        Relay(mail_servers.imap_port) as relay,
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen([*CLI, "run", "--config", desk.config], stderr=log, env=through(relay)) as worker,
    ):
        try:
            relay.await_saying(b" IDLE\r\n")
            for _ in range(2):
                question = partner.send(write_mail())
                (answer,) = partner.await_mail(is_answer_to(question))
                assert_answers(answer, question)
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(PATIENCE) == 0, (tmp_path / "log").read_text()
        finally:
            worker.kill()
    assert desk.where(question) == {"Processed": 1}
    ledger = desk.ledger()
    assert (ledger.counts.answered, ledger.counts.pending) == (2, 0)
    assert [entry.state for entry in ledger.outbox] == ["sent", "sent"]
