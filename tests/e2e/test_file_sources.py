"""The same worker on a folder and on a Maildir: one port, three sources."""

import mailbox
from pathlib import Path

import pytest

from mailflow import bootstrap
from mailflow.core.playbook import Rollout
from mailflow.errors import SettingsError
from mailflow.reading.understand import reader
from mailflow.settings import DeskSettings, Settings, StoreSettings
from mailflow.testing import FixedClassifier, FrozenClock, ScriptedSubmission, classification, raw_mail


def answer_all(path: Path, store: Path) -> int:
    settings = Settings(
        desk=DeskSettings(rollout=Rollout.LIVE, undo_seconds=0), store=StoreSettings(url=f"sqlite:///{store}")
    )
    desk, submission = bootstrap.build_desk(settings), ScriptedSubmission()
    bootstrap.build_worker(
        settings,
        source=bootstrap.build_file_source(path),
        submission=submission,
        classifier=FixedClassifier(classification(("nfr_request", 0.99), reply=0.99, review=0.01, none=0.0)),
        read=reader(desk),
        clock=FrozenClock(),
    ).run_once()
    return len(submission.sent)


def test_a_folder_of_eml_files(tmp_path: Path) -> None:
    inbox = tmp_path / "in"
    inbox.mkdir()
    (inbox / "one.eml").write_bytes(raw_mail())
    assert answer_all(inbox, tmp_path / "store.sqlite3") == 1
    assert answer_all(inbox, tmp_path / "store.sqlite3") == 0
    assert [path.name for path in inbox.rglob("*.eml")], "the mail is moved, not deleted"
    assert not list(inbox.glob("*.eml"))


def test_a_maildir(tmp_path: Path) -> None:
    mailbox.Maildir(tmp_path / "in").add(raw_mail())
    assert answer_all(tmp_path / "in", tmp_path / "store.sqlite3") == 1
    assert answer_all(tmp_path / "in", tmp_path / "store.sqlite3") == 0


def test_a_wrong_path_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such folder"):
        bootstrap.build_file_source(tmp_path / "nowhere")
