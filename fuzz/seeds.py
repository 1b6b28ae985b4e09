"""The mails that fuzzing begins with: those of tests/mails."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def paths() -> list[Path]:
    return sorted((ROOT / "tests" / "mails").glob("*.eml"))


def copy_to(folder: Path) -> None:
    """Puts them beside what earlier runs found; a name that is there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths():
        target = folder / path.name
        if not target.exists():
            target.write_bytes(path.read_bytes())
