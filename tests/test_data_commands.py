"""The commands for the life of the data, as an operator types them."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.databases import PostgresServer
from tests.services.office import Office, question
from typer.testing import CliRunner, Result

from mailflow import cli
from mailflow.adapters import schema
from mailflow.adapters.keyring import key_id
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.core.delivery import OutboxState
from mailflow.errors import TemporaryRefusal

ANN = "ann@partner1.example"
OLD, NEW = b"o" * 32, b"n" * 32


def url_of(folder: Path, name: str = "mailflow") -> str:
    return f"sqlite:///{folder / name}.sqlite3"


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, a wide terminal, no settings but the store's."""
    for name in [name for name in os.environ if name.upper().startswith("MAILFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("MAILFLOW_STORE__URL", url_of(tmp_path))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A desk on the store that the commands look at."""
    engine = open_engine(url_of(tmp_path))
    schema.upgrade(engine)
    yield Office(SqlStore(engine))
    engine.dispose()


def mailflow(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments))


def done(*arguments: str) -> str:
    result = mailflow(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str) -> str:
    """The sentence. There is no traceback."""
    result = mailflow(*arguments)
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("mailflow: ")
    return result.stderr


def write_keys(folder: Path, *keys: bytes) -> None:
    (folder / "raw.key").write_text("".join(f"{base64.b64encode(key).decode()}\n" for key in keys))


def subjects(url: str) -> list[str]:
    engine = open_engine(url)
    with SqlStore(engine).view() as unit:
        found = [one.subject for one in unit.threads(10)]
    engine.dispose()
    return found


def test_a_backup_is_restored_where_the_settings_say(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.submission.errors = [TemporaryRefusal("451")]
    office.work(question(1))
    assert "rows, checked" in done("backup", "desk.backup")
    assert "is there already" in refused("backup", "desk.backup")
    assert "is not empty" in refused("restore", "desk.backup")
    monkeypatch.setenv("MAILFLOW_STORE__URL", url_of(tmp_path, "again"))
    told = done("restore", "desk.backup")
    assert "restored" in told
    assert "answers" in told
    engine = open_engine(url_of(tmp_path, "again"))
    with SqlStore(engine).view() as unit:
        assert [one.state for one in unit.outbox(10)] == [OutboxState.UNCERTAIN]
    engine.dispose()


def test_resuming_changes_nothing(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    office.submission.errors = [TemporaryRefusal("451")]
    office.work(question(1))
    done("backup", "desk.backup")
    monkeypatch.setenv("MAILFLOW_STORE__URL", url_of(tmp_path, "again"))
    assert "not taken up" not in done("restore", "desk.backup", "--resume")
    engine = open_engine(url_of(tmp_path, "again"))
    with SqlStore(engine).view() as unit:
        assert [one.state for one in unit.outbox(10)] == [OutboxState.QUEUED]
    engine.dispose()


def test_a_desk_moves_by_one_command(office: Office, tmp_path: Path, postgres: PostgresServer) -> None:
    office.work(question(1), question(2))
    there = postgres.new_database()
    assert "rows copied and compared" in done("migrate-store", url_of(tmp_path), there)
    assert subjects(there) == subjects(url_of(tmp_path)) == ["Question 2", "Question 1"]
    assert "is not empty" in refused("migrate-store", url_of(tmp_path), there)
    assert "there is no file" in refused("migrate-store", url_of(tmp_path, "nowhere"), there)
    assert "not a database URL" in refused("migrate-store", "nonsense", there)


def test_a_purge_counts_first_and_refuses_a_short_time(office: Office) -> None:
    office.work(question(1))
    assert "less than 30 days" in refused("purge", "--older-than", "7d")
    assert "not a time like 365d" in refused("purge", "--older-than", "a year")
    assert "would be taken away" in done("purge", "--older-than", "365d", "--dry-run")
    assert "taken away" in done("purge", "--older-than", "30y")


def test_an_erasure_prints_a_receipt_without_the_address(office: Office, tmp_path: Path) -> None:
    office.work(question(1), question(2))
    dry = done("erase", ANN, "--dry-run")
    assert "would be taken away" in dry
    assert "receipt" not in dry
    assert "nothing of" in done("erase", ANN, "--receipts")
    told = done("erase", ANN)
    assert told.startswith("receipt 1 of mailflow ")
    assert "threads: 1, mails: 1, answers: 1" in told
    assert ANN not in told
    assert done("erase", ANN.upper(), "--receipts") == told
    assert subjects(url_of(tmp_path)) == ["Question 2"]


def test_what_is_worked_on_this_moment_is_told(office: Office) -> None:
    office.source.deliver(question(1))
    with office.store.unit() as unit:
        for batch in office.source.fetch(None):
            unit.record(office.source.account, office.source.mailbox, batch, office.clock.now())
    assert "1 mails or answers are being worked on" in mailflow("erase", ANN).stderr


def test_what_could_not_be_overwritten_is_told(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.work(question(1, sender=ANN))
    monkeypatch.setattr(SqlStore, "_empty_log", lambda store: False)
    assert "still lies in the log" in mailflow("erase", ANN).stderr
    assert "still lies in the log" in mailflow("purge", "--older-than", "365d").stderr
    monkeypatch.undo()
    assert "still lies in the log" not in mailflow("erase", ANN, "--receipts").stderr


def test_the_desk_itself_is_never_erased(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILFLOW_DESK__ADDRESSES", '["help@desk.example"]')
    assert "is the desk itself" in refused("erase", "Help@Desk.example")
    assert "is not a mail address" in refused("erase", "ann")


def test_keys_change_by_one_command(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    office.work(question(1))
    assert "encryption_key_file is not set" in refused("db", "rekey")
    monkeypatch.setenv("MAILFLOW_STORE__ENCRYPTION_KEY_FILE", str(tmp_path / "raw.key"))
    assert "No such file" in refused("db", "rekey")
    write_keys(tmp_path, OLD)
    assert f"1 slices sealed anew; the key {key_id(OLD)}" in done("db", "rekey")
    write_keys(tmp_path, NEW)
    assert f"sealed with {key_id(OLD)}, which is not among its keys" in refused("db", "rekey").replace("\n", " ")
    write_keys(tmp_path, NEW, OLD)
    assert "1 slices sealed anew" in done("db", "rekey")
    assert "0 slices sealed anew" in done("db", "rekey")


def test_two_ways_to_a_key_are_one_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_keys(tmp_path, OLD)
    monkeypatch.setenv("MAILFLOW_STORE__ENCRYPTION_KEY", base64.b64encode(OLD).decode())
    done("db", "rekey")
    monkeypatch.setenv("MAILFLOW_STORE__ENCRYPTION_KEY_FILE", str(tmp_path / "raw.key"))
    assert "not both" in refused("db", "rekey")


def test_a_key_is_never_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILFLOW_STORE__ENCRYPTION_KEY", "a-secret-with-a-slip")
    assert "a-secret-with-a-slip" not in refused("db", "rekey")
