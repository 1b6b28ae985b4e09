"""The command line: help everywhere, one sentence and exit code 1 for what went wrong, one line a mail for machines."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer.main
from pydantic import BaseModel
from tests.services.office import Office, question
from typer.core import TyperGroup
from typer.testing import CliRunner, Result

from mailflow import cli
from mailflow.adapters import schema
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.core.delivery import OutboxState
from mailflow.core.hooks import HookEvent, Listener
from mailflow.core.message import FailedRecipient, Origin, OriginKind
from mailflow.core.octets import Octets
from mailflow.errors import OutcomeUnknown, PoisonMail
from mailflow.services.ingest import ingest
from mailflow.services.lines import ClassifiedLine, ErrorLine, ParsedLine
from mailflow.settings import commented_toml
from mailflow.testing import raw_mail

ROOT = Path(__file__).resolve().parents[1]
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\x08\u202eevil[bold]\u2066"
DRIVING = ("\x1b", "\x07", "\x9b", "\x08", "\u202e", "\u2066")


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty working directory, a wide terminal, no settings but the store's."""
    for name in [name for name in os.environ if name.upper().startswith("MAILFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("MAILFLOW_STORE__URL", f"sqlite:///{tmp_path / 'mailflow.sqlite3'}")


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A desk on the store that the commands look at."""
    engine = open_engine(f"sqlite:///{tmp_path / 'mailflow.sqlite3'}")
    schema.upgrade(engine)
    yield Office(SqlStore(engine))
    engine.dispose()


def queue_answer(office: Office, content: bytes) -> None:
    office.source.deliver(content)
    ingest(office.source, office.store, office.clock)
    office.processing().turn()


def mailflow(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(cli.app, arguments, input=stdin)


def one_line(text: str) -> str:
    """What rich has folded, unfolded."""
    return " ".join(text.split())


# ------------------------------------------------------------------ help and usage


def command_words(group: TyperGroup, *words: str) -> Iterator[tuple[str, ...]]:
    yield words
    for word, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from command_words(command, *words, word)
        else:
            yield (*words, word)


COMMANDS = list(command_words(typer.main.get_group(cli.app)))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_that_says_what_it_does(words: tuple[str, ...]) -> None:
    shown = mailflow(*words, "--help")
    assert shown.exit_code == 0
    assert "Usage:" in shown.stdout
    told = one_line(shown.stdout.partition("╭")[0].partition("Usage:")[2])
    assert told.endswith((".", "!")) and len(told.split()) > 6, told


@pytest.mark.parametrize("words", [("nonsense",), ("parse",), ("threads", "show"), ("threads", "show", "x"), ("--x",)])
def test_wrong_usage_is_exit_code_2(words: tuple[str, ...]) -> None:
    refused = mailflow(*words)
    assert refused.exit_code == 2
    assert refused.stdout == ""
    assert "Usage" in refused.stderr


def test_a_group_without_a_command_shows_its_help() -> None:
    assert "Usage:" in mailflow("threads").output


# ------------------------------------------------------------------ settings

NEEDS_SETTINGS = [
    ("run", "--once"),
    ("parse", "x.eml"),
    ("classify", "x.eml"),
    ("check",),
    ("train",),
    ("certify",),
    ("evaluate", "x.jsonl"),
    ("policy", "show"),
    ("policy", "explain", "x.eml"),
    ("answer", "x.eml"),
    ("canned", "list"),
    ("canned", "show", "nfr_submitted"),
    ("threads", "list"),
    ("threads", "show", "1"),
    ("threads", "merge", "1", "--into", "2"),
    ("outbox", "list"),
    ("outbox", "retry", "1"),
    ("outbox", "cancel", "1"),
    ("outbox", "confirm", "1"),
    ("workers", "list"),
    ("reconcile",),
    ("mutes", "list"),
    ("mutes", "remove", "ann@partner.example"),
    ("partners", "import", "partners.csv"),
    ("partners", "list"),
    ("hooks", "list"),
    ("hooks", "retry", "1"),
    ("quarantine", "list"),
    ("quarantine", "show", "1"),
    ("quarantine", "retry", "1"),
    ("db", "upgrade"),
    ("db", "rekey"),
    ("backup", "desk.backup"),
    ("restore", "desk.backup"),
    ("purge", "--older-than", "365d"),
    ("erase", "ann@partner.example"),
    ("pseudonym", "ann@partner.example"),
    ("web",),
    ("replay", "--model", "other"),
    ("corrections", "list"),
    ("corrections", "export"),
    ("model", "promote", "other"),
    ("model", "rollback"),
    ("users", "add", "sam", "--password-stdin"),
    ("users", "list"),
    ("users", "role", "sam", "lead"),
    ("users", "disable", "sam"),
    ("users", "enable", "sam"),
    ("users", "password", "sam", "--password-stdin"),
    ("tokens", "add", "sam", "--for", "x"),
    ("tokens", "list", "sam"),
    ("tokens", "revoke", "sam", "12345678"),
]


@pytest.mark.parametrize("words", NEEDS_SETTINGS, ids=" ".join)
def test_a_wrong_setting_is_a_sentence_and_no_traceback(words: tuple[str, ...]) -> None:
    Path("wrong.toml").write_text('[imap]\npassword = "hunter2"\nhots = "x"\n')
    refused = mailflow(*words, "--config", "wrong.toml")
    assert refused.exit_code == 1
    assert "mailflow: wrong.toml: [imap] hots: is not a setting" in one_line(refused.stderr)
    assert "Traceback" not in refused.output
    assert "hunter2" not in refused.output


def test_every_command_that_reads_settings_is_tested() -> None:
    without = {(), ("demo",), ("init",), ("doctor",), ("migrate-store",)}
    groups = {words[:1] for words in COMMANDS if len(words) == 2}
    assert {words for words in COMMANDS if words not in groups | without} == {
        words[:2] if words[:1] in groups else words[:1] for words in NEEDS_SETTINGS
    }


def test_run_without_a_server_says_what_to_fill_in() -> None:
    refused = mailflow("run", "--once")
    assert refused.exit_code == 1
    assert "[smtp] host is not set; `mailflow init`" in one_line(refused.stderr)


def test_init_writes_the_commented_file_once() -> None:
    assert mailflow("init").exit_code == 0
    assert Path("mailflow.toml").read_text(encoding="utf-8") == commented_toml()
    Path("mailflow.toml").write_text("# mine\n")
    again = mailflow("init")
    assert (again.exit_code, Path("mailflow.toml").read_text()) == (1, "# mine\n")
    assert "is there already" in one_line(again.stderr)


def test_init_where_nothing_can_be_written_is_a_sentence() -> None:
    refused = mailflow("init", "no/such/folder/mailflow.toml")
    assert refused.exit_code == 1
    assert "mailflow: no/such/folder/mailflow.toml: " in one_line(refused.stderr)


# ------------------------------------------------------------------ the store


def test_db_upgrade_says_from_where_to_where() -> None:
    assert one_line(mailflow("db", "upgrade").stdout).startswith("store: empty -> ")
    assert "nothing to do" in mailflow("db", "upgrade").stdout


def test_a_store_of_the_future_is_refused(office: Office) -> None:
    with office.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for words in (("threads", "list"), ("db", "upgrade")):
        refused = mailflow(*words)
        assert refused.exit_code == 1, words
        assert "9999" in refused.stderr


def test_the_threads_and_one_thread_with_its_story(office: Office) -> None:
    office.work(question(1, body="How do we get a licence?"), question(2, body="Please send a quote."))
    listed = mailflow("threads", "list")
    assert listed.exit_code == 0
    assert "ann@partner1.example" in listed.stdout and "quoting queue" in listed.stdout
    held = mailflow("threads", "list", "--status", "held")
    assert "ann@partner2.example" in held.stdout and "ann@partner1.example" not in held.stdout
    assert "ann@partner2.example" not in mailflow("threads", "list", "--status", "answered").stdout
    story = mailflow("threads", "show", "1").stdout
    for part in (
        "Question 1",
        "How do we get a licence?",
        "nfr_request 0.95",
        "[nfr_request.external]",
        "decided reply",
    ):
        assert part in story, part


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("threads", "show", "7"), "there is no thread 7; `mailflow threads list` shows them"),
        (("threads", "merge", "7", "--into", "8"), "threads 7 and 8 are not two threads"),
        (("mutes", "remove", "ann@partner.example"), "ann@partner.example is not muted"),
        (("partners", "import", "nothing.csv"), "nothing.csv"),
        (("outbox", "retry", "7"), "answer 7 is neither failed nor uncertain"),
        (("outbox", "cancel", "7"), "answer 7 cannot be cancelled any more"),
        (("outbox", "confirm", "7"), "answer 7 is not uncertain"),
        (("hooks", "retry", "7"), "call 7 has not failed"),
        (("quarantine", "show", "7"), "there is no mail 7"),
        (("quarantine", "retry", "7"), "mail 7 is not in quarantine"),
    ],
)
def test_what_is_not_there_is_exit_code_1(words: tuple[str, ...], sentence: str) -> None:
    refused = mailflow(*words)
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert f"mailflow: {sentence}" in one_line(refused.stderr)


def test_an_uncertain_answer_is_sent_again_by_hand(office: Office) -> None:
    office.submission.errors.append(OutcomeUnknown("the connection was lost"))
    office.work(question(1))
    listed = mailflow("outbox", "list", "--state", "uncertain")
    assert "the connection was lost" in one_line(listed.stdout)
    assert "ann@partner1.example" not in mailflow("outbox", "list", "--state", "sent").stdout
    assert mailflow("outbox", "retry", "1").exit_code == 0
    assert office.answers()[0].state is OutboxState.QUEUED
    assert mailflow("outbox", "retry", "1").exit_code == 1, "queued is no state to send again from"
    assert "uncertain" in mailflow("threads", "show", "1").stdout


def test_an_answer_is_cancelled_while_it_waits_and_its_thread_is_held(office: Office) -> None:
    office.undo = timedelta(seconds=20)
    queue_answer(office, question(1))
    assert mailflow("outbox", "cancel", "1").exit_code == 0
    assert office.answers()[0].state is OutboxState.CANCELLED
    assert "ann@partner1.example" in mailflow("threads", "list", "--status", "held").stdout
    assert mailflow("outbox", "cancel", "1").exit_code == 1, "once is enough"


def test_an_uncertain_answer_is_confirmed_by_a_person(office: Office) -> None:
    office.submission.errors.append(OutcomeUnknown("the connection was lost"))
    office.work(question(1))
    assert mailflow("outbox", "confirm", "1").exit_code == 0
    assert office.answers()[0].state is OutboxState.SENT
    assert "a person says that it arrived" in one_line(mailflow("threads", "show", "1").stdout)


def test_the_workers_are_listed_while_they_are_at_work(office: Office) -> None:
    office.membership().join()
    shown = mailflow("workers", "list").stdout
    assert office.store.holder in shown and "fetch, process, send" in shown
    office.membership().leave()
    assert office.store.holder not in mailflow("workers", "list").stdout


PASSWORD = "a long enough password\n"


def test_an_account_is_made_listed_changed_closed_and_opened() -> None:
    made = mailflow(
        "users", "add", "sam", "--role", "lead", "--display-name", "Sam E.", "--password-stdin", stdin=PASSWORD
    )
    assert (made.exit_code, "sam may sign in as lead" in made.stdout) == (0, True)
    assert PASSWORD.strip() not in made.output
    assert mailflow("users", "role", "sam", "admin").exit_code == 0
    listed = one_line(mailflow("users", "list").stdout)
    assert "Sam E." in listed and "admin" in listed and "yes" in listed
    assert mailflow("users", "disable", "sam").exit_code == 0
    assert " no " in one_line(mailflow("users", "list").stdout)
    assert mailflow("users", "enable", "sam").exit_code == 0
    assert mailflow("users", "password", "sam", "--password-stdin", stdin="another long password\n").exit_code == 0


@pytest.mark.parametrize(
    ("words", "stdin", "sentence"),
    [
        (("users", "add", "sam", "--password-stdin"), PASSWORD, "there is an account sam already"),
        (("users", "add", "two words", "--password-stdin"), PASSWORD, "one word"),
        (("users", "add", "kim", "--password-stdin"), "short\n", "at least 12 characters"),
        (("users", "add", "kim", "--password-stdin"), "", "at least 12 characters"),
        (("users", "password", "sam", "--password-stdin"), "short\n", "at least 12 characters"),
        (("users", "role", "kim", "lead"), "", "there is no account kim; `mailflow users list`"),
        (("users", "disable", "kim"), "", "there is no account kim"),
        (("users", "enable", "kim"), "", "there is no account kim"),
        (("tokens", "add", "kim", "--for", "x"), "", "there is no account kim"),
        (("tokens", "list", "kim"), "", "there is no account kim"),
        (("tokens", "revoke", "sam", "0123456789ab"), "", "sam has no token 0123456789ab"),
    ],
)
def test_what_cannot_be_done_to_an_account_is_a_sentence(words: tuple[str, ...], stdin: str, sentence: str) -> None:
    assert mailflow("users", "add", "sam", "--password-stdin", stdin=PASSWORD).exit_code == 0
    refused = mailflow(*words, stdin=stdin)
    assert refused.exit_code == 1
    assert sentence in one_line(refused.stderr)


def test_a_token_is_printed_once_and_listed_without_its_secret() -> None:
    mailflow("users", "add", "sam", "--password-stdin", stdin=PASSWORD)
    token = mailflow("tokens", "add", "sam", "--for", "reports", "--days", "30").stdout.strip()
    assert token.startswith("mfl_")
    listed = mailflow("tokens", "list", "sam").stdout
    assert "reports" in listed
    assert token not in listed
    (id_,) = re.findall(r"\b[0-9a-f]{12}\b", listed)
    assert "revoked" in mailflow("tokens", "revoke", "sam", id_).stdout
    assert "reports" not in mailflow("tokens", "list", "sam").stdout


def test_a_call_to_another_system_is_listed_and_made_again(office: Office) -> None:
    office.store = SqlStore(office.store.engine, listeners=(Listener("crm", frozenset(HookEvent)),))
    office.work(question(1, body="a riddle"))
    with office.store.unit() as unit:
        call = unit.claim_hook(office.clock.now())
        assert call is not None
        unit.finish_hook(call, None, "webhook crm answered 410", office.clock.now())
    assert "webhook crm answered 410" in one_line(mailflow("hooks", "list", "--state", "failed").stdout)
    assert "call 1 is queued again" in mailflow("hooks", "retry", "1").stdout
    assert "queued" in mailflow("hooks", "list").stdout


def test_reconcile_without_a_server_says_what_to_fill_in(office: Office) -> None:
    refused = mailflow("reconcile")
    assert refused.exit_code == 1
    assert "[imap] host is not set" in one_line(refused.stderr)


@pytest.mark.parametrize("words", [("--once",), ("--from", ".")])
def test_a_part_of_the_work_goes_neither_with_once_nor_with_from(words: tuple[str, ...]) -> None:
    refused = mailflow("run", "--role", "fetch", *words)
    assert refused.exit_code == 1
    assert "--role goes with neither --once nor --from" in one_line(refused.stderr)


def test_a_merged_thread_says_where_it_went(office: Office) -> None:
    office.work(question(1), question(2))
    assert mailflow("threads", "merge", "1", "--into", "2").exit_code == 0
    assert "went into thread 2" in mailflow("threads", "show", "1").stdout
    assert "q1@partner.example" in mailflow("threads", "show", "2").stdout


def test_a_muted_address_is_shown_and_set_free(office: Office) -> None:
    failed = FailedRecipient("ann@partner1.example", is_permanent=True, diagnostic="550 no such user")
    office.work(question(1))
    report = Origin(OriginKind.BOUNCE, "x", (failed,), (office.submission.sent[0].message_id,))
    with office.store.unit() as unit:
        unit.record_bounce(report, datetime.now(UTC))
    assert "550 no such user" in one_line(mailflow("mutes", "list").stdout)
    assert mailflow("mutes", "remove", "Ann@partner1.example").exit_code == 0
    assert "ann@partner1.example" not in mailflow("mutes", "list").stdout
    assert "bounced" in mailflow("outbox", "list", "--state", "bounced").stdout


def test_partners_are_imported_as_a_whole_or_not_at_all(office: Office) -> None:
    head = "domain,company,tier,kind,region,route,distributor\n"
    Path("good.csv").write_text(head + "firm.example,Firm Ltd,Select,reseller,EMEA,distribution,Big Distribution\n")
    Path("bad.csv").write_text(head + "other.example,Other Ltd,Select,friend,EMEA,direct,\n")
    assert mailflow("partners", "import", "good.csv").exit_code == 0
    refused = mailflow("partners", "import", "bad.csv")
    assert refused.exit_code == 1
    assert "line 2" in refused.stderr and "friend" in refused.stderr
    listed = one_line(mailflow("partners", "list").stdout)
    assert "Firm Ltd" in listed and "Big Distribution" in listed and "Other Ltd" not in listed


def test_a_mail_in_quarantine_is_shown_octet_by_octet_and_released(office: Office) -> None:
    def read(content: bytes, size: int | None, partners: object) -> object:
        raise PoisonMail("reading it took longer than 20 s")

    office.read = read  # type: ignore[assignment] # it never returns
    content = question(1, body="\u202e" + "x" * 300) + b"\xff\x00\r\n.\r\n"
    office.work(content)
    assert "longer than 20 s" in one_line(mailflow("quarantine", "list").stdout)
    assert mailflow("quarantine", "show", "1").stdout_bytes == content
    assert mailflow("quarantine", "retry", "1").exit_code == 0
    assert office.counts().pending == 1


# ------------------------------------------------------------------ hostile mail


@pytest.mark.parametrize(
    "words",
    [("threads", "list"), ("threads", "show", "1"), ("outbox", "list"), ("quarantine", "list"), ("mutes", "list")],
    ids=" ".join,
)
def test_a_mail_does_not_drive_the_terminal(office: Office, words: tuple[str, ...]) -> None:
    """Subject, text, names and errors come from strangers."""
    office.submission.errors.append(OutcomeUnknown(f"lost {HOSTILE}"))
    office.work(question(1, body=f"How do we get a licence? {HOSTILE}", subject=f"Lab {HOSTILE}"))

    def read(content: bytes, size: int | None, partners: object) -> object:
        raise PoisonMail(f"poison {HOSTILE}")

    office.read = read  # type: ignore[assignment] # it never returns
    office.work(question(2))
    shown = mailflow(*words)
    assert shown.exit_code == 0
    assert [sign for sign in DRIVING if sign in shown.output] == []
    assert "evil" in shown.stdout or words in (("outbox", "list"), ("mutes", "list")), "the words are still shown"


def test_cards_of_parse_do_not_drive_the_terminal() -> None:
    Path(f"{HOSTILE.replace('/', '')}.eml").write_bytes(
        raw_mail(f"Hello {HOSTILE}", subject=f"=?utf-8?b?{'G10wO293bmVkBw=='}?= [red]evil[/red]")
    )
    shown = mailflow("parse", ".")
    assert shown.exit_code == 0
    assert [sign for sign in DRIVING if sign in shown.output] == []
    assert "[red]evil[/red]" in shown.stdout, "markup of strangers is text"


# ------------------------------------------------------------------ looking at mail


def test_parse_prints_one_json_line_a_mail_and_goes_on_after_a_bad_path() -> None:
    for number in (1, 2):
        Path(f"{number}.eml").write_bytes(question(number))
    shown = mailflow("parse", "--json", "1.eml", "nothing.eml", "2.eml")
    assert shown.exit_code == 1
    first, error, last = shown.stdout.splitlines()
    assert ParsedLine.model_validate_json(first).message_id == "q1@partner.example"
    assert ErrorLine.model_validate_json(error).file == "nothing.eml"
    assert ParsedLine.model_validate_json(last).file == "2.eml"
    assert "nothing.eml" in shown.stderr


def test_classify_prints_what_would_be_done_and_why() -> None:
    Path("1.eml").write_bytes(question(1, auto_submitted="auto-replied"))
    shown = mailflow("classify", "--json", "1.eml")
    assert shown.exit_code == 0
    line = ClassifiedLine.model_validate_json(shown.stdout)
    assert (line.file, line.action, line.replies) == ("1.eml", "none", [])
    assert line.reasons[0].code == "guard:auto_replied"


def test_standard_output_of_json_holds_nothing_else() -> None:
    Path("1.eml").write_bytes(question(1))
    assert [json.loads(line)["file"] for line in mailflow("parse", "--json", "1.eml").stdout.splitlines()] == ["1.eml"]


def test_one_bad_mail_of_a_folder_has_its_own_line_and_the_others_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2, 3):
        Path(f"{number}.eml").write_bytes(question(number))

    def line_of(name: str, content: Octets) -> BaseModel:
        if name == "2.eml":
            raise PoisonMail("reading it took longer than 20 s")
        return ErrorLine(file=name, error="")

    with pytest.raises(typer.Exit) as ended:
        cli._each_mail(["."], True, line_of, str)
    assert ended.value.exit_code == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["file"] for line in lines] == ["1.eml", "2.eml", "3.eml"]
    assert [bool(line["error"]) for line in lines] == [False, True, False]


def test_parse_answers_each_path_before_the_next_one_is_written(tmp_path: Path) -> None:
    """The conversation of docs/machine-formats.md: write a path, read its line, write the next."""
    for number in (1, 2, 3):
        (tmp_path / f"{number}.eml").write_bytes(question(number))
    command = [sys.executable, "-m", "mailflow.cli", "parse", "--json", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path, text=True) as program:
        assert program.stdin is not None and program.stdout is not None
        for path in ("1.eml", "3.eml", "2.eml"):
            program.stdin.write(f"{path}\n")
            program.stdin.flush()
            assert json.loads(program.stdout.readline())["file"] == path
        program.stdin.close()
        assert program.stdout.read() == ""
    assert program.returncode == 0


def test_a_reader_that_hangs_up_is_no_traceback(tmp_path: Path) -> None:
    """`mailflow policy show | head -1`."""
    command = f"{sys.executable} -m mailflow.cli policy show | head -1 > /dev/null"
    ended = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Traceback" not in ended.stderr


# ------------------------------------------------------------------ the desk's knowledge


def test_check_agrees_with_what_is_shipped() -> None:
    checked = mailflow("check")
    assert (checked.exit_code, checked.stderr) == (0, "")


def test_check_names_the_file_that_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of an operator: what came with mailflow, with one template too few."""
    assets = tmp_path / "assets"
    (assets / "templates").mkdir(parents=True)
    (assets / "classifiers").symlink_to(ROOT / "classifiers")
    for template in (ROOT / "templates").iterdir():
        if template.name != "nfr_request.external.md.j2":
            (assets / "templates" / template.name).symlink_to(template)
    monkeypatch.setenv("MAILFLOW_DESK__ASSETS", str(assets))
    checked = mailflow("check")
    assert checked.exit_code == 1
    assert "nfr_request.external" in one_line(checked.stderr)


def test_assets_that_are_not_there_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILFLOW_DESK__ASSETS", "/nowhere")
    refused = mailflow("policy", "show")
    assert refused.exit_code == 1
    assert "[desk] assets: /nowhere" in one_line(refused.stderr)


def test_policy_show_has_every_guard_every_row_and_what_they_let_out_at_most() -> None:
    shown = mailflow("policy", "show").stdout
    assert re.search(r"to an address +5 +5 +5 +150 *\n", shown)
    for word in ("kill_switch", "send_budget", "nfr_request.external", "machines must not talk to machines"):
        assert word in shown


def test_evaluate_counts_wrong_answers_apart() -> None:
    line = {
        "id": "1",
        "author": "a1",
        "from_addr": "ann@partner.example",
        "subject": "Out of office",
        "text": "I am away until Monday.",
        "headers": [["Auto-Submitted", "auto-replied"]],
        "lang": "en",
        "role": "partner",
        "primary": "no_request",
        "intents": ["no_request"],
        "action": "none",
    }
    Path("labelled.jsonl").write_text(json.dumps(line) + "\n")
    model = str(ROOT / "classifiers" / "model")
    shown = mailflow("evaluate", "labelled.jsonl", "--report", "report.html", "--against", model)
    assert shown.exit_code == 0
    assert "action right 100.0%" in one_line(shown.stdout)
    assert "wrong answers 0.0%" in one_line(shown.stdout)
    assert "decisions that differ 0" in one_line(shown.stdout)
    assert Path("report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_report_that_cannot_be_written_is_a_sentence() -> None:
    held_out = (ROOT / "classifiers" / "holdout" / "hard" / "a6.jsonl").read_text(encoding="utf-8").splitlines()
    Path("one.jsonl").write_text(held_out[0], encoding="utf-8")
    refused = mailflow("evaluate", "one.jsonl", "--report", "no/such/folder.html")
    assert refused.exit_code == 1
    assert "--report no/such/folder.html: No such file or directory" in one_line(refused.stderr)


def test_evaluate_without_mails_is_a_sentence() -> None:
    Path("labelled.jsonl").write_text("\n")
    refused = mailflow("evaluate", "labelled.jsonl")
    assert refused.exit_code == 1
    assert "no labelled mails" in one_line(refused.stderr)
    assert refused.exception is None or isinstance(refused.exception, SystemExit)
