"""The store: idempotent by constraint, moved by compare-and-set, append-only where it tells. On both databases."""

import hashlib
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import Boolean, Integer, LargeBinary, text
from sqlalchemy.exc import DatabaseError
from sqlmodel import SQLModel
from tests.databases import database_url
from tests.memory import MIB, peak_memory

from mailflow.adapters import schema
from mailflow.adapters.spool import SpooledOctets, spooled
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.adapters.tables import Instant
from mailflow.core.conversation import Clues, Proof
from mailflow.core.delivery import MAX_ATTEMPTS, OutboxState
from mailflow.core.message import Address, MailRef, RawMessage
from mailflow.core.octets import SLICE, slices
from mailflow.core.partner import NO_PARTNERS, Partner, PartnerDirectory, PartnerKind, Route
from mailflow.core.ports import Batch, Cursor, Disposition
from mailflow.core.storage import Recorded, Unit
from mailflow.errors import IllegalTransition, MailflowError, StoreError
from mailflow.testing import NOON

HOUR = timedelta(hours=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    engine = open_engine(database_url(request))
    schema.upgrade(engine)
    yield SqlStore(engine)
    engine.dispose()


def mail(uid: int, content: bytes = b"", uid_validity: int = 1) -> RawMessage:
    return RawMessage(MailRef("desk", "INBOX", uid_validity, uid), content or b"mail %d" % uid, NOON)


def batch(*mails: RawMessage) -> Batch:
    return Batch(mails, Cursor(mails[-1].ref.uid_validity, mails[-1].ref.uid))


def record(store: SqlStore, *mails: RawMessage, now: datetime = NOON) -> Recorded:
    with store.unit() as unit:
        return unit.record("desk", "INBOX", batch(*mails), now)


def record_one(store: SqlStore) -> RawMessage:
    record(store, mail(99))
    return mail(99)


def mail_hash(raw: RawMessage) -> str:
    return hashlib.sha256(raw.content[:]).hexdigest()


def test_a_new_file_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        engine = open_engine(f"sqlite:///{tmp_path / 'desk.sqlite3'}")
        schema.upgrade(engine)
        modes = {one.name: one.stat().st_mode & 0o777 for one in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {f"desk.sqlite3{end}": 0o600 for end in ("", "-wal", "-shm")}
    engine.dispose()
    (tmp_path / "desk.sqlite3").chmod(0o640)
    with open_engine(f"sqlite:///{tmp_path / 'desk.sqlite3'}").connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM thread")) == 0
    assert (tmp_path / "desk.sqlite3").stat().st_mode & 0o777 == 0o640, "whoever changed it knows why"


def test_the_migrations_make_what_tables_py_says(store: SqlStore) -> None:
    assert schema.drift(store.engine) == []
    schema.require_newest(store.engine)


def test_a_uid_read_twice_is_one_row(store: SqlStore) -> None:
    assert record(store, mail(1), mail(2)) == Recorded(new=2)
    assert record(store, mail(1), mail(2), mail(3)) == Recorded(new=1, known=2)


def test_the_same_bytes_under_another_uid_are_a_copy(store: SqlStore) -> None:
    """A changed UIDVALIDITY makes every UID new; nothing of it may be answered again."""
    record(store, mail(1, b"same"))
    assert record(store, mail(1, b"same", uid_validity=2)) == Recorded(copies=1)
    with store.unit() as unit:
        assert len(unit.claim_inbound(NOON, 10)) == 1


def test_rows_and_cursor_stand_or_fall_together(store: SqlStore) -> None:
    with pytest.raises(RuntimeError), store.unit() as unit:
        unit.record("desk", "INBOX", batch(mail(1)), NOON)
        raise RuntimeError("crash between the rows and the commit")
    with store.unit() as unit:
        assert unit.cursor("desk", "INBOX") is None
        assert unit.claim_inbound(NOON, 10) == []
    record(store, mail(1))
    with store.unit() as unit:
        assert unit.cursor("desk", "INBOX") == Cursor(1, 1)


def test_a_claim_counts_the_attempt_and_is_exclusive(store: SqlStore) -> None:
    record(store, mail(1))
    with store.unit() as unit:
        (claimed,) = unit.claim_inbound(NOON, 10)
        assert unit.claim_inbound(NOON, 10) == []
    assert claimed.attempts == 1
    assert (claimed.content, claimed.sha256, claimed.size) == (b"mail 1", mail_hash(mail(1)), None)
    with store.unit() as unit:
        assert unit.bury([], NOON).mails == 1
        assert unit.claim_inbound(NOON, 10)[0].attempts == 2


def test_a_mail_that_was_tried_before_is_claimed_alone(store: SqlStore) -> None:
    """A mail that ends the process must not take the batch around it to quarantine."""
    record(store, mail(1), mail(2), mail(3))
    with store.unit() as unit:
        assert len(unit.claim_inbound(NOON, 10)) == 3
        assert unit.bury([], NOON).mails == 3
    record(store, mail(4))
    with store.unit() as unit:
        sizes = [len(unit.claim_inbound(NOON + HOUR, 10)) for _ in range(4)]
    assert sizes == [1, 1, 1, 1]


def test_a_mail_that_ends_the_worker_each_time_comes_to_quarantine(store: SqlStore) -> None:
    record(store, mail(1))
    with store.unit() as unit:
        for _ in range(MAX_ATTEMPTS - 1):
            assert len(unit.claim_inbound(NOON, 10)) == 1
            assert unit.bury([], NOON).mails == 1
        assert unit.claim_inbound(NOON, 10)[0].attempts == MAX_ATTEMPTS
        assert unit.bury([], NOON).mails == 1
        assert unit.claim_inbound(NOON + HOUR, 10) == []
        (view,) = unit.quarantined(10)
    assert view.error == "the worker ended with it 5 times"


def test_a_postponed_mail_waits_for_its_time(store: SqlStore) -> None:
    record(store, mail(1))
    with store.unit() as unit:
        (claimed,) = unit.claim_inbound(NOON, 10)
        unit.postpone(claimed.inbound_id, NOON + HOUR, "busy", NOON)
        assert unit.claim_inbound(NOON, 10) == []
        assert unit.next_due() == NOON + HOUR
        assert len(unit.claim_inbound(NOON + HOUR, 10)) == 1


def test_quarantine_keeps_the_bytes_and_lets_go(store: SqlStore) -> None:
    record(store, mail(1))
    with store.unit() as unit:
        (claimed,) = unit.claim_inbound(NOON, 10)
        unit.quarantine(claimed.inbound_id, "too slow", NOON)
        (view,) = unit.quarantined(10)
        assert (view.error, view.size, view.attempts) == ("too slow", 6, 1)
        (waiting,) = unit.unacknowledged("desk", "INBOX", 10)
        assert waiting.disposition is Disposition.FAILED
        assert unit.retry_quarantined(view.inbound_id, NOON, "operator")
        assert not unit.retry_quarantined(view.inbound_id, NOON, "operator")
        assert unit.claim_inbound(NOON, 10)[0].attempts == 1
    with store.opened(view.inbound_id) as content:
        assert content == b"mail 1"


def test_a_mail_that_is_not_being_processed_cannot_be_settled(store: SqlStore) -> None:
    """The fence: a slow worker that lost its claim changes nothing."""
    record(store, mail(1))
    with store.unit() as unit:
        (claimed,) = unit.claim_inbound(NOON, 10)
        unit.quarantine(claimed.inbound_id, "first", NOON)
    with pytest.raises(IllegalTransition), store.unit() as unit:
        unit.postpone(claimed.inbound_id, NOON, "second", NOON)


# ---------------------------------------------------------------------- large mails

LARGE = b"".join(b"line %08d of a large mail\r\n" % number for number in range(90_000))
"""Two slices and a half."""


def raw_slices(store: SqlStore) -> int:
    with store.engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM raw_slice")).scalar_one())


@pytest.mark.parametrize("length", [0, 1, SLICE - 1, SLICE, SLICE + 1, 2 * SLICE, len(LARGE)])
def test_a_mail_of_any_size_comes_back_as_it_was(store: SqlStore, length: int) -> None:
    content = LARGE[:length]
    record(store, replace(mail(1), content=content))
    assert raw_slices(store) == max(0, -(-length // SLICE) - 1)
    with store.opened(1) as found:
        assert found[:] == content
    with store.unit() as unit:
        (claimed,) = unit.claim_inbound(NOON, 10)
    assert claimed.content == (content if length < 256 << 10 else None)
    assert claimed.sha256 == hashlib.sha256(content).hexdigest()


def test_a_large_mail_is_a_file_outside_of_any_transaction(store: SqlStore) -> None:
    """Whoever reads it slowly keeps nobody from the store."""
    content = LARGE * 2
    record(store, mail(1, content))
    with store.opened(1) as found:
        assert isinstance(found, SpooledOctets)
        assert found[:] == content
        assert record(store, mail(2)) == Recorded(new=1)


def test_a_large_mail_is_stored_once(store: SqlStore) -> None:
    record(store, mail(1, LARGE))
    assert record(store, mail(1, LARGE), mail(2, LARGE)) == Recorded(known=1, copies=1)
    assert raw_slices(store) == 2
    with store.opened(1) as found:
        assert found[:] == LARGE


class BreakingOff:
    """The octets of a large mail up to `after`, where the disk fails once they are being stored."""

    def __init__(self, content: bytes, after: int) -> None:
        self._content, self._after, self._was_hashed = content, after, False

    def __len__(self) -> int:
        return len(self._content)

    def __getitem__(self, where: slice, /) -> bytes:
        if self._was_hashed and where.stop > self._after:
            raise MailflowError("the file of a large mail cannot be read")
        self._was_hashed |= where.stop == len(self)
        return self._content[where]

    def find(self, octets: bytes, start: int, end: int, /) -> int:
        raise AssertionError("the store looks for nothing")


def test_half_a_mail_is_never_stored(store: SqlStore) -> None:
    torn = BreakingOff(LARGE, after=2 * SLICE)
    with pytest.raises(MailflowError, match="cannot be read"):
        record(store, mail(1), replace(mail(2), content=torn))
    with store.unit() as unit:
        assert (unit.cursor("desk", "INBOX"), unit.claim_inbound(NOON, 10)) == (None, [])
    assert raw_slices(store) == 0
    assert record(store, mail(1), mail(2, LARGE)) == Recorded(new=2)
    with store.unit() as unit:
        _, claimed = unit.claim_inbound(NOON, 10)
    with store.opened(claimed.inbound_id) as found:
        assert found[:] == LARGE


def test_a_large_mail_of_an_older_store_is_in_one_piece(store: SqlStore) -> None:
    """Before the third migration there were no slices."""
    record(store, mail(1, LARGE))
    with store.engine.begin() as connection:
        connection.execute(text("DELETE FROM raw_slice"))
        raw = SQLModel.metadata.tables["raw"]
        connection.execute(raw.update().values(content=zlib.compress(LARGE)))
    with store.opened(1) as found:
        assert found[:] == LARGE


def test_a_mail_that_is_not_there_cannot_be_opened(store: SqlStore) -> None:
    with pytest.raises(StoreError, match="there is no mail 7"), store.opened(7):
        raise AssertionError("it was opened")


def test_fifty_mib_go_in_and_out_in_a_few(store: SqlStore) -> None:
    with spooled(os.urandom(SLICE) for _ in range(50)) as content:
        with peak_memory() as storing:
            assert record(store, replace(mail(1), content=content)) == Recorded(new=1)
        with peak_memory() as claiming, store.unit() as unit:
            assert unit.claim_inbound(NOON, 10)[0].content is None
        with peak_memory() as opening, store.opened(1) as found:
            assert isinstance(found, SpooledOctets)
        with store.opened(1) as found:
            assert all(one == other for one, other in zip(slices(content), slices(found), strict=True))
    assert max(storing.octets, claiming.octets, opening.octets) < 12 * MIB


def test_a_savepoint_undoes_itself_alone(store: SqlStore) -> None:
    with store.unit() as unit:
        first = unit.open_thread("one", Clues(requester="ann@partner.example"), NOON)
        with pytest.raises(RuntimeError), unit.savepoint():
            unit.open_thread("two", Clues(requester="ann@partner.example"), NOON)
            raise RuntimeError("one bad mail")
    with store.unit() as unit:
        assert [thread.id for thread in unit.threads(10)] == [first]


# ---------------------------------------------------------------------- looking


def received(unit: Unit) -> int:
    return unit.counts().received


def test_who_looks_waits_for_no_writer_and_sees_nothing_half_done(store: SqlStore) -> None:
    record(store, mail(1))
    with store.unit() as writing:
        writing.record("desk", "INBOX", batch(mail(2)), NOON)
        with store.view() as looking:
            assert received(looking) == 1
    with store.view() as looking:
        assert received(looking) == 2


def test_who_looks_sees_one_state_of_the_store(store: SqlStore) -> None:
    record(store, mail(1))
    with store.view() as looking:
        assert received(looking) == 1
        record(store, mail(2))
        assert received(looking) == 1
    with store.view() as looking:
        assert received(looking) == 2


def test_who_looks_keeps_nobody_from_writing_afterwards(store: SqlStore) -> None:
    """On PostgreSQL the connection was read-only for the time of the view."""
    for uid in (1, 2, 3):
        with store.view() as looking:
            assert looking.cursor("desk", "INBOX") == (Cursor(1, uid - 1) if uid > 1 else None)
        assert record(store, mail(uid)) == Recorded(new=1)


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
def test_postgresql_lets_nobody_write_who_only_looks(store: SqlStore) -> None:
    with pytest.raises(StoreError, match="read-only"), store.view() as looking:
        looking.record("desk", "INBOX", batch(mail(1)), NOON)


def test_only_one_worker_decides_at_a_time(store: SqlStore) -> None:
    """The second one reads its history after the first has committed."""

    def count_when_it_may_decide() -> int:
        with SqlStore(store.engine).unit() as unit:
            unit.serialize()
            return received(unit)

    with ThreadPoolExecutor(1) as pool:
        with store.unit() as unit:
            unit.serialize()
            second = pool.submit(count_when_it_may_decide)
            await_waiting(store)
            unit.record("desk", "INBOX", batch(mail(1)), NOON)
        assert second.result(20) == 1


def await_waiting(store: SqlStore) -> None:
    """Until somebody waits for a lock of PostgreSQL. SQLite does not tell; there one writer waits for the other."""
    if store.engine.dialect.name != "postgresql":
        return
    asked = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    deadline = monotonic() + 20
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.scalar(asked):
            assert monotonic() < deadline, "nobody waits"


def test_clues_are_looked_up_strongest_proof_first_and_each_thread_once(store: SqlStore) -> None:
    clues = Clues(subject_key="licence for the lab", requester="ann@partner.example")
    with store.unit() as unit:
        one, two = unit.open_thread("one", clues, NOON), unit.open_thread("two", clues, NOON)
        found = unit.candidates(replace(clues, tokens=(one, 999), tags=(two, one)))
        assert [(each.thread_id, each.proof) for each in found] == [(one, Proof.SIGNED), (two, Proof.TAG)]
        assert [each.thread_id for each in unit.candidates(clues)] == [two], "the newest of the same subject"
        assert unit.merge_threads(one, two, NOON, "sam")
        assert [each.thread_id for each in unit.candidates(replace(clues, tokens=(one,)))] == [two]


def test_the_directory_is_replaced_as_a_whole(store: SqlStore) -> None:
    firm = Partner(("a.example", "b.example"), "A", "Select", PartnerKind.MSP, "EMEA", Route.DISTRIBUTION, "Big")
    twin = replace(firm, domains=("c.example",), tier="")
    directory = PartnerDirectory.of([firm, twin])
    with store.unit() as unit:
        assert (unit.partners_version(), unit.partners()) == ("", NO_PARTNERS)
        unit.replace_partners(directory, NOON, "sam")
        assert unit.partners_version() == directory.version
        assert unit.partners() == directory
        assert set(unit.partners().partners) == {firm, twin}
        unit.replace_partners(NO_PARTNERS, NOON, "sam")
        assert (unit.partners_version(), unit.partners()) == (NO_PARTNERS.version, NO_PARTNERS)


def test_the_audit_trail_refuses_to_be_changed(store: SqlStore) -> None:
    record(store, mail(1))
    with store.unit() as unit:
        (claimed,) = unit.claim_inbound(NOON, 10)
        unit.quarantine(claimed.inbound_id, "why", NOON)
    for statement in ("UPDATE audit_event SET sentence = ''", "DELETE FROM audit_event"):
        with pytest.raises(DatabaseError, match="append-only"), store.engine.begin() as connection:
            connection.execute(text(statement))


@pytest.mark.parametrize("table", ["inbound", "outbox", "decision", "thread"])
def test_unknown_states_are_refused_by_the_database(store: SqlStore, table: str) -> None:
    row: dict[str, object] = dict.fromkeys(SQLModel.metadata.tables[table].columns.keys(), "x")
    for column in SQLModel.metadata.tables[table].columns:
        if isinstance(column.type, Instant):
            row[column.name] = NOON
        elif isinstance(column.type, Integer):
            row[column.name] = 1
        elif isinstance(column.type, Boolean):
            row[column.name] = False
        elif isinstance(column.type, LargeBinary):
            row[column.name] = b""
    row["sha256"] = mail_hash(record_one(store))
    insert = SQLModel.metadata.tables[table].insert()
    with pytest.raises(DatabaseError, match=f"ck_{table}"), store.engine.begin() as connection:
        connection.execute(insert.values({key: row[key] for key in row if key in insert.table.columns}))


def test_a_key_stays_the_same(store: SqlStore) -> None:
    assert store.key("reply") == store.key("reply")
    assert len(store.key("reply")) == 32
    assert store.key("reply") != store.key("other")


def test_an_empty_history_knows_nobody(store: SqlStore) -> None:
    with store.unit() as unit:
        history = unit.history(Address("", "ann@partner.example"), None, NOON)
    assert (history.sent_to_sender, history.answers_in_thread, history.is_known_thread) == ((), 0, False)


def test_a_claim_from_an_empty_outbox_is_none(store: SqlStore) -> None:
    with store.unit() as unit:
        assert unit.claim_outbox(NOON) is None
        assert unit.outbox(10, OutboxState.SENT) == []


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/x"])
def test_a_wrong_url_says_what_to_write(url: str) -> None:
    with pytest.raises(StoreError, match="sqlite"):
        open_engine(url)


SECRET = "ann.secret@partner.example"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO secret (name, value) VALUES (:value, '1'), (:value, '2')",  # unique: PostgreSQL tells the key
        "INSERT INTO mute (address) VALUES (:value)",  # a column is lacking: it tells the row
        "INSERT INTO no_such_table VALUES (:value)",
        "INSERT INTO presence (thread_id) VALUES (CAST(:value AS INTEGER))",
    ],
)
def test_no_error_of_the_database_holds_a_value_of_a_row(store: SqlStore, statement: str) -> None:
    """It is written into ledger, trail, digest and log."""
    with pytest.raises((DatabaseError, StoreError)) as caught, store.unit() as unit:
        unit._db.execute(text(statement), {"value": SECRET})
    error: BaseException | None = caught.value
    while error is not None:
        assert str(error) and SECRET not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__


def test_a_thread_too_many_waits_and_may_try_again(tmp_path: Path) -> None:
    """It ends no worker."""
    engine = open_engine(f"sqlite:///{tmp_path / 'mailflow.sqlite3'}", threads=2)
    engine.pool._timeout = 0.1  # type: ignore[attr-defined]
    store = SqlStore(engine)
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(store.view())
        with pytest.raises(StoreError, match="in use") as caught, store.view():
            pass
    assert caught.value.temporary
    with store.view():
        pass
    engine.dispose()
