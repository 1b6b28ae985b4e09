"""The people of the end-to-end tests: a partner with a mail program, and the desk with its mailbox and its settings.

Mail of people goes through Exim, as it would; what arrived is looked up over IMAP by Message-ID, because all tests
share the mailboxes. Whoever waits does so in IDLE and up to a deadline; nobody sleeps.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from smtplib import SMTP
from time import monotonic
from uuid import uuid4

from imapclient import IMAPClient
from tests.servers import AUTHSERV_ID, MailServers

from mailflow import bootstrap
from mailflow.core.classification import Classification, ClassifierInput
from mailflow.core.ports import Classifier
from mailflow.core.storage import Counts, DecidedMail, OutboxView, ThreadStory
from mailflow.reading.understand import reader
from mailflow.settings import Settings, read_settings
from mailflow.testing import FixedClassifier, classification

DESK = "support@helpdesk.example"
PARTNER = "partner@partner.example"
CLI = (sys.executable, "-m", "mailflow.cli")
PATIENCE = 60.0
"""Seconds after which a test that waits has failed."""
_LOOK_AGAIN = 1.0

NFR_QUESTION = "Which edition do partners get as Not-For-Resale license, and how do we apply for it?"


class MailProgram:
    """An ordinary mail program of one user, with its own connection."""

    def __init__(self, servers: MailServers, user: str) -> None:
        self.user, self._servers = user, servers
        self.imap = IMAPClient(servers.host, servers.imap_port, ssl=False, timeout=30)
        self.imap.login(user, servers.users[user])

    def send(self, message: EmailMessage, *, times: int = 1) -> EmailMessage:
        """Hand `message` in at the mail server, as another server would."""
        with SMTP(self._servers.host, self._servers.submission_port, timeout=30) as smtp:
            for _ in range(times):
                refused = smtp.sendmail(message["From"], [message["To"]], message.as_bytes(policy=policy.SMTP))
                assert not refused
        return message

    def uids(self, criteria: Sequence[str], folder: str = "INBOX") -> list[int]:
        """Those in `folder` that match; none where there is no such folder."""
        if not self.imap.folder_exists(folder):
            return []
        self.imap.select_folder(folder)
        return sorted(self.imap.search(list(criteria)))

    def read(self, criteria: Sequence[str], folder: str = "INBOX") -> list[EmailMessage]:
        uids = self.uids(criteria, folder)
        items = self.imap.fetch(uids, ["BODY.PEEK[]"]) if uids else {}
        return [_parsed(items[uid][b"BODY[]"]) for uid in uids]

    def await_mail(self, criteria: Sequence[str], *, times: int = 1) -> list[EmailMessage]:
        """What matches in the INBOX, once there is so much of it."""
        deadline = monotonic() + PATIENCE
        while len(self.uids(criteria)) < times:
            assert monotonic() < deadline, f"{self.user} waits in vain for {times} x {criteria}"
            self.pause()
        return self.read(criteria)

    def answers_to(self, question: EmailMessage) -> list[EmailMessage]:
        """All answers that were sent so far: those that the mail server still holds are waited for."""
        deadline = monotonic() + PATIENCE
        self.imap.select_folder("INBOX")
        while self._is_in_spool(question["Message-ID"]):
            assert monotonic() < deadline, f"the answer to {question['Message-ID']} is not delivered"
            self.pause()
        return self.read(is_answer_to(question))

    def _is_in_spool(self, message_id: str) -> bool:
        """Whether Exim holds a mail that names `message_id`; its -H files hold envelope and header."""
        for header in (self._servers.root / "spool" / "input").glob("**/*-H"):
            with suppress(FileNotFoundError):  # delivered meanwhile
                if message_id.encode() in header.read_bytes():
                    return True
        return False

    def pause(self) -> None:
        """Until something happens in the selected mailbox, at most a second."""
        self.imap.idle()
        self.imap.idle_check(timeout=_LOOK_AGAIN)
        self.imap.idle_done()


def _parsed(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def is_answer_to(message: EmailMessage) -> list[str]:
    return ["HEADER", "In-Reply-To", message["Message-ID"]]


def is_mail(message: EmailMessage) -> list[str]:
    return ["HEADER", "Message-ID", message["Message-ID"]]


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content


def write_mail(text: str = NFR_QUESTION, *, sender: str = PARTNER, subject: str = "NFR", **fields: str) -> EmailMessage:
    """A mail to the desk that no other test has; `in_reply_to="<x@y>"` becomes In-Reply-To."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = sender
    message["To"] = DESK
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{uuid4().hex}@partner.example>"
    for name, value in fields.items():
        message["-".join(part.capitalize() for part in name.split("_"))] = value
    message.set_content(f"Hello,\n\n{text}\n\nKind regards,\nPat Example\n")
    return message


def reply_to(answer: EmailMessage, text: str, **fields: str) -> EmailMessage:
    """What a partner's program sends when he answers our answer."""
    thread = f"{answer['References']} {answer['Message-ID']}"
    subject = str(answer["Subject"])
    return write_mail(text, subject=subject, in_reply_to=answer["Message-ID"], references=thread, **fields)


def says_nfr() -> Classifier:
    """For the tests that are about delivery: every mail asks for an NFR license, unless it says thanks."""
    nfr, thanks = classification(("nfr_request", 0.99)), classification(("no_request", 0.99), reply=0.01, none=0.98)

    def of(mail: ClassifierInput) -> Classification:
        return thanks if "thank" in mail.content.lower() else nfr

    return FixedClassifier(nfr, of)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the store says."""

    counts: Counts
    outbox: list[OutboxView]
    decided: list[DecidedMail]


class DeskOffice:
    """The desk: its mailflow.toml, its store, and a mail program that looks at the same mailbox."""

    def __init__(
        self, servers: MailServers, folder: Path, mailbox: str = "INBOX", *, url: str = "", bcc: str = ""
    ) -> None:
        """`url`: of the store, in place of a file in `folder`."""
        self.program, self.mailbox, self.config = MailProgram(servers, DESK), mailbox, folder / "mailflow.toml"
        (folder / "password").write_text(servers.users[DESK] + "\n")
        in_a_file = f"sqlite:///{folder / 'mailflow.sqlite3'}"
        server = f'host = "{servers.host}"\nsecurity = "starttls"\nca_file = "{servers.ca_file}"\n'
        login = f'username = "{DESK}"\npassword_file = "{folder / "password"}"\n'
        self.config.write_text(
            f'[desk]\nrollout = "live"\nundo_seconds = 0\naddresses = ["{DESK}"]\nown_domains = ["helpdesk.example"]\n'
            f'trusted_authserv_ids = ["{AUTHSERV_ID}"]\n'
            f'[imap]\n{server}{login}port = {servers.imap_port}\nmailbox = "{mailbox}"\npoll_seconds = 1740\n'
            f'[smtp]\n{server}{login}port = {servers.submission_port}\nbcc = "{bcc}"\n'
            f'[store]\nurl = "{url or in_a_file}"\n'
        )

    @property
    def settings(self) -> Settings:
        return read_settings(self.config)

    def clear(self) -> None:
        """Put away what other tests have left in the mailbox."""
        if uids := self.program.uids(["ALL"]):
            if not self.program.imap.folder_exists("Earlier"):
                self.program.imap.create_folder("Earlier")
            self.program.imap.move(uids, "Earlier")

    def run_once(self, classifier: Classifier | None = None) -> None:
        """The worker of `mailflow run --once`, in this process: a new one with new connections each time."""
        settings, desk = self.settings, bootstrap.build_desk(self.settings)
        store, submission = bootstrap.build_store(settings), bootstrap.build_submission(settings)
        try:
            bootstrap.build_worker(
                settings,
                store=store,
                submission=submission,
                classifier=classifier,
                read=reader(desk),
            ).run_once()
        finally:
            submission.close()
            store.close()

    def command(self, *words: str) -> str:
        """What `mailflow WORDS...` prints; it must succeed."""
        done = subprocess.run(
            [*CLI, *words, "--config", self.config], capture_output=True, text=True, env=wide(), timeout=PATIENCE
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ledger(self) -> Ledger:
        store = bootstrap.build_store(self.settings)
        try:
            with store.unit() as unit:
                return Ledger(unit.counts(), unit.outbox(100), unit.decided(0, 100))
        finally:
            store.close()

    def await_ledger(self, is_so: Callable[[Ledger], bool]) -> Ledger:
        """The store, once `is_so`."""
        deadline = monotonic() + PATIENCE
        self.program.uids(["ALL"])
        while not is_so(ledger := self.ledger()):
            assert monotonic() < deadline, (ledger.counts, [entry.state.value for entry in ledger.outbox])
            self.program.pause()
        return ledger

    def story(self, thread_id: int) -> ThreadStory:
        store = bootstrap.build_store(self.settings)
        try:
            with store.unit() as unit:
                story = unit.story(thread_id)
            assert story is not None
            return story
        finally:
            store.close()

    def where(self, message: EmailMessage) -> dict[str, int]:
        """How often `message` lies in which folder."""
        folders = (self.mailbox, "Processed", "Failed")
        counted = {folder: len(self.program.uids(is_mail(message), folder)) for folder in folders}
        return {folder: count for folder, count in counted.items() if count}


def wide() -> dict[str, str]:
    """An environment in which tables are not folded."""
    return os.environ | {"COLUMNS": "240"}
