"""The mails of tests/mails: how many there are, and how many of them are against the standards (`bad_`)."""

from pathlib import Path

MAILS = Path(__file__).parents[1] / "mails"
ENOUGH = 140


def test_there_are_enough_mails_and_every_third_is_malformed() -> None:
    names = [path.stem for path in MAILS.glob("*.eml")]
    assert len(names) >= ENOUGH
    assert 3 * sum(name.startswith("bad_") for name in names) >= len(names)
