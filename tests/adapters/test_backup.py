"""A backup is one file for either database; after a restore nothing goes out that may have gone out before."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import select, text
from tests.adapters.test_sealed_mail import LARGE
from tests.adapters.test_store_copy import KEY, desk_with_a_past, found
from tests.databases import database_url
from tests.services.office import Office, question

from mailflow.adapters import schema
from mailflow.adapters.backup import _TABLES, make_backup, restore_backup
from mailflow.adapters.keyring import Keyring
from mailflow.adapters.sql.restoring import NUMBERS_LEFT_OUT
from mailflow.adapters.sql.session import HOOK, SIGN_IN
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.adapters.store_copy import snapshot, sums_of
from mailflow.core.conversation import Clues
from mailflow.core.delivery import OutboxKind, OutboxState
from mailflow.core.fleet import ALL_ROLES, WorkerRecord
from mailflow.core.message import Envelope, OutboundMessage
from mailflow.core.ports import Batch, Cursor
from mailflow.errors import StoreError, TemporaryRefusal
from mailflow.testing import NOON, FrozenClock, MemorySource

HOUR = timedelta(hours=1)
VERSION = "0.1.0"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    return database_url(request)


@pytest.fixture(params=["sqlite", "postgresql"])
def other_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a backup is restored."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'restored.sqlite3'}"
    return database_url(request)


@pytest.fixture
def stores() -> Iterator[list[SqlStore]]:
    opened: list[SqlStore] = []
    yield opened
    for store in opened:
        store.close()


def at(url: str, stores: list[SqlStore]) -> SqlStore:
    engine = open_engine(url)
    schema.upgrade(engine)
    stores.append(SqlStore(engine, keys=Keyring([KEY])))
    return stores[-1]


def states(store: SqlStore) -> dict[OutboxKind, list[OutboxState]]:
    with store.view() as unit:
        entries = unit.outbox(100)[::-1]
    return {kind: [one.state for one in entries if one.kind is kind] for kind in OutboxKind}


# ---------------------------------------------------------------------- the file


def test_a_backup_holds_everything_and_comes_back(
    url: str, other_url: str, tmp_path: Path, stores: list[SqlStore]
) -> None:
    office = desk_with_a_past(at(url, stores))
    with office.store.unit() as unit:
        unit.beat(WorkerRecord("machine:7:ab", "machine", 7, ALL_ROLES, NOON, NOON))
    with snapshot(office.store.engine) as connection:
        before = sums_of(connection)
    file = tmp_path / "desk.backup"
    made = make_backup(url, file, NOON, VERSION)
    assert (made.at, made.version, made.rows) == (NOON, VERSION, sum(one.rows for one in before.values()))

    restored = restore_backup(other_url, file, NOON + HOUR, "sam", resume=True)
    assert (restored.backup, restored.doubted) == (made, None)
    again = at(other_url, stores)
    with snapshot(again.engine) as connection:
        assert sums_of(connection) == before
    again.require_keys()
    with again.opened(4) as content:
        assert content[:] == LARGE
    assert found(again, "größe") == found(office.store, "größe")


def test_the_file_is_one_file_and_nobody_elses(url: str, tmp_path: Path, stores: list[SqlStore]) -> None:
    at(url, stores)
    folder = tmp_path / "backups"
    folder.mkdir()
    make_backup(url, folder / "desk.backup", NOON, VERSION)
    assert [one.name for one in folder.iterdir()] == ["desk.backup"]
    assert stat.S_IMODE((folder / "desk.backup").stat().st_mode) == 0o600


def test_a_backup_is_restored_from_where_nothing_can_be_written(tmp_path: Path, stores: list[SqlStore]) -> None:
    url = f"sqlite:///{tmp_path / 'desk.sqlite3'}"
    desk_with_a_past(at(url, stores))
    make_backup(url, tmp_path / "desk.backup", NOON, VERSION)
    before = (tmp_path / "desk.backup").read_bytes()
    restore_backup(f"sqlite:///{tmp_path / 'again.sqlite3'}", tmp_path / "desk.backup", NOON, "sam", resume=False)
    assert (tmp_path / "desk.backup").read_bytes() == before
    assert not [*tmp_path.glob("desk.backup-*")]


def test_a_backup_is_of_one_moment_while_the_desk_goes_on(url: str, tmp_path: Path, stores: list[SqlStore]) -> None:
    office = Office(at(url, stores))
    office.work(question(1), question(2))

    def goes_on(table: str, rows: int) -> None:
        if table == "raw":
            office.work(question(3))

    make_backup(url, tmp_path / "desk.backup", NOON, VERSION, goes_on)
    restore_backup(f"sqlite:///{tmp_path / 'again.sqlite3'}", tmp_path / "desk.backup", NOON, "sam", resume=True)
    again = at(f"sqlite:///{tmp_path / 'again.sqlite3'}", stores)
    assert Office(again).counts().received == 2
    assert office.counts().received == 3


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path, stores: list[SqlStore]) -> None:
    url = f"sqlite:///{tmp_path / 'desk.sqlite3'}"
    at(url, stores)
    (tmp_path / "kept").write_text("precious")
    with pytest.raises(StoreError, match="is there already"):
        make_backup(url, tmp_path / "kept", NOON, VERSION)
    assert (tmp_path / "kept").read_text() == "precious"
    with pytest.raises(StoreError, match="No such file"):
        make_backup(url, tmp_path / "nowhere" / "desk.backup", NOON, VERSION)
    with pytest.raises(StoreError, match="there is no file"):
        make_backup(f"sqlite:///{tmp_path / 'nothing.sqlite3'}", tmp_path / "new", NOON, VERSION)


def test_a_backup_that_was_cut_off_leaves_no_file(tmp_path: Path, stores: list[SqlStore]) -> None:
    url = f"sqlite:///{tmp_path / 'desk.sqlite3'}"
    desk_with_a_past(at(url, stores))

    def cut_off(table: str, rows: int) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / "backups"
    folder.mkdir()
    with pytest.raises(KeyboardInterrupt):
        make_backup(url, folder / "desk.backup", NOON, VERSION, cut_off)
    assert [*folder.iterdir()] == []


@pytest.mark.parametrize("what", ["nothing", "words", "a store", "a part"])
def test_what_is_no_backup_is_not_restored(what: str, tmp_path: Path, stores: list[SqlStore]) -> None:
    url, file = f"sqlite:///{tmp_path / 'desk.sqlite3'}", tmp_path / "file"
    desk_with_a_past(at(url, stores))
    if what == "words":
        file.write_text("no database at all " * 100)
    elif what == "a store":
        file = tmp_path / "desk.sqlite3"
    elif what == "a part":
        make_backup(url, file, NOON, VERSION)
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(StoreError, match=r"there is no file|is no backup|is damaged"):
        restore_backup(f"sqlite:///{tmp_path / 'again.sqlite3'}", file, NOON, "sam", resume=False)
    assert not (tmp_path / "again.sqlite3").exists()


def test_a_backup_that_was_changed_is_not_restored(
    url: str, other_url: str, tmp_path: Path, stores: list[SqlStore]
) -> None:
    desk_with_a_past(at(url, stores))
    make_backup(url, tmp_path / "file", NOON, VERSION)
    with closing(sqlite3.connect(tmp_path / "file")) as connection, connection:
        connection.execute("UPDATE message SET text = 'other words' WHERE id = 1")
    with pytest.raises(StoreError, match="message changed; nothing was restored"):
        restore_backup(other_url, tmp_path / "file", NOON, "sam", resume=True)
    with snapshot(at(other_url, stores).engine) as connection_:
        assert {one.rows for one in sums_of(connection_).values()} == {0}


def test_a_backup_of_an_older_version_is_brought_to_this_one(
    other_url: str, tmp_path: Path, stores: list[SqlStore]
) -> None:
    """Its file is not touched. Here one of before the review desk, with a mail in it."""
    file = tmp_path / "file"
    engine = open_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        command.upgrade(schema._config(connection), "0006")
        connection.execute(text("INSERT INTO raw VALUES ('ab', 1, NULL, :content, '', NULL)"), {"content": b"x"})
        for statement in _TABLES:
            connection.execute(text(statement))
        connection.execute(text("INSERT INTO backup VALUES ('2026-03-02T12:00:00+00:00', '0.0.9', 'sqlite')"))
    engine.dispose()
    before = file.read_bytes()
    assert restore_backup(other_url, file, NOON, "sam", resume=True).backup.version == "0.0.9"
    assert file.read_bytes() == before
    with snapshot(at(other_url, stores).engine) as connection:
        assert sums_of(connection)["raw"].rows == 1


def test_a_backup_of_a_later_version_is_refused(tmp_path: Path, stores: list[SqlStore]) -> None:
    url, file = f"sqlite:///{tmp_path / 'desk.sqlite3'}", tmp_path / "file"
    desk_with_a_past(at(url, stores))
    make_backup(url, file, NOON, VERSION)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="9999, which this mailflow does not know"):
        restore_backup(f"sqlite:///{tmp_path / 'again.sqlite3'}", file, NOON, "sam", resume=True)


def test_only_an_empty_store_is_restored_into(url: str, tmp_path: Path, stores: list[SqlStore]) -> None:
    desk_with_a_past(at(url, stores))
    make_backup(url, tmp_path / "file", NOON, VERSION)
    with pytest.raises(StoreError, match="is not empty"):
        restore_backup(url, tmp_path / "file", NOON, "sam", resume=False)


# ---------------------------------------------------------------------- the world went on


def office_in_the_middle(store: SqlStore) -> Office:
    """One answer waits, one is being sent, one has failed, one went out; a mail waits to be decided; a digest waits."""
    office = Office(store, clock=FrozenClock())
    office.work(question(1))
    office.submission.errors = [TemporaryRefusal("451 later")] * 9
    office.work(question(2), question(3), question(4))
    digest = OutboundMessage(Envelope("desk@desk.example", "boss@desk.example"), "digest@desk.example", "x", b"x")
    with store.unit() as unit:
        unit.enqueue_digest(digest, NOON)
        connection = unit._db
        connection.execute(text("UPDATE outbox SET state = 'sending', claimed_by = 'w' WHERE id = 3"))
        connection.execute(text("UPDATE outbox SET state = 'failed', error = '550 no' WHERE id = 4"))
        hook = {"receiver": "crm", "event": "held", "thread_id": 1, "body": {}, "attempts": 0, "claimed_by": ""}
        times = {"at": NOON, "due_at": NOON, "error": ""}
        connection.execute(HOOK.insert(), [{**hook, **times, "state": one} for one in ("queued", "sending", "sent")])
        names = ("token_sha256", "kind", "account", "name", "created_at", "seen_at", "expires_at")
        connection.execute(SIGN_IN.insert(), dict(zip(names, ("a", "token", "sam", "", NOON, NOON, NOON), strict=True)))
    office.source.deliver(question(5))
    with store.unit() as unit:
        for batch in office.source.fetch(Cursor(1, 4)):
            unit.record(office.source.account, office.source.mailbox, batch, NOON)
    return office


def restored_office(url: str, other_url: str, tmp_path: Path, stores: list[SqlStore], *, resume: bool) -> Office:
    office = office_in_the_middle(at(url, stores))
    make_backup(url, tmp_path / "file", NOON, VERSION)
    restore_backup(other_url, tmp_path / "file", NOON + HOUR, "sam", resume=resume)
    return Office(at(other_url, stores), clock=FrozenClock(NOON + 2 * HOUR), source=office.source)


def test_what_waited_is_not_sent_after_a_restore(
    url: str, other_url: str, tmp_path: Path, stores: list[SqlStore]
) -> None:
    office = restored_office(url, other_url, tmp_path, stores, resume=False)
    assert states(office.store) == {
        OutboxKind.AUTOMATIC: [OutboxState.SENT, OutboxState.UNCERTAIN, OutboxState.UNCERTAIN, OutboxState.FAILED],
        OutboxKind.PERSON: [],
        OutboxKind.DIGEST: [OutboxState.CANCELLED],
    }
    office.work()
    assert office.submission.sent == []
    with office.store.view() as unit:
        failed = unit.outbox(10, OutboxState.FAILED)[0].error
        doubted = unit.outbox(10, OutboxState.UNCERTAIN)[0]
        story = unit.story(doubted.thread_id or 0)
        assert unit._db.scalars(select(HOOK.c.state).order_by(HOOK.c.id)).all() == ["failed", "failed", "sent"]
        assert unit._db.scalars(select(SIGN_IN.c.account)).all() == []
    assert failed.startswith("550 no (restored from the backup of 2026-03-02 12:00 UTC")
    assert doubted.error == "restored from the backup of 2026-03-02 12:00 UTC: it may have gone out since"
    assert doubted.finished_at == NOON + HOUR, "so its copy is still looked for"
    assert story is not None
    assert (story.lines[-1].actor, story.lines[-1].kind) == ("sam", "uncertain")


def test_proof_among_the_sent_mail_settles_an_answer_of_before(
    url: str, other_url: str, tmp_path: Path, stores: list[SqlStore]
) -> None:
    office = restored_office(url, other_url, tmp_path, stores, resume=False)
    with office.store.unit() as unit:
        ids = unit.uncertain(NOON)
        assert unit.prove_sent(ids, "its copy lies in the folder of sent mail", NOON + 2 * HOUR) == len(ids) == 2


def test_a_mail_from_before_the_restore_is_prepared_and_held(
    url: str, other_url: str, tmp_path: Path, stores: list[SqlStore]
) -> None:
    """The one in the backup, and one that is read anew; a mail that comes later is answered."""
    office = restored_office(url, other_url, tmp_path, stores, resume=False)
    office.source.deliver(question(6))
    office.work()
    assert (office.actions()["q5@partner.example"], office.actions()["q6@partner.example"]) == ("review", "review")
    held = next(one for one in office.decided() if one.message_id == "q6@partner.example")
    assert "before the store was restored (2026-03-02 13:00 UTC)" in held.reason
    with office.store.unit() as unit:
        assert unit.draft_parts(held.message_pk), "a person finds the answer prepared"
    later = NewMail(uid_validity=2)
    later.deliver(question(7))
    Office(office.store, clock=office.clock, source=later, submission=office.submission).work()
    assert office.actions()["q7@partner.example"] == "reply"


class NewMail(MemorySource):
    """Mail that came after the restore."""

    def fetch(self, cursor: Cursor | None) -> Iterator[Batch]:
        for batch in super().fetch(cursor):
            mails = tuple(replace(one, internal_date=NOON + 2 * HOUR) for one in batch.messages)
            yield replace(batch, messages=mails)


def test_no_thread_gets_a_number_that_a_lost_one_had(
    url: str, other_url: str, tmp_path: Path, stores: list[SqlStore]
) -> None:
    office = restored_office(url, other_url, tmp_path, stores, resume=False)
    with office.store.unit() as unit:
        highest = max(one.id for one in unit.threads(100) if one.requester)
        assert unit.open_thread("new", Clues(requester="eve@x.example"), NOON) == highest + NUMBERS_LEFT_OUT + 1


def test_resuming_takes_everything_up_where_it_was(
    url: str, other_url: str, tmp_path: Path, stores: list[SqlStore]
) -> None:
    office = restored_office(url, other_url, tmp_path, stores, resume=True)
    office.work()
    assert {one.envelope.forward_path for one in office.submission.sent} >= {
        "ann@partner2.example",
        "ann@partner5.example",
        "boss@desk.example",
    }
    assert OutboxState.UNCERTAIN in states(office.store)[OutboxKind.AUTOMATIC], "of a worker that is gone"


def test_restoring_counts_what_it_doubts(url: str, other_url: str, tmp_path: Path, stores: list[SqlStore]) -> None:
    office_in_the_middle(at(url, stores))
    make_backup(url, tmp_path / "file", NOON, VERSION)
    doubted = restore_backup(other_url, tmp_path / "file", NOON + HOUR, "sam", resume=False).doubted
    assert doubted is not None
    assert (doubted.answers, doubted.digests, doubted.mails, doubted.calls, doubted.sign_ins) == (2, 1, 1, 2, 1)
    with at(other_url, stores).view() as unit:
        (line,) = [one for one in unit.threads(100) if one.subject.startswith("(numbers left out")]
        assert line.status == "closed"
