"""Rule 14: templates, classifiers and sample mails travel in the wheel; installed elsewhere it runs from there."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mailflow.core.message import Role

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the wheel's content and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = f"import sys; sys.path.insert(0, {str(installed)!r}); from mailflow.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=installed.parent, capture_output=True, text=True, check=False
    )


def test_the_installed_desk_is_whole(installed: Path) -> None:
    checked = run(installed, "check")
    assert checked.returncode == 0, checked.stderr


def test_the_installed_desk_classifies_its_own_samples(installed: Path) -> None:
    sample = installed / "mailflow" / "_assets" / "demo" / "mails" / "01-nfr-for-the-lab.eml"
    done = run(installed, "classify", "--json", str(sample))
    assert done.returncode == 0, done.stderr
    assert '"intent":"nfr_request"' in done.stdout
    assert Role.UNKNOWN.value in done.stdout or Role.PARTNER.value in done.stdout
