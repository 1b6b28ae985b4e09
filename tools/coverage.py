"""Writes docs/coverage.md: which rule acts where, and which tests hold it (mailflow.core.coverage).

.venv/bin/python tools/coverage.py: writes the page and says what is missing; ends with 1 where something is.
"""

import sys
from pathlib import Path

from pydantic import TypeAdapter

from mailflow.adapters.assets import load_links, load_playbook, validated
from mailflow.adapters.canned import load_canned
from mailflow.core.coverage import Sources, coverage, page, problems

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "coverage.md"


def read_sources(root: Path = ROOT) -> Sources:
    """Everything under `root` that cites rules. Raises AssetError."""
    classifiers = root / "classifiers"
    return Sources(
        words=validated(TypeAdapter(dict[str, str]), classifiers / "rules.yaml"),
        playbook=load_playbook(classifiers),
        links=load_links(classifiers),
        canned=load_canned(classifiers),
        modules=_texts(root, "src/mailflow"),
        tests=_texts(root, "tests"),
    )


def _texts(root: Path, folder: str) -> dict[str, str]:
    """Path below `root` -> text of each Python file in `folder`."""
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted((root / folder).rglob("*.py"))
    }


def main() -> int:
    rows = coverage(read_sources())
    PAGE.write_text(page(rows), encoding="utf-8")
    found = problems(rows)
    sys.stdout.writelines(f"{one}\n" for one in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
