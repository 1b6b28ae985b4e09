"""policy explain and answer, as a person calls them."""

from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from tests.test_cli import mailflow, one_line

ROOT = Path(__file__).parents[1]
SAMPLE = str(ROOT / "demo" / "mails" / "01-nfr-for-the-lab.eml")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_receipt_tells_what_was_asked_and_what_would_change() -> None:
    told = one_line(mailflow("policy", "explain", SAMPLE).stdout)
    for words in ("HOLD", "guard:rollout", "kill_switch", "P(right answer)", "if the desk were live", "versions"):
        assert words in told


def test_the_answer_is_shown_and_written_as_mail_and_as_page() -> None:
    shown = mailflow("answer", SAMPLE, "--eml", "out.eml", "--html", "out.html")
    assert shown.exit_code == 0, shown.output
    assert "You can request a Not-For-Resale (NFR) license" in one_line(shown.stdout)
    mail = message_from_bytes(Path("out.eml").read_bytes(), policy=default)
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail.get_content_type() == "multipart/alternative"
    assert Path("out.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_answer_for_another_reader() -> None:
    told = one_line(mailflow("answer", SAMPLE, "--audience", "internal").stdout)
    assert "(CAM)" in told


def test_a_mail_without_an_answer_says_why() -> None:
    Path("thanks.eml").write_bytes(b"From: a@x.example\r\nAuto-Submitted: auto-generated\r\n\r\nDone.\r\n")
    refused = mailflow("answer", "thanks.eml")
    assert refused.exit_code == 1
    assert "there is no answer" in one_line(refused.stderr)


@pytest.mark.parametrize("command", [("answer",), ("policy", "explain")])
def test_an_empty_folder_is_a_sentence(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused = mailflow(*command, "empty")
    assert refused.exit_code == 1
    assert refused.exception is None or isinstance(refused.exception, SystemExit)
    assert "empty" in one_line(refused.stderr)


def test_a_file_that_cannot_be_written_is_a_sentence() -> None:
    refused = mailflow("answer", SAMPLE, "--html", "no/such/folder.html")
    assert refused.exit_code == 1
    assert "no/such/folder.html: No such file or directory" in one_line(refused.stderr)
