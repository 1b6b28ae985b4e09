"""Mails that lie on disk: a file, a folder, a Maildir, an mbox. Read only; nothing is moved or marked."""

import mailbox
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mailflow.errors import SettingsError


@dataclass(frozen=True, slots=True)
class MailFile:
    name: str
    """The path, with `#3` for the third mail of an mbox."""
    content: bytes


def read_mails(path: Path) -> Iterator[MailFile]:
    """Every mail at `path`, sorted by name. Raises SettingsError if there is nothing to read."""
    if path.is_dir():
        for file in _files(path):
            yield MailFile(str(file), file.read_bytes())
    elif path.is_file():
        yield from _read_file(path)
    else:
        raise SettingsError(f"{path}: no such file or folder")


def is_maildir(folder: Path) -> bool:
    return (folder / "cur").is_dir() and (folder / "new").is_dir()


def _files(folder: Path) -> list[Path]:
    """A Maildir's mails, else the .eml files below, else every file below."""
    if is_maildir(folder):
        return sorted(file for part in ("new", "cur") for file in (folder / part).iterdir() if file.is_file())
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("."))
    return [file for file in files if file.suffix.lower() == ".eml"] or files


def _read_file(path: Path) -> Iterator[MailFile]:
    if path.suffix.lower() in (".mbox", ".mbx") or _looks_like_mbox(path):
        with closing(mailbox.mbox(path, create=False)) as box:
            for number, key in enumerate(box.iterkeys(), start=1):
                yield MailFile(f"{path}#{number}", box.get_bytes(key))
    else:
        yield MailFile(str(path), path.read_bytes())


def _looks_like_mbox(path: Path) -> bool:
    """RFC 4155: it starts with `From `. A lone saved mail may start so too: it is read as an mbox of one."""
    if path.suffix.lower() == ".eml":
        return False
    with path.open("rb") as file:
        return file.read(5) == b"From "
