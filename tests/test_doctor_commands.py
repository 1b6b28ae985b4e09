"""`mailflow doctor` and `mailflow pseudonym` without servers; the settings of logs, metrics and logins that end."""

import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from mailflow import bootstrap, checkup, cli
from mailflow.core.alarms import Credential
from mailflow.core.findings import Finding, Status
from mailflow.errors import SettingsError
from mailflow.logs import QUIET, pseudonym
from mailflow.services.doctor import Check, examine
from mailflow.settings import LogSettings, MetricsSettings, read_settings
from mailflow.testing import NOON, FrozenClock

NAMES = (
    "settings secrets knowledge model store disk imap_names imap_tls imap_login imap_folders smtp_names smtp_tls "
    "smtp_login mail_to_ourselves clock"
).split()


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An empty working directory, a wide terminal, no settings of the machine; logging as it was before."""
    for name in [name for name in os.environ if name.upper().startswith("MAILFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()


def mailflow(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, arguments)


def toml(text: str) -> Path:
    path = Path("mailflow.toml")
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def finding(name: str, now: datetime = NOON) -> Finding:
    """Of the check `name` alone."""
    wanted = [Check(one.name, one.examine) for one in checkup.checks(None, send=False, clock=FrozenClock(now))]
    return next(result.finding for result in examine([one for one in wanted if one.name == name]))


# ------------------------------------------------------------------ the command


@pytest.fixture
def no_assets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing to load: the model costs seconds."""
    monkeypatch.setenv("MAILFLOW_DESK__ASSETS", str(tmp_path))


@pytest.mark.usefixtures("no_assets")
def test_a_desk_that_nobody_has_set_up_is_told_what_to_fill_in() -> None:
    result = mailflow("doctor")
    assert result.exit_code == 1
    assert "[imap] host is not set" in result.stdout and "`mailflow init` writes a mailflow.toml" in result.stdout
    assert "because of: imap names" in result.stdout
    assert result.stdout.splitlines()[-1] == "doctor: 3 ok, 0 warning, 4 failed, 8 skipped"


def test_with_json_each_check_is_one_line_and_nothing_else_is_printed() -> None:
    result = mailflow("doctor", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [line["check"].replace(" ", "_") for line in lines] == NAMES
    assert [set(line) for line in lines] == [{"check", "status", "found", "to_do"}] * len(NAMES)
    assert [line["check"] for line in lines if line["status"] == "failed"] == ["imap names", "smtp names"]
    assert all(line["to_do"] for line in lines if line["status"] in ("failed", "warning"))


@pytest.mark.usefixtures("no_assets")
def test_looking_leaves_nothing_behind(tmp_path: Path) -> None:
    mailflow("doctor")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_setting_is_told_and_all_that_needs_it_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILFLOW_IMAP__PORT", "many")
    lines = [json.loads(line) for line in mailflow("doctor", "--json").stdout.splitlines()]
    assert lines[0]["status"] == "failed" and "[imap] port" in lines[0]["found"]
    assert {line["status"] for line in lines[1:]} == {"skipped"}


def test_a_file_that_is_not_there_is_told() -> None:
    result = mailflow("doctor", "--config", "nowhere.toml", "--json")
    assert "nowhere.toml does not exist" in json.loads(result.stdout.splitlines()[0])["found"]


def test_the_pseudonym_is_the_one_of_this_store() -> None:
    first, again = mailflow("pseudonym", "ann@partner.example"), mailflow("pseudonym", "Ann@Partner.example")
    store = bootstrap.build_store(read_settings(None))
    assert first.stdout == again.stdout == pseudonym("ann@partner.example", store.key("log")) + "\n"
    store.close()


def test_of_commands_that_look_warnings_are_heard_on_standard_error_alone(capsys: pytest.CaptureFixture[str]) -> None:
    mailflow("policy", "show")
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    captured = capsys.readouterr()
    assert captured.out == "" and "quiet" not in captured.err and "loud" in captured.err


# ------------------------------------------------------------------ secrets


def test_a_login_without_a_password_is_told() -> None:
    toml('[imap]\nusername = "desk"\n[smtp]\nusername = ""\n')
    found = finding("secrets")
    assert found.status is Status.FAILED
    assert found.found == "[imap] has a username and no password" and "[imap] password_file" in found.to_do


@pytest.mark.parametrize(("mode", "status"), [(0o600, Status.OK), (0o644, Status.WARNING)])
@pytest.mark.parametrize("section", ["imap", "smtp", "mailboxes.second"])
def test_a_settings_file_with_a_password_in_it_is_a_secret(section: str, mode: int, status: Status) -> None:
    toml(f'[{section}]\npassword = "hunter2"\n').chmod(mode)
    found = finding("secrets")
    assert found.status is status and "mailflow.toml" in found.found and "hunter2" not in found.found


def test_a_settings_file_without_a_secret_may_be_read_by_all() -> None:
    toml('[imap]\nusername = ""\n').chmod(0o644)
    assert finding("secrets").status is Status.SKIPPED


def test_a_password_file_that_is_not_there_is_told_by_its_setting() -> None:
    toml('[smtp]\nusername = "desk"\npassword_file = "nowhere"\n')
    found = finding("secrets")
    assert found.status is Status.FAILED and found.found == "[smtp] password_file: nowhere cannot be read"


def test_a_login_that_ends_soon_is_a_warning() -> None:
    toml("[imap]\nlogin_expires = 2026-03-09\n")
    found = finding("secrets")
    assert found.status is Status.WARNING
    assert found.found == "the login of [imap] ends in 6 days, on 2026-03-09"
    assert "[imap] login_expires" in found.to_do
    assert finding("secrets", NOON - timedelta(days=30)).status is Status.SKIPPED


# ------------------------------------------------------------------ settings


def test_the_end_of_a_login_is_a_day_of_its_section() -> None:
    path = toml("[imap]\nlogin_expires = 2027-01-31\n[mailboxes.second]\nlogin_expires = 2027-02-28\n")
    credentials = read_settings(path).credentials
    assert [(one.name, one.expires_at) for one in credentials] == [
        ("the login of [imap]", datetime(2027, 1, 31, tzinfo=UTC)),
        ("the login of [mailboxes.second]", datetime(2027, 2, 28, tzinfo=UTC)),
    ]


def test_the_environment_can_say_when_a_login_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILFLOW_SMTP__LOGIN_EXPIRES", "2027-01-31")
    (credential,) = read_settings(None).credentials
    assert isinstance(credential, Credential) and credential.name == "the login of [smtp]"


def test_where_nobody_said_when_a_login_ends_nothing_is_known() -> None:
    assert read_settings(None).credentials == ()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[imap]\nlogin_expires = "soon"\n', "[imap] login_expires"),
        ('[log]\nformat = "xml"\n', "[log] format: Input should be 'json' or 'console'"),
        ('[log]\nlevel = "loud"\n', "[log] level"),
        ("[metrics]\nport = 65536\n", "[metrics] port"),
        ("[metrics]\nport = -1\n", "[metrics] port"),
    ],
)
def test_a_wrong_setting_is_named(text: str, where: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(toml(text))
    assert where in str(caught.value)


def test_as_it_comes_it_logs_for_machines_and_listens_nowhere() -> None:
    settings = read_settings(None)
    assert settings.log == LogSettings(format="json", level="info")
    assert settings.metrics == MetricsSettings(host="127.0.0.1", port=0)
