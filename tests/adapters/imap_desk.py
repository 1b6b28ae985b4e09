"""A mailbox on Dovecot for one test, with what an ordinary mail program sees of it and what a source gives."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from imapclient import IMAPClient
from tests.servers import MailServers

from mailflow.adapters.imap import ImapAccount
from mailflow.core.message import RawMessage
from mailflow.core.ports import Batch

USER = "support@helpdesk.example"
_numbers = count(1)


def mail(subject: str, octets: int = 0) -> bytes:
    return f"From: Pat <pat@partner.example>\r\nSubject: {subject}\r\n\r\n".encode() + b"x" * octets + b"\r\n"


class Desk:
    """A mailbox of its own for one test, seen by an ordinary mail program."""

    def __init__(self, servers: MailServers) -> None:
        self.servers = servers
        self.name = f"Desk{next(_numbers)}"
        self.program = IMAPClient(servers.host, servers.imap_port, ssl=False, timeout=30)
        self.program.login(USER, servers.users[USER])
        self.program.create_folder(self.name)

    def append(self, *subjects: str, octets: int = 0, flags: Sequence[bytes] = ()) -> None:
        for subject in subjects:
            self.program.append(self.name, mail(subject, octets), flags)

    def flags(self) -> dict[int, set[bytes]]:
        """By UID, without \\Recent."""
        self.program.select_folder(self.name, readonly=True)
        found = self.program.get_flags(self.program.search())
        return {uid: set(flags) - {rb"\Recent"} for uid, flags in found.items()}

    def delete(self, *uids: int) -> None:
        self.program.select_folder(self.name)
        self.program.delete_messages(uids)
        self.program.uid_expunge(uids)
        self.program.unselect_folder()

    def size_of(self, folder: str) -> int:
        return int(self.program.folder_status(folder, ["MESSAGES"])[b"MESSAGES"])

    def account(self, **changes: Any) -> ImapAccount:
        plain = ImapAccount(
            host=self.servers.host,
            port=self.servers.imap_port,
            security="none",
            username=USER,
            password=self.servers.users[USER],
            mailbox=self.name,
            processed=f"{self.name}-done",
            failed=f"{self.name}-failed",
            timeout=30,
        )
        return replace(plain, **changes)


def messages(batches: Iterator[Batch]) -> list[RawMessage]:
    return [message for batch in batches for message in batch.messages]


def subjects(batches: Iterator[Batch]) -> list[str]:
    return [message.content[:].split(b"Subject: ")[1].split(b"\r\n")[0].decode() for message in messages(batches)]
