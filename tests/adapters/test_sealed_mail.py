"""Raw mail in a store with keys: nothing of it lies there in the clear, and keys change while the desk goes on."""

import os
import zlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import event, text
from tests.databases import database_url

from mailflow.adapters import schema
from mailflow.adapters.keyring import NO_KEYS, Keyring, key_id
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.core.message import MailRef, RawMessage
from mailflow.core.octets import SLICE
from mailflow.core.ports import Batch
from mailflow.errors import SettingsError, StoreError
from mailflow.testing import NOON

OLD, NEW = b"o" * 32, b"n" * 32
LARGE = b"".join(b"line %08d of a large mail\r\n" % number for number in range(90_000))
SMALL = b"From: ann@partner.example\r\n\r\nA small mail."


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    engine = open_engine(database_url(request))
    schema.upgrade(engine)
    yield SqlStore(engine, keys=Keyring([OLD]))
    engine.dispose()


def with_keys(store: SqlStore, *keys: bytes) -> SqlStore:
    return SqlStore(store.engine, keys=Keyring(keys))


def record(store: SqlStore, *contents: bytes, uid: int = 1) -> None:
    mails = [RawMessage(MailRef("desk", "INBOX", 1, uid + n), one, NOON) for n, one in enumerate(contents)]
    with store.unit() as unit:
        unit.record("desk", "INBOX", Batch(tuple(mails), None), NOON)


def stored(store: SqlStore) -> list[tuple[str, bytes]]:
    """(key, content) of every slice."""
    statement = "SELECT key_id, content FROM raw UNION ALL SELECT key_id, content FROM raw_slice"
    with store.engine.connect() as connection:
        return [(row[0], bytes(row[1])) for row in connection.execute(text(statement))]


def read(store: SqlStore, inbound_id: int) -> bytes:
    with store.opened(inbound_id) as content:
        return bytes(content[:])


def test_what_is_stored_can_be_read_with_the_key_alone(store: SqlStore) -> None:
    record(store, SMALL, LARGE)
    assert [read(store, 1), read(store, 2)] == [SMALL, LARGE]
    with store.unit() as unit:
        small, large = unit.claim_inbound(NOON, 10)
    assert (small.content, large.content) == (SMALL, None)
    rows = stored(store)
    assert len(rows) == 4
    assert {key for key, _ in rows} == {key_id(OLD)}
    for _, content in rows:
        with pytest.raises(zlib.error):
            zlib.decompress(content)


def test_without_the_key_nothing_is_read_and_the_error_says_which(store: SqlStore) -> None:
    record(store, SMALL, LARGE)
    blind = with_keys(store, NEW)
    for inbound_id in (1, 2):
        with pytest.raises(StoreError, match=key_id(OLD)), blind.opened(inbound_id):
            raise AssertionError("it was opened")
    with blind.unit() as unit:
        assert [mail.content for mail in unit.claim_inbound(NOON, 10)] == [None, None]


@pytest.mark.parametrize("table", ["raw", "raw_slice"])
def test_a_row_that_was_changed_is_never_read(store: SqlStore, table: str) -> None:
    record(store, LARGE)
    with store.engine.begin() as connection:
        connection.execute(text(f"UPDATE {table} SET content = :content"), {"content": b"x" * 64})  # noqa: S608 - our own names
    with pytest.raises(StoreError, match="was changed since"), store.opened(1):
        raise AssertionError("it was opened")


def test_slices_cannot_be_exchanged(store: SqlStore) -> None:
    record(store, LARGE + bytes(SLICE))
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE raw_slice SET content = (SELECT content FROM raw_slice WHERE number = 1)"))
    with pytest.raises(StoreError, match=r"/2 was changed since"), store.opened(1):
        raise AssertionError("it was opened")


def test_a_worker_without_the_keys_of_the_store_is_refused(store: SqlStore) -> None:
    with_keys(store).require_keys()
    store.require_keys()
    store.require_keys()
    for keys in ([], [NEW]):
        with pytest.raises(SettingsError, match=key_id(OLD)):
            with_keys(store, *keys).require_keys()
    with_keys(store, NEW, OLD).require_keys()
    with pytest.raises(SettingsError, match=key_id(NEW)):
        store.require_keys()


def test_keys_change_while_mail_comes_in(store: SqlStore) -> None:
    store.require_keys()
    record(with_keys(store), SMALL)
    record(store, LARGE, uid=2)
    both = with_keys(store, NEW, OLD)
    both.require_keys()
    told: list[int] = []
    assert both.reseal(both.keys, told.append) == 4
    assert told[-1] == 4
    assert {key for key, _ in stored(store)} == {key_id(NEW)}
    only_new = with_keys(store, NEW)
    only_new.require_keys()
    assert [read(only_new, 1), read(only_new, 2)] == [SMALL, LARGE]
    assert both.reseal(both.keys, told.append) == 0


def test_a_worker_that_still_seals_with_the_old_key_is_told_of(store: SqlStore) -> None:
    store.require_keys()
    both = with_keys(store, NEW, OLD)
    both.require_keys()
    record(store, SMALL)

    told: list[int] = []

    def late_mail(done: int) -> None:
        """Comes in once everything that was there is sealed anew."""
        if done in told:
            record(store, LARGE, uid=2)
        told.append(done)

    with pytest.raises(StoreError, match="restart the workers"):
        both.reseal(both.keys, late_mail)
    assert both.reseal(both.keys, lambda done: None) > 0
    with_keys(store, NEW).require_keys()


def test_what_comes_in_meanwhile_in_the_clear_is_sealed_too(store: SqlStore) -> None:
    record(store, SMALL)
    both = with_keys(store, NEW, OLD)
    late = [LARGE]
    told: list[int] = []

    def late_mail(done: int) -> None:
        if done in told and late:
            record(with_keys(store), late.pop(), uid=2)
        told.append(done)

    assert both.reseal(both.keys, late_mail) == 4
    assert {key for key, _ in stored(store)} == {key_id(NEW)}


def test_a_worker_that_goes_on_storing_in_the_clear_is_told_of(store: SqlStore) -> None:
    record(store, SMALL)
    both = with_keys(store, NEW, OLD)
    coming = count(2)

    def late_mail(done: int) -> None:
        number = next(coming)
        record(with_keys(store), SMALL + bytes([number]), uid=number)

    with pytest.raises(StoreError, match="came in in the clear: restart the workers"):
        both.reseal(both.keys, late_mail)


def left_in(folder: Path) -> bytes:
    return b"".join(one.read_bytes() for one in folder.iterdir())


def test_what_lay_in_the_clear_is_nowhere_in_the_files_of_sqlite(tmp_path: Path) -> None:
    """Neither in free pages nor in the log, while a worker has the store open."""
    engine = open_engine(f"sqlite:///{tmp_path / 'desk.sqlite3'}")
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 1"))
    schema.upgrade(engine)
    store = SqlStore(engine)
    mails = [os.urandom(5_000) for _ in range(20)]
    record(store, *mails, LARGE)
    with store.view() as reader:
        assert reader.counts().received == 21
        with pytest.raises(StoreError, match=r"still lies in the log beside the file.*: run it again"):
            store.reseal(Keyring([NEW]), lambda done: None)
        assert any(mail[100:200] in left_in(tmp_path) for mail in mails)
    assert store.reseal(Keyring([NEW]), lambda done: None) == 0
    assert not any(mail[100:200] in left_in(tmp_path) for mail in mails)
    engine.dispose()


def test_a_seal_can_be_taken_off_again(store: SqlStore) -> None:
    store.require_keys()
    record(store, SMALL, LARGE)
    store.reseal(NO_KEYS, lambda done: None)
    assert {key for key, _ in stored(store)} == {""}
    with_keys(store).require_keys()
    assert read(with_keys(store), 2) == LARGE


def test_what_cannot_be_opened_stops_the_change_of_keys_and_stays_as_it_is(store: SqlStore) -> None:
    record(with_keys(store, b"l" * 32), SMALL)
    before = stored(store)
    with pytest.raises(StoreError, match=key_id(b"l" * 32)):
        with_keys(store, NEW, OLD).reseal(Keyring([NEW]), lambda done: None)
    assert stored(store) == before


def test_a_row_that_rotted_is_an_error_of_that_mail_alone(store: SqlStore) -> None:
    plain = with_keys(store)
    record(plain, SMALL, b"\0" + SMALL)
    with store.engine.begin() as connection:
        first = connection.scalar(text("SELECT sha256 FROM inbound WHERE id = 1"))
        rots = text("UPDATE raw SET content = :content WHERE sha256 = :first")
        connection.execute(rots, {"content": b"rotten", "first": first})
    with plain.unit() as unit:
        assert [mail.content for mail in unit.claim_inbound(NOON, 10)] == [None, b"\0" + SMALL]
    with pytest.raises(StoreError, match="/0 is damaged"), plain.opened(1):
        raise AssertionError("it was opened")
