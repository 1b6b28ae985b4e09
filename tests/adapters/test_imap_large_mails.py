"""Large mails over IMAP: fetched in slices into a file, whole or not at all, whatever size the server says."""

import re
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from tests.adapters.imap_desk import Desk, mail, messages
from tests.memory import MIB, peak_memory
from tests.servers import ScriptedServer

from mailflow.adapters.imap import ImapAccount, ImapSource
from mailflow.adapters.spool import SPOOLED_FROM, SpooledOctets
from mailflow.core.octets import SLICE
from mailflow.core.ports import Batch, Cursor
from mailflow.errors import ConnectionFailed, MailflowError


@pytest.mark.parametrize("length", [SPOOLED_FROM - 1, SPOOLED_FROM, 5 * SLICE, 5 * SLICE + 1])
def test_a_large_mail_is_read_into_a_file_that_is_gone_with_its_batch(
    desk: Desk, source: ImapSource, length: int
) -> None:
    octets = length - len(mail("large"))
    desk.append("small")
    desk.append("large", octets=octets)
    desk.append("last")
    found = {}
    for batch in source.fetch(None):
        found.update({message.ref.uid: message.content for message in batch.messages})
        assert all(message.size is None for message in batch.messages)
        if 2 in found:
            assert found[2][:] == mail("large", octets)
    assert (found[1], found[3]) == (mail("small"), mail("last"))
    large = found[2]
    assert isinstance(large, SpooledOctets) == (length >= SPOOLED_FROM)
    if isinstance(large, SpooledOctets):
        with pytest.raises(MailflowError, match="cannot be read"):
            large[:]


def test_a_file_is_closed_too_where_nobody_asks_for_the_next_batch(desk: Desk, source: ImapSource) -> None:
    desk.append("large", octets=SPOOLED_FROM)
    batches = source.fetch(None)
    (large,) = next(batches).messages
    del batches
    assert isinstance(large.content, SpooledOctets)
    with pytest.raises(MailflowError, match="cannot be read"):
        large.content[:]


def test_fifty_mib_are_fetched_in_a_few(desk: Desk, source: ImapSource) -> None:
    desk.append("large", octets=50 * MIB)
    with peak_memory() as peak:
        lengths = [len(message.content) for batch in source.fetch(None) for message in batch.messages]
    assert lengths == [len(mail("large", 50 * MIB))]
    assert peak.octets < 16 * MIB


def test_a_full_disk_loses_no_mail(desk: Desk, source: ImapSource) -> None:
    """Nothing of a mail that has no room is handed out; it is read once there is room."""
    desk.append("small")
    desk.append("large", octets=SPOOLED_FROM)
    found = []
    with room_for_files_of(2 * MIB), pytest.raises(ConnectionFailed, match="File too large"):
        found += messages(source.fetch(None))
    assert found == []
    assert [len(batch.messages) for batch in source.fetch(None)] == [2]


@contextmanager
def room_for_files_of(octets: int) -> Iterator[None]:
    """No file of this process may become larger, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def odd_script(body: bytes, *, vanishes_at: int = -1) -> Callable[[bytes], bytes]:
    """A mailbox of one message. The server guesses its size wrong, and says NIL where there are no octets."""

    def answer(line: bytes) -> bytes:
        tag, _, command = line.partition(b" ")
        untagged = {
            b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n",
            b"SELECT": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n* OK [UIDNEXT 2] next\r\n",
            b"UID SEARCH": b"* SEARCH 1\r\n",
            b"UID FETCH": b"* 1 FETCH (UID 1 RFC822.SIZE %d)\r\n" % SPOOLED_FROM,
        }
        if (asked := re.search(rb"BODY\.PEEK\[\]<(\d+)\.(\d+)>", command)) is None:
            words = b" ".join(command.split()[:2]).upper()
            return untagged.get(words, untagged.get(words.split()[0], b"")) + tag + b" OK done\r\n"
        start, octets = int(asked[1]), int(asked[2])
        if start == vanishes_at:
            return tag + b" OK done\r\n"
        part = body[start : start + octets]
        said = b"{%d}\r\n%s" % (len(part), part) if part else b"NIL"
        return b"* 1 FETCH (UID 1 BODY[]<%d> %s)\r\n%s OK done\r\n" % (start, said, tag)

    return answer


@contextmanager
def scripted(answer: Callable[[bytes], bytes]) -> Iterator[ImapSource]:
    with ScriptedServer(b"* OK ready\r\n", answer) as server:
        source = ImapSource(ImapAccount("127.0.0.1", server.port, "none", "support", "secret"))
        yield source
        source.close()


@pytest.mark.parametrize("length", [10, SLICE, SPOOLED_FROM + 2 * SLICE, SPOOLED_FROM + 2 * SLICE + 10])
def test_a_mail_is_read_to_its_end_whatever_size_the_server_guessed(length: int) -> None:
    body = mail("large", length)[:length]
    with scripted(odd_script(body)) as source:
        assert [message.content[:] for batch in source.fetch(None) for message in batch.messages] == [body]


def test_a_large_mail_that_vanishes_half_read_is_passed_over() -> None:
    with scripted(odd_script(mail("large", SPOOLED_FROM), vanishes_at=2 * SLICE)) as source:
        assert list(source.fetch(None)) == [Batch((), Cursor(7, 1))]
