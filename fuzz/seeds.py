"""The mails that fuzzing begins with: those of tests/mails, and the few of fuzz/corpus."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_FOLDERS = (ROOT / "tests" / "mails", ROOT / "fuzz" / "corpus")


def paths() -> list[Path]:
    return sorted(path for folder in _FOLDERS for path in folder.glob("*.eml"))


def copy_to(folder: Path) -> None:
    """Puts them beside what earlier runs found; a name that is there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths():
        target = folder / path.name
        if not target.exists():
            target.write_bytes(path.read_bytes())
