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
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from time import monotonic

from mailflow.adapters.spool import opened
from mailflow.core.message import MailRef, RawMessage
from mailflow.core.octets import Octets, slices
from mailflow.core.ports import Batch, Cursor, Disposition, Survey
from mailflow.errors import ConnectionFailed

UID_VALIDITY = 1
HEAD_OCTETS = 1 << 20
"""What is read of a file that is larger than `max_size`."""
MAX_SIZE = 150 << 20
_BATCH_MESSAGES = 50
_BATCH_OCTETS = 8 << 20
_POLL_SECONDS = 1.0
_FOLDERS = {Disposition.PROCESSED: "Processed", Disposition.FAILED: "Failed"}


def stable_uid(name: bytes, content: Octets | None = None) -> int:
    """A positive integer of at most 63 bits (it fits a signed BIGINT) that depends on what is given alone."""
    digest = sha256(name)
    if content is not None:
        digest.update(b"\0")
        for one in slices(content):
            digest.update(one)
    return (int.from_bytes(digest.digest()[:8], "big") >> 1) or 1


@dataclass(frozen=True, slots=True)
class _StoredMail:
    path: Path
    uid: int
    content: Octets
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
    def _uid(self, path: Path, content: Octets) -> int: ...

    @abstractmethod
    def _resting_place(self, path: Path, disposition: Disposition) -> Path:
        """Where the file goes once it is dealt with."""

    # -- Source ----------------------------------------------------------------------------------------------------

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        """See Source. `cursor` is not looked at: what was dealt with is no longer here."""
        for paths in self._planned():
            with ExitStack() as files:
                mails = [mail for path in paths if (mail := self._read(path, files))]
                self._handed_out.update((mail.uid, mail.path) for mail in mails)
                if mails:
                    yield Batch(tuple(map(self._raw_message, mails)), None)

    def acknowledge(self, refs: Sequence[MailRef], disposition: Disposition) -> None:
        wanted = {ref.uid for ref in refs if ref.uid_validity == UID_VALIDITY}
        for uid in wanted & self._handed_out.keys():
            if self._put_away(self._handed_out.pop(uid), uid, disposition):
                wanted.discard(uid)
        if not wanted:
            return
        # Read by an earlier process, or renamed since: mail programs keep flags in the names of a Maildir.
        for path in self._paths():
            with ExitStack() as files:
                mail = self._read(path, files)
            if mail and mail.uid in wanted:
                self._put_away(path, mail.uid, disposition)

    def survey(self) -> Survey | None:
        return None

    def fetch_only(self, uids: Sequence[int]) -> Iterator[Batch]:
        return iter(())

    def find_sent(self, message_ids: Sequence[str]) -> frozenset[str]:
        return frozenset()

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

    def _paths(self) -> list[Path]:
        with self._named_errors():
            return self._pending()

    def _planned(self) -> Iterator[list[Path]]:
        """The pending files in runs, in order, each for one batch."""
        run: list[Path] = []
        octets = 0
        for path in self._paths():
            with self._named_errors():
                size = _size(path)
            if run and (len(run) >= _BATCH_MESSAGES or octets + size > _BATCH_OCTETS):
                yield run
                run, octets = [], 0
            run.append(path)
            octets += size
        if run:
            yield run

    def _read(self, path: Path, files: ExitStack) -> _StoredMail | None:
        """The mail at `path`, None if it is not there any more; a large one lies in its file while `files` live."""
        with self._named_errors():
            try:
                content = files.enter_context(opened(path))
                status = path.stat()
            except FileNotFoundError:
                return None
            size = len(content)
            if size > self._max_size:
                content = content[:HEAD_OCTETS]
            modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
            return _StoredMail(path, self._uid(path, content), content, size, modified_at)

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


def _size(path: Path) -> int:
    """0 where the file has gone meanwhile: reading it tells."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class MaildirSource(_FileSource):
    """new/ and cur/ of a Maildir. Acknowledged mail goes to the Maildir++ subfolders .Processed and .Failed."""

    def __init__(self, path: Path, *, max_size: int = MAX_SIZE) -> None:
        super().__init__(path, mailbox="INBOX", max_size=max_size)

    def _pending(self) -> list[Path]:
        found = (path for name in ("new", "cur") for path in (self._path / name).iterdir())
        return sorted((path for path in found if not path.name.startswith(".")), key=lambda path: path.name)

    def _unique_name(self, path: Path) -> str:
        return path.name.partition(":")[0]

    def _uid(self, path: Path, content: Octets) -> int:
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

    def _uid(self, path: Path, content: Octets) -> int:
        return stable_uid(path.name.encode(errors="surrogateescape"), content)

    def _resting_place(self, path: Path, disposition: Disposition) -> Path:
        return self._path / _FOLDERS[disposition] / path.name
