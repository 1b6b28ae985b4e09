"""What lies in deploy/ calls commands and names settings that exist."""

import re
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
