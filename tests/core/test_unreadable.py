"""The defects that forbid an answer are ones that reading really reports: a word that nobody says guards nothing."""

from pathlib import Path

import pytest

from mailflow.core.policy import UNREADABLE_DEFECTS

READING = Path(__file__).parents[2] / "src" / "mailflow" / "reading"


@pytest.mark.parametrize("code", sorted(UNREADABLE_DEFECTS))
def test_reading_reports_it(code: str) -> None:
    assert any(f'"{code}"' in path.read_text(encoding="utf-8") for path in READING.glob("*.py"))
