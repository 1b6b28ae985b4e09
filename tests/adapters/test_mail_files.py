"""Mails on disk: whatever lies at a path is read, named and left as it is."""

import mailbox
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.memory import MIB, peak_memory

from mailflow.adapters.mail_files import MailFile, read_mails
from mailflow.adapters.spool import SpooledOctets
from mailflow.core.octets import slices
from mailflow.errors import SettingsError


def names(path: Path) -> list[str]:
    return [str(Path(mail.name).relative_to(path)) for mail in read_mails(path)]


def write(path: Path, *parts: str, content: bytes = b"Subject: x\r\n\r\n") -> Path:
    file = path.joinpath(*parts)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


@given(content=st.binary(max_size=60).filter(lambda content: not content.startswith(b"From ")))
def test_a_file_is_one_mail_of_exactly_its_octets(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("mails") / "1.txt"
    path.write_bytes(content)
    assert list(read_mails(path)) == [MailFile(str(path), content)]


def test_a_folder_is_read_below_and_sorted_by_name(tmp_path: Path) -> None:
    for parts in (("b.eml",), ("a", "2.EML"), ("a", "1.eml")):
        write(tmp_path, *parts)
    assert names(tmp_path) == ["a/1.eml", "a/2.EML", "b.eml"]


def test_other_files_beside_eml_files_are_no_mails(tmp_path: Path) -> None:
    for name in ("1.eml", "README.md", ".DS_Store", "expected.json"):
        write(tmp_path, name)
    assert names(tmp_path) == ["1.eml"]


def test_without_any_eml_file_every_file_counts_but_hidden_ones(tmp_path: Path) -> None:
    """MH folders and exports name mails 1, 2, 3."""
    for name in ("1", "2", ".mh_sequences"):
        write(tmp_path, name)
    assert names(tmp_path) == ["1", "2"]


def test_a_maildir_gives_new_and_cur_and_nothing_half_written(tmp_path: Path) -> None:
    write(tmp_path, "new", "1700000000.M1P1.mx")
    write(tmp_path, "cur", "1600000000.M1P1.mx:2,S")
    write(tmp_path, "tmp", "1800000000.M1P1.mx")
    write(tmp_path, "dovecot-uidlist")
    assert names(tmp_path) == ["cur/1600000000.M1P1.mx:2,S", "new/1700000000.M1P1.mx"]


def mbox(path: Path, *bodies: str) -> Path:
    box = mailbox.mbox(path, create=True)
    for body in bodies:
        message = EmailMessage()
        message["Subject"] = body
        message.set_content(body)
        box.add(mailbox.mboxMessage(message))
    box.close()
    return path


@pytest.mark.parametrize("name", ["archive.mbox", "archive.mbx", "archive"])
def test_an_mbox_gives_each_mail_its_number(tmp_path: Path, name: str) -> None:
    """RFC 4155, by its name or by its first line."""
    path = mbox(tmp_path / name, "one", "two")
    mails = list(read_mails(path))
    assert [mail.name for mail in mails] == [f"{path}#1", f"{path}#2"]
    assert [b"Subject: " + body in mail.content[:] for body, mail in zip((b"one", b"two"), mails, strict=True)] == [
        True
    ] * 2


def test_the_separator_line_of_an_mbox_is_no_part_of_the_mail(tmp_path: Path) -> None:
    (mail,) = read_mails(mbox(tmp_path / "archive.mbox", "one"))
    assert not mail.content[:].startswith(b"From ")


def test_an_eml_that_starts_with_from_is_one_mail(tmp_path: Path) -> None:
    content = b"From ann@partner.example Mon Mar  2 12:00:00 2026\nSubject: x\n\nFrom here on\n"
    path = write(tmp_path, "1.eml", content=content)
    assert list(read_mails(path)) == [MailFile(str(path), content)]


def test_an_empty_mbox_holds_nothing(tmp_path: Path) -> None:
    assert list(read_mails(write(tmp_path, "archive.mbox", content=b""))) == []


def test_nothing_at_the_path_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nothing: no such file or folder"):
        list(read_mails(tmp_path / "nothing"))


def test_reading_changes_nothing_on_disk(tmp_path: Path) -> None:
    mbox(tmp_path / "archive.mbox", "one", "two")
    write(tmp_path, "1.eml")
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.iterdir()}
    list(read_mails(tmp_path))
    list(read_mails(tmp_path / "archive.mbox"))
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.iterdir()} == before


def test_a_folder_is_read_mail_by_mail(tmp_path: Path) -> None:
    """A folder of a million mails is not held in memory: the second is read when it is asked for."""
    write(tmp_path, "1.eml")
    second = write(tmp_path, "2.eml")
    mails = read_mails(tmp_path)
    next(mails)
    second.write_bytes(b"changed")
    assert next(mails).content == b"changed"


def test_a_mail_of_an_mbox_is_exactly_its_octets(tmp_path: Path) -> None:
    """Written anew it would be another mail: other folds, another hash, another signature."""
    content = (
        b"Subject: " + b"word " * 40 + b"\n\tfolded oddly\n"
        b"From: =?x-unknown?q?Ann?= <ann@partner.example>\n"
        b"X-Eight-Bit: \xe4\xf6\xfc \xff\n"
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=nonsense\n\n\xff\xfe\n"
    )
    path = write(
        tmp_path, "archive.mbox", content=b"From ann@partner.example Mon Mar  2 12:00:00 2026\n" + content + b"\n"
    )
    assert [mail.content[:].rstrip() for mail in read_mails(path)] == [content.rstrip()]


def test_a_large_mail_is_never_in_memory(tmp_path: Path) -> None:
    octets = b"Subject: large\n\n" + (b"x" * 75 + b"\n") * (50 * MIB // 76)
    path = write(tmp_path, "1.eml", content=octets)
    archive = write(tmp_path, "archive.mbox", content=b"From ann@partner.example Mon Mar  2 12:00:00 2026\n" + octets)
    digest = sha256(octets).digest()
    del octets
    for place in (path, archive):
        with peak_memory() as peak:
            for mail in read_mails(place):
                assert isinstance(mail.content, SpooledOctets)
                found = sha256()
                for one in slices(mail.content):
                    found.update(one)
                assert found.digest() == digest
        assert peak.octets < 12 * MIB, place
