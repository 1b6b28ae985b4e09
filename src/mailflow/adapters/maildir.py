"""Mail that lies in files, as Sources: a Maildir (as delivered by Dovecot, Postfix, Exim) and a folder of .eml files.

Rule: reading changes nothing, not even new/ to cur/. `acknowledge` moves the file; what was not moved is read again.
Rule: there is no cursor, and UIDVALIDITY is always 1. The UID is made of what never changes about the file: its unique
      name in a Maildir (the part before `:2,`), its name and content in a folder.
      Why the content too: people drop `mail.eml` into a folder twice, and the second one is another mail.
Rule: nothing is overwritten. A name that is taken among the processed gets the UID added.

Whoever writes into these directories has to write elsewhere and rename (a Maildir's tmp/ is for that).
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from time import monotonic

from mailflow.core.message import MailRef, RawMessage
from mailflow.core.ports import Batch, Cursor, Disposition
from mailflow.errors import ConnectionFailed

UID_VALIDITY = 1
HEAD_OCTETS = 1 << 20
"""What is read of a file that is larger than `max_size`."""
MAX_SIZE = 50 << 20
_BATCH_MESSAGES = 50
_BATCH_OCTETS = 8 << 20
_POLL_SECONDS = 1.0
_FOLDERS = {Disposition.PROCESSED: "Processed", Disposition.FAILED: "Failed"}


def stable_uid(*parts: bytes) -> int:
    """A positive integer of at most 63 bits (it fits a signed BIGINT) that depends on `parts` alone."""
    digest = sha256(b"\0".join(parts)).digest()
    return (int.from_bytes(digest[:8], "big") >> 1) or 1


@dataclass(frozen=True, slots=True)
class _StoredMail:
    path: Path
    uid: int
    content: bytes
    size: int
    modified_at: datetime


class _FileSource(ABC):
    """What both have in common: reading in batches, remembering what was handed out, looking every second."""

    def __init__(self, path: Path, *, mailbox: str, max_size: int) -> None:
        self.account = str(path.absolute())
        self.mailbox = mailbox
        self._path = path
        self._max_size = max_size
        self._handed_out: dict[int, Path] = {}
        """Read and not yet acknowledged."""
        self._interrupted = threading.Event()

    @abstractmethod
    def _pending(self) -> list[Path]:
        """The files to read, in order. Raises OSError."""

    @abstractmethod
    def _unique_name(self, path: Path) -> str: ...

    @abstractmethod
    def _uid(self, path: Path, content: bytes) -> int: ...

    @abstractmethod
    def _resting_place(self, path: Path, disposition: Disposition) -> Path:
        """Where the file goes once it is dealt with."""

    # -- Source ----------------------------------------------------------------------------------------------------

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        """See Source. `cursor` is not looked at: what was dealt with is no longer here."""
        messages: list[RawMessage] = []
        octets = 0
        for mail in self._mails():
            if messages and (len(messages) >= _BATCH_MESSAGES or octets + len(mail.content) > _BATCH_OCTETS):
                yield Batch(tuple(messages), None)
                messages, octets = [], 0
            self._handed_out[mail.uid] = mail.path
            messages.append(self._raw_message(mail))
            octets += len(mail.content)
        if messages:
            yield Batch(tuple(messages), None)

    def acknowledge(self, refs: Sequence[MailRef], disposition: Disposition) -> None:
        wanted = {ref.uid for ref in refs if ref.uid_validity == UID_VALIDITY}
        for uid in wanted & self._handed_out.keys():
            if self._put_away(self._handed_out.pop(uid), uid, disposition):
                wanted.discard(uid)
        if not wanted:
            return
        # Read by an earlier process, or renamed since: mail programs keep flags in the names of a Maildir.
        for mail in self._mails():
            if mail.uid in wanted:
                self._put_away(mail.path, mail.uid, disposition)

    def wait(self, timeout: timedelta) -> bool:
        """See Source. False too when interrupted; an `interrupt` that came before the wait ends it at once."""
        deadline = monotonic() + timeout.total_seconds()
        try:
            while not self._interrupted.is_set():
                if self._has_news():
                    return True
                if (left := deadline - monotonic()) <= 0:
                    return False
                self._interrupted.wait(min(_POLL_SECONDS, left))
            return False
        finally:
            self._interrupted.clear()

    def interrupt(self) -> None:
        self._interrupted.set()

    def close(self) -> None:
        """There is no connection to let go of; only the memory of what was handed out."""
        self._handed_out.clear()

    # -- files -----------------------------------------------------------------------------------------------------

    def _mails(self) -> Iterator[_StoredMail]:
        """Every pending mail that still exists when its turn comes."""
        with self._named_errors():
            paths = self._pending()
        for path in paths:
            with self._named_errors():
                mail = self._read(path)
            if mail is not None:
                yield mail

    def _read(self, path: Path) -> _StoredMail | None:
        try:
            status = path.stat()
            with path.open("rb") as file:
                content = file.read() if status.st_size <= self._max_size else file.read(HEAD_OCTETS)
        except FileNotFoundError:
            return None
        modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
        return _StoredMail(path, self._uid(path, content), content, status.st_size, modified_at)

    def _raw_message(self, mail: _StoredMail) -> RawMessage:
        ref = MailRef(self.account, self.mailbox, UID_VALIDITY, mail.uid)
        return RawMessage(ref, mail.content, mail.modified_at, mail.size if mail.size > len(mail.content) else None)

    def _put_away(self, path: Path, uid: int, disposition: Disposition) -> bool:
        """Move the file; False if it is not there."""
        target = self._resting_place(path, disposition)
        with self._named_errors():
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                target = target.with_name(f"{uid}-{target.name}")
            try:
                path.rename(target)
            except FileNotFoundError:
                return False
        return True

    def _has_news(self) -> bool:
        """Whether there is a file that `fetch` has not handed out."""
        known = {self._unique_name(path) for path in self._handed_out.values()}
        with self._named_errors():
            return any(self._unique_name(path) not in known for path in self._pending())

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConnectionFailed(f"{self.account}: {error}") from error


class MaildirSource(_FileSource):
    """new/ and cur/ of a Maildir. Acknowledged mail goes to the Maildir++ subfolders .Processed and .Failed."""

    def __init__(self, path: Path, *, max_size: int = MAX_SIZE) -> None:
        super().__init__(path, mailbox="INBOX", max_size=max_size)

    def _pending(self) -> list[Path]:
        found = (path for name in ("new", "cur") for path in (self._path / name).iterdir())
        return sorted((path for path in found if not path.name.startswith(".")), key=lambda path: path.name)

    def _unique_name(self, path: Path) -> str:
        return path.name.partition(":")[0]

    def _uid(self, path: Path, content: bytes) -> int:
        return stable_uid(self._unique_name(path).encode(errors="surrogateescape"))

    def _resting_place(self, path: Path, disposition: Disposition) -> Path:
        """In cur/, where each name ends in `:2,` and flags; the subfolder is made with all that Maildir++ asks for."""
        folder = self._path / f".{_FOLDERS[disposition]}"
        with self._named_errors():
            for name in ("tmp", "new", "cur"):
                (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / "maildirfolder").touch()
        return folder / "cur" / (path.name if ":2," in path.name else f"{path.name}:2,")


class FolderSource(_FileSource):
    """The *.eml files of a folder. Acknowledged ones go to Processed/ and Failed/ below it."""

    def __init__(self, path: Path, *, max_size: int = MAX_SIZE) -> None:
        super().__init__(path, mailbox=path.name, max_size=max_size)

    def _pending(self) -> list[Path]:
        return sorted(path for path in self._path.iterdir() if path.suffix.lower() == ".eml" and path.is_file())

    def _unique_name(self, path: Path) -> str:
        return path.name

    def _uid(self, path: Path, content: bytes) -> int:
        return stable_uid(path.name.encode(errors="surrogateescape"), content)

    def _resting_place(self, path: Path, disposition: Disposition) -> Path:
        return self._path / _FOLDERS[disposition] / path.name
