"""The shape of the code: who may import whom, how large a module may be, what a module may be called."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "mailflow"
MODULES = sorted(SOURCE.rglob("*.py"))
LONGEST, LONG = 700, 400
"""Lines: no module is longer than LONGEST; those longer than LONG are listed by the test."""
MEANINGLESS = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc", "shared", "lib"}


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def test_imports_go_in_one_direction_only() -> None:
    """The contracts of pyproject.toml: core <- reading <- adapters, services <- bootstrap <- cli."""
    program = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " 0 broken." in ran.stdout


def test_no_module_is_too_long_to_be_read() -> None:
    sizes = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    long = {name: size for name, size in sizes.items() if size > LONG}
    for name, size in sorted(long.items(), key=lambda item: -item[1]):
        sys.stdout.write(f"{size} lines: {name}\n")
    assert {name: size for name, size in sizes.items() if size > LONGEST} == {}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_named_by_what_it_knows(path: Path) -> None:
    words = {part for word in path.relative_to(SOURCE).with_suffix("").parts for part in word.lower().split("_")}
    assert words & MEANINGLESS == set()


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=name_of)
def test_a_package_does_nothing_when_it_is_imported(path: Path) -> None:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert [node for node in body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))] == []


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "__init__.py"], ids=name_of)
def test_a_module_says_first_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, f"{name_of(path)} has no docstring"


@pytest.mark.parametrize("layer", ["core", "reading"])
def test_nothing_is_left_to_be_done_later(layer: str) -> None:
    """No stub and no note to oneself in what everything else stands on."""
    for path in (SOURCE / layer).rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not [mark for mark in ("TODO", "FIXME", "XXX", "NotImplementedError") if mark in text], path


def test_the_tests_mirror_the_layers() -> None:
    folders = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()} - {"migrations"}
    assert {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()} >= folders
