"""Mail in files: a Maildir and a folder of .eml."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.memory import MIB, peak_memory

from mailflow.adapters.maildir import HEAD_OCTETS, FolderSource, MaildirSource, stable_uid
from mailflow.adapters.spool import SPOOLED_FROM, SpooledOctets
from mailflow.core.message import RawMessage
from mailflow.core.ports import Disposition, Source
from mailflow.errors import ConnectionFailed, MailflowError

LONG = timedelta(seconds=60)
NAME = "1700000000.M1P2.mx.helpdesk.example"


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    return tmp_path


def messages(source: Source) -> list[RawMessage]:
    return [message for batch in source.fetch(None) for message in batch.messages]


def files_below(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@given(st.binary(max_size=40), st.none() | st.binary(max_size=40))
def test_a_uid_is_positive_fits_a_bigint_and_is_always_the_same(name: bytes, content: bytes | None) -> None:
    assert 0 < stable_uid(name, content) < 2**63
    assert stable_uid(name, content) == stable_uid(name, content)


def test_a_maildir_is_read_whole_and_left_as_it_is(maildir: Path) -> None:
    (maildir / "new" / NAME).write_bytes(b"new\n")
    (maildir / "cur" / "1600000000.M1P1.mx:2,S").write_bytes(b"seen long ago\n")
    (maildir / "tmp" / "1700000001.half").write_bytes(b"being written\n")
    os.utime(maildir / "new" / NAME, (1_700_000_000, 1_700_000_000))
    before = files_below(maildir)
    (batch,) = MaildirSource(maildir).fetch(None)
    assert [message.content for message in batch.messages] == [b"seen long ago\n", b"new\n"]
    assert batch.cursor is None
    assert batch.messages[1].internal_date == datetime.fromtimestamp(1_700_000_000, UTC)
    assert (batch.messages[1].ref.mailbox, batch.messages[1].ref.uid_validity) == ("INBOX", 1)
    assert files_below(maildir) == before


def test_flags_do_not_change_the_uid_of_a_maildir_message(maildir: Path) -> None:
    (maildir / "new" / NAME).write_bytes(b"mail\n")
    source = MaildirSource(maildir)
    (before,) = messages(source)
    (maildir / "new" / NAME).rename(maildir / "cur" / f"{NAME}:2,FS")
    (after,) = messages(MaildirSource(maildir))
    assert after.ref == before.ref
    source.acknowledge([before.ref], Disposition.PROCESSED)
    assert files_below(maildir) == {".Processed/maildirfolder": b"", f".Processed/cur/{NAME}:2,FS": b"mail\n"}


@pytest.mark.parametrize(
    ("disposition", "folder"), [(Disposition.PROCESSED, ".Processed"), (Disposition.FAILED, ".Failed")]
)
def test_acknowledged_mail_moves_to_a_maildir_subfolder_once(
    maildir: Path, disposition: Disposition, folder: str
) -> None:
    (maildir / "new" / NAME).write_bytes(b"mail\n")
    source = MaildirSource(maildir)
    refs = [message.ref for message in messages(source)]
    for _ in range(2):
        source.acknowledge(refs, disposition)
    assert files_below(maildir) == {f"{folder}/maildirfolder": b"", f"{folder}/cur/{NAME}:2,": b"mail\n"}
    assert {path.name for path in (maildir / folder).iterdir() if path.is_dir()} == {"new", "cur", "tmp"}


def test_a_folder_gives_its_eml_files_and_takes_them_away(tmp_path: Path) -> None:
    for name in ("b.eml", "a.EML", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    source = FolderSource(tmp_path)
    first, second = messages(source)
    assert (first.content, second.content) == (b"a.EML", b"b.eml")
    source.acknowledge([first.ref], Disposition.PROCESSED)
    source.acknowledge([second.ref], Disposition.FAILED)
    assert set(files_below(tmp_path)) == {"Processed/a.EML", "Failed/b.eml", "notes.txt"}
    assert messages(source) == []


def test_another_process_may_acknowledge(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"a")
    refs = [message.ref for message in messages(FolderSource(tmp_path))]
    FolderSource(tmp_path).acknowledge(refs, Disposition.PROCESSED)
    assert set(files_below(tmp_path)) == {"Processed/a.eml"}


def test_the_same_file_name_again_is_another_mail_and_overwrites_nothing(tmp_path: Path) -> None:
    source = FolderSource(tmp_path)
    refs = []
    for content in (b"monday", b"tuesday"):
        (tmp_path / "mail.eml").write_bytes(content)
        (message,) = messages(source)
        source.acknowledge([message.ref], Disposition.PROCESSED)
        refs.append(message.ref)
    assert refs[0] != refs[1]
    assert sorted(files_below(tmp_path).values()) == [b"monday", b"tuesday"]


def test_a_file_over_the_limit_is_read_in_part(tmp_path: Path) -> None:
    (tmp_path / "large.eml").write_bytes(b"x" * (HEAD_OCTETS + 10))
    (tmp_path / "small.eml").write_bytes(b"x")
    large, small = messages(FolderSource(tmp_path, max_size=HEAD_OCTETS + 9))
    assert (len(large.content), large.size) == (HEAD_OCTETS, HEAD_OCTETS + 10)
    assert small.size is None


def test_a_large_file_is_read_where_it_lies_until_the_next_batch(tmp_path: Path) -> None:
    """Its octets are never copied, and it counts as the same mail whoever reads it."""
    octets = b"Subject: large\r\n\r\n" + b"x" * SPOOLED_FROM
    (tmp_path / "large.eml").write_bytes(octets)
    (tmp_path / "small.eml").write_bytes(b"x")
    batches = FolderSource(tmp_path).fetch(None)
    large, small = next(batches).messages
    assert isinstance(large.content, SpooledOctets)
    assert (large.content[:], small.content, large.size) == (octets, b"x", None)
    assert large.ref.uid == stable_uid(b"large.eml", octets)
    assert list(batches) == []
    with pytest.raises(MailflowError, match="cannot be read"):
        large.content[:]
    FolderSource(tmp_path).acknowledge([large.ref], Disposition.PROCESSED)
    assert set(files_below(tmp_path)) == {"Processed/large.eml", "small.eml"}


def test_fifty_mib_are_handed_out_and_put_away_in_a_few(tmp_path: Path) -> None:
    with (tmp_path / "large.eml").open("wb") as file:
        file.truncate(50 * MIB)
    source = FolderSource(tmp_path)
    with peak_memory() as peak:
        refs = [message.ref for message in messages(source)]
        source.close()
        source.acknowledge(refs, Disposition.PROCESSED)
    assert set(files_below(tmp_path)) == {"Processed/large.eml"}
    assert peak.octets < 12 * MIB


def test_batches_are_small(tmp_path: Path) -> None:
    for number in range(51):
        (tmp_path / f"{number:02}.eml").write_bytes(b"x")
    (tmp_path / "98.eml").write_bytes(b"x" * (8 << 20))
    (tmp_path / "99.eml").write_bytes(b"x")
    assert [len(batch.messages) for batch in FolderSource(tmp_path).fetch(None)] == [50, 1, 1, 1]


def test_a_file_that_vanishes_meanwhile_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"x" * (8 << 20))
    for name in ("b.eml", "c.eml", "d.eml"):
        (tmp_path / name).write_bytes(name.encode())
    batches = FolderSource(tmp_path).fetch(None)
    next(batches)
    (tmp_path / "c.eml").unlink()
    assert [message.content for batch in batches for message in batch.messages] == [b"b.eml", b"d.eml"]


@pytest.mark.parametrize("kind", [MaildirSource, FolderSource])
def test_a_directory_that_is_not_there_is_named(tmp_path: Path, kind: Callable[[Path], Source]) -> None:
    with pytest.raises(ConnectionFailed, match="nowhere"):
        messages(kind(tmp_path / "nowhere"))


def test_waiting_ends_with_news_but_not_with_what_was_handed_out(tmp_path: Path) -> None:
    source = FolderSource(tmp_path)
    (tmp_path / "old.eml").write_bytes(b"old")
    messages(source)
    assert source.wait(timedelta(0)) is False
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(source.wait, LONG)
        (tmp_path / "new.eml").write_bytes(b"new")
        assert waiting.result(timeout=50) is True


def test_an_interrupt_ends_one_wait(maildir: Path) -> None:
    source = MaildirSource(maildir)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(source.wait, timedelta(days=1))
        source.interrupt()
        assert waiting.result(timeout=50) is False
    (maildir / "new" / NAME).write_bytes(b"mail\n")
    assert source.wait(LONG) is True


def test_closing_keeps_the_source_usable(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"a")
    source = FolderSource(tmp_path)
    source.close()
    assert [message.content for message in messages(source)] == [b"a"]
