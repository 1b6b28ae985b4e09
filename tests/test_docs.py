"""The documentation promises: what the program has is described, and what is described exists.

Tables and diagrams that can be made from the code are made here, and required word for word.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import pytest
import typer.main
from pydantic import SecretStr
from typer.core import TyperCommand, TyperGroup, TyperOption

from mailflow.adapters.assets import load_playbook
from mailflow.cli import app
from mailflow.core.delivery import INBOUND_TRANSITIONS, OUTBOX_TRANSITIONS
from mailflow.core.playbook import FACTS
from mailflow.core.policy import GUARDS, SEND_GUARDS, Guard
from mailflow.settings import HookSettings, Settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "demo").glob("*.md")])
INTENTS = [(one.intent, one.title) for one in load_playbook(ROOT / "classifiers").intents.values()]


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def user_pages() -> str:
    return "\n".join(page(str(path)) for path in PAGES if path == ROOT / "README.md" or path.parent.name == "docs")


# ---------------------------------------------------------------------- commands


def commands(group: TyperGroup, name: str = "mailflow") -> Iterator[tuple[str, TyperCommand]]:
    """(`mailflow threads list`, the command) for each command that does something."""
    for word, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, f"{name} {word}")
        elif isinstance(command, TyperCommand):
            yield f"{name} {word}", command


COMMANDS = dict(commands(typer.main.get_group(app)))


def section(text: str, heading: str) -> str:
    """What stands between `heading` and the next heading; '' where there is no such heading."""
    _, found, rest = text.partition(f"\n{heading}\n")
    return re.split(r"^#+ ", rest, maxsplit=1, flags=re.M)[0] if found else ""


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_its_section_with_an_example_and_all_its_options(name: str) -> None:
    told = section(page("docs/commands.md"), f"### `{name}`")
    assert told, f"docs/commands.md has no section ### `{name}`"
    assert any(line.split(" #")[0].startswith(name) for line in code_lines(told)), "there is no example"
    for parameter in COMMANDS[name].params:
        names = parameter.opts if isinstance(parameter, TyperOption) else [(parameter.name or "").upper()]
        for word in names:
            assert f"`{word}" in told, word


def test_no_section_describes_a_command_that_is_gone() -> None:
    assert set(re.findall(r"^### `(mailflow [^`]+)`$", page("docs/commands.md"), re.M)) == set(COMMANDS)


def code_lines(text: str) -> Iterator[str]:
    """The lines of fenced blocks that are typed into a shell."""
    for block in re.findall(r"^```(?:sh|console)\n(.*?)^```", text, re.M | re.S):
        yield from (line.strip().removeprefix("$ ") for line in block.splitlines())


def typed() -> list[tuple[str, str]]:
    """Every command line of mailflow in the documentation, with its page."""
    return [
        (path.name, line.removeprefix(".venv/bin/"))
        for path in PAGES
        for line in code_lines(page(str(path)))
        if line.removeprefix(".venv/bin/").startswith("mailflow ")
    ]


@pytest.mark.parametrize(("where", "line"), typed())
def test_each_command_line_in_the_documentation_parses(where: str, line: str) -> None:
    words = shlex.split(re.split(r" [|>] ", line)[0], comments=True)
    depth = max((n for n in range(1, len(words) + 1) if " ".join(words[:n]) in COMMANDS), default=0)
    assert depth, f"{where}: there is no command {line}"
    command = COMMANDS[" ".join(words[:depth])]
    assert command.make_context(" ".join(words[:depth]), words[depth:]), where


# ---------------------------------------------------------------------- settings


def setting_rows() -> Iterator[str]:
    """`| key | environment | default |`: how the row of each setting begins in docs/configuration.md."""
    for section_name, section_field in Settings.model_fields.items():
        values = section_field.default
        if isinstance(values, dict):  # [mailboxes.NAME] has the keys of [imap]; [hooks.NAME] has a table of its own
            continue
        for key in type(values).model_fields:
            environment = f"MAILFLOW_{section_name}__{key}".upper()
            yield f"| `{key}` | `{environment}` | {default_text(getattr(values, key))} |"


def default_text(value: object) -> str:
    match value:
        case SecretStr() | None | "" | ():
            return "empty"
        case bool():
            return f"`{str(value).lower()}`"
        case tuple():
            return ", ".join(f"`{one}`" for one in value)
        case _:
            return f"`{value}`"


@pytest.mark.parametrize("key", HookSettings.model_fields)
def test_each_key_of_another_system_is_described(key: str) -> None:
    assert f"| `{key}` | " in section(page("docs/configuration.md"), "## Other systems")


@pytest.mark.parametrize("row", list(setting_rows()))
def test_each_setting_is_described_with_its_default(row: str) -> None:
    assert row in page("docs/configuration.md")


def test_no_setting_is_described_that_does_not_exist() -> None:
    described = set(re.findall(r"MAILFLOW_[A-Z]+__[A-Z_]+", user_pages()))
    assert described == set(re.findall(r"MAILFLOW_[A-Z]+__[A-Z_]+", "\n".join(setting_rows())))


# ---------------------------------------------------------------------- guards, facts, intents, states


def guard_table(guards: Sequence[Guard]) -> str:
    rows = [f"| {n} | `{guard.name}` | {guard.outcome.value} | {guard.why} |" for n, guard in enumerate(guards, 1)]
    return "\n".join(["| | Guard | Then | Why |", "|---|---|---|---|", *rows]) + "\n"


@pytest.mark.parametrize("guards", [GUARDS, SEND_GUARDS], ids=["of every mail", "of answers"])
def test_the_guards_are_told_in_their_order(guards: Sequence[Guard]) -> None:
    assert f"\n\n{guard_table(guards)}\n" in page("docs/architecture.md")


@pytest.mark.parametrize("fact", FACTS)
def test_each_fact_is_told_in_the_words_of_the_program(fact: str) -> None:
    assert f"| `{fact}` | {FACTS[fact]} |" in page("docs/reading.md")


def test_each_intent_is_told_with_its_title() -> None:
    pages = user_pages()
    assert [name for name, title in INTENTS if f"| `{name}` | {title} |" not in pages] == []


def state_diagram(transitions: Mapping[StrEnum, frozenset[StrEnum]]) -> str:
    """Mermaid of a transition table: from its first state on, in the order in which the states are declared."""
    start, *_ = transitions
    order = list(type(start))
    lines = [f"[*] --> {start}"]
    for state in order:
        lines += [f"{state} --> {one}" for one in order if one in transitions[state]]
        lines += [f"{state} --> [*]"] * (not transitions[state])
    return "\n".join(["```mermaid", "stateDiagram-v2", *(f"    {line}" for line in lines), "```"]) + "\n"


@pytest.mark.parametrize("transitions", [INBOUND_TRANSITIONS, OUTBOX_TRANSITIONS], ids=["inbound", "outbox"])
def test_the_state_diagrams_are_the_tables(transitions: Mapping[StrEnum, frozenset[StrEnum]]) -> None:
    assert f"\n\n{state_diagram(transitions)}\n" in page("docs/architecture.md")


# ---------------------------------------------------------------------- links, files, the readme


def targets(text: str) -> Iterator[str]:
    """Where links and pictures of a page lead, code left out."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    yield from re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose))


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings as code hosts make them: lower case, blanks to hyphens, punctuation gone."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_relative_link_leads_somewhere(path: Path) -> None:
    for target in targets(page(str(path))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        found = path.parent / file if file else path
        assert found.exists(), target
        assert not anchor or anchor in anchors(page(str(found))), target


def test_each_page_that_the_program_names_exists() -> None:
    """`--help` and docstrings send people to docs/; the page must be there."""
    named = {
        name
        for path in (ROOT / "src").rglob("*.py")
        for name in re.findall(r"\bdocs/[\w-]+\.md\b", path.read_text(encoding="utf-8"))
    }
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_each_file_that_the_architecture_names_exists() -> None:
    named = re.findall(r"`((?:src|tests|classifiers|templates|tools)/[\w./-]+)`", page("docs/architecture.md"))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_readme_names_the_two_targets_and_no_other() -> None:
    assert set(re.findall(r"\bmake [a-z]+\b(?=[`\s])", page("README.md"))) == {"make demo", "make test"}


def test_each_target_that_is_named_is_in_the_makefile() -> None:
    has = set(re.findall(r"^([a-z]+):", page("Makefile"), re.M))
    named = {name for path in PAGES for name in re.findall(r"`make ([a-z]+)", page(str(path)))}
    assert named <= has
    assert has - named <= {"help", "servers"}
