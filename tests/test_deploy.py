"""What lies in deploy/ calls commands and names settings that exist."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main
import yaml
from typer.core import TyperGroup

from mailflow.cli import app
from mailflow.settings import Settings

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def commands(words: list[str]) -> list[str]:
    """The command that `words` begin with, looked up group by group."""
    group = typer.main.get_command(app)
    found: list[str] = []
    for word in words:
        if not isinstance(group, TyperGroup) or word not in group.commands:
            break
        found.append(word)
        group = group.commands[word]
    return found


def is_setting(variable: str) -> bool:
    section, _, key = variable.removeprefix("MAILFLOW_").lower().partition("__")
    field = Settings.model_fields.get(section)
    return field is not None and key in type(field.default).model_fields


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_with_settings_that_exist(unit: Path) -> None:
    text = unit.read_text()
    (started,) = re.findall(r"^ExecStart=\S+/mailflow (.+)$", text, re.M)
    assert commands(started.split()) == started.split()[:1]
    assert all(map(is_setting, re.findall(r"MAILFLOW_\w+", text)))


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_understands_each_unit(unit: Path, tmp_path: Path) -> None:
    """With a program that exists on this machine, and of a template one desk."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("not installed: systemd")
    copy = tmp_path / unit.name.replace("@.", "@emea.")
    copy.write_text(unit.read_text().replace("/opt/mailflow/bin/mailflow", "/bin/true"))
    ran = subprocess.run([analyze, "verify", "--man=no", copy], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_may_do_little(unit: Path) -> None:
    text = unit.read_text()
    for line in (
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "ProtectSystem=strict",
        "UMask=0077",
        "User=mailflow",
    ):
        assert f"\n{line}\n" in text, line
    for path in re.findall(r"sqlite:///(\S+)/mailflow.sqlite3", text):
        assert path == "/var/lib/" + re.findall(r"^StateDirectory=(.+)$", text, re.M)[0]


@pytest.mark.parametrize("name", ["mailflow", "mailflow-web"])
def test_a_template_is_the_unit_with_a_folder_for_each_desk(name: str) -> None:
    def told(unit: Path) -> list[str]:
        return [line for line in unit.read_text().splitlines() if not line.startswith(("Description=", "# "))]

    template = "\n".join(told(DEPLOY / f"{name}@.service"))
    one_desk = template.replace("/etc/mailflow/%i", "/etc/mailflow").replace("mailflow/%i", "mailflow")
    assert one_desk.splitlines() == told(DEPLOY / f"{name}.service")


@pytest.mark.parametrize("name", [name for name, one in COMPOSE["services"].items() if one["image"] == "mailflow"])
def test_each_service_runs_a_command_with_settings_that_exist(name: str) -> None:
    service = COMPOSE["services"][name]
    plain = [word for word in service["command"] if not word.startswith("-")]
    assert commands(plain)
    assert all(map(is_setting, service["environment"]))


def test_two_workers_and_a_review_desk_on_one_database() -> None:
    services = COMPOSE["services"]
    assert services["worker"]["deploy"]["replicas"] == 2
    assert {"db", "upgrade", "worker", "web"} <= set(services)
    assert not re.search(r"image: \S+[./]\S+/", (DEPLOY / "compose.yaml").read_text()), "no registry is named"


def test_the_image_is_built_from_the_pinned_packages_and_runs_as_nobody_special() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    assert "--require-hashes" in text
    assert re.search(r"^USER mailflow$", text, re.M)
    assert re.search(r"^FROM \$\{BASE\}$", text, re.M)


def test_the_model_is_trained_where_the_image_looks_for_it() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    assert text.index("MAILFLOW_DESK__ASSETS=/opt/mailflow") < text.index("mailflow train")
    assert all(map(is_setting, re.findall(r"MAILFLOW_\w+", text)))
    assert [commands(words.split()) for words in re.findall(r"&& mailflow (\w+)", text)] == [["train"], ["check"]]
    for path in re.findall(r"^COPY (.+) \S+$", text, re.M):
        assert all((DEPLOY.parent / one).exists() for one in path.split()), path


def test_no_answer_is_cut_off_by_a_stop() -> None:
    """The final dot of an answer may take ten minutes (RFC 5321, 4.5.3.2.6)."""
    assert "TimeoutStopSec=660" in (DEPLOY / "mailflow.service").read_text()
    assert COMPOSE["services"]["worker"]["stop_grace_period"] == "11m"


@pytest.mark.parametrize("name", ["mailflow.service", "mailflow@.service"])
def test_a_stop_is_told_to_the_worker_alone(name: str) -> None:
    """By default systemd tells it to the process that reads mail as well, and stops the unit when that one is killed
    for its memory. A container's stop is told to its first process only."""
    text = (DEPLOY / name).read_text()
    assert "\nKillMode=mixed\n" in text
    assert "\nOOMPolicy=continue\n" in text


def test_every_secret_of_a_service_is_a_file_that_is_named() -> None:
    for name, service in COMPOSE["services"].items():
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"]), name
        paths = re.findall(r"/run/secrets/(\w+)", str(service["environment"]))
        assert set(paths) <= set(service["secrets"]), name
