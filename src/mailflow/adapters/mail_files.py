"""Mails that lie on disk: a file, a folder, a Maildir, an mbox. Read only; nothing is moved or marked.

Rule: a mail is there until the next one is asked for. A large one is read from its file, slice by slice.
"""

import mailbox
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mailflow.adapters.spool import opened, spooled
from mailflow.core.octets import SLICE, Octets
from mailflow.errors import SettingsError


@dataclass(frozen=True, slots=True)
class MailFile:
    name: str
    """The path, with `#3` for the third mail of an mbox."""
    content: Octets


def read_mails(path: Path) -> Iterator[MailFile]:
    """Every mail at `path`, sorted by name. Raises SettingsError if there is nothing to read."""
    if path.is_dir():
        for file in _files(path):
            yield from _read_mail(file)
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
                with box.get_file(key) as file, spooled(iter(partial(file.read, SLICE), b"")) as content:
                    yield MailFile(f"{path}#{number}", content)
    else:
        yield from _read_mail(path)


def _read_mail(path: Path) -> Iterator[MailFile]:
    with opened(path) as content:
        yield MailFile(str(path), content)


def _looks_like_mbox(path: Path) -> bool:
    """RFC 4155: it starts with `From `. A lone saved mail may start so too: it is read as an mbox of one."""
    if path.suffix.lower() == ".eml":
        return False
    with path.open("rb") as file:
        return file.read(5) == b"From "
