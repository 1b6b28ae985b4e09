"""`mailflow canned`: what there is, one filled in, and one sentence with exit code 1 for what is missing."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mailflow.adapters.canned import load_canned
from mailflow.canned_commands import GROUPS

REPLIES = load_canned(Path(__file__).parents[1] / "classifiers")


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, a wide terminal, no settings."""
    for name in [name for name in os.environ if name.upper().startswith("MAILFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")


def canned(*arguments: str) -> Result:
    return CliRunner().invoke(GROUPS["canned"], arguments)


def refusal(*arguments: str) -> str:
    """What standard error says of a refused command, on one line."""
    refused = canned(*arguments)
    assert refused.exit_code == 1
    assert refused.stdout == ""
    return " ".join(refused.stderr.split())


FILLED = ("--field", "missing_requirements=one certified engineer", "--field", "how_to_fulfill=the exam")


def test_list_shows_each_with_its_reader_and_what_to_fill_in() -> None:
    lines = canned("list").stdout.splitlines()
    assert lines[-1] == f"{len(REPLIES)} canned replies"
    assert [name for name in REPLIES if not any(line.startswith(f"{name} ") for line in lines)] == []
    told = next(line for line in lines if line.startswith("nfr_not_eligible "))
    assert "external" in told
    assert "missing_requirements, how_to_fulfill" in told


def test_list_shows_those_for_an_intent() -> None:
    shown = canned("list", "--intent", "rebate").stdout
    fitting = {name for name, one in REPLIES.items() if "rebate" in one.intents}
    assert {line.split()[0] for line in shown.splitlines()[1:-1] if line[0] != " "} == fitting
    assert "nfr_submitted" not in shown


def test_list_refuses_an_intent_that_is_none() -> None:
    assert "there is no intent rebates; there are: account_data," in refusal("list", "--intent", "rebates")


def test_show_prints_the_reply_filled_in_and_unfolded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    shown = canned("show", "nfr_not_eligible", *FILLED, "--name", "Ana Pérez")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("Hello Ana Pérez,\n")
    assert "\nWhat is missing: one certified engineer\n" in shown.stdout
    assert "\n1. Log in to the GitLab Partner Portal: https://partners.gitlab.com/English/\n" in shown.stdout
    assert shown.stdout.endswith("Kind regards,\nGitLab Partner Help Desk\n")
    assert shown.stderr == ""


def test_show_keeps_a_sign_of_equality_and_brackets_in_a_value() -> None:
    shown = canned("show", "ask_one_question", "--field", "question=Is a=b [bold] or not?")
    assert "\nIs a=b [bold] or not?\n" in shown.stdout


def test_show_takes_control_characters_out() -> None:
    shown = canned("show", "ask_one_question", "--field", "question=red\x1b[31m?")
    assert "\x1b" not in shown.stdout
    assert "red\ufffd[31m?" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nfr_not_eligible", *FILLED[:2]), "lacks `how_to_fulfill` (what the partner has to do about it)"),
        (("nfr_not_eligible", *FILLED, "--field", "day=one"), "has no field `day`"),
        (("nfr_eligible",), "there is no canned reply `nfr_eligible`; did you mean `nfr_not_eligible`?"),
        (("nfr_submitted", "--field", "day"), "--field day: write it as NAME=VALUE"),
        (("nfr_submitted", "--field", "=one"), "--field =one: write it as NAME=VALUE"),
        (("ask_one_question", "--field", "question=a", "--field", "question=b"), "--field question is given twice"),
    ],
    ids=["missing", "unknown field", "unknown reply", "no value", "no name", "twice"],
)
def test_show_says_what_is_missing_or_wrong(arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in refusal("show", *arguments)


def test_show_warns_of_words_in_a_field_that_a_partner_must_not_read() -> None:
    shown = canned("show", "ask_one_question", "--field", "question=Do you see it in SFDC?")
    assert "Do you see it in SFDC?" in shown.stdout
    assert "it says `SFDC`: a system that partners do not see (R1)" in shown.stderr


def test_a_settings_file_that_is_not_there_is_named() -> None:
    assert "nowhere.toml" in refusal("list", "--config", "nowhere.toml")
    assert "nowhere.toml" in refusal("show", "nfr_submitted", "--config", "nowhere.toml")


def test_the_group_without_a_command_shows_its_help() -> None:
    assert "Usage:" in canned().output
