"""A model's folder: its name, its version, and how it takes the place of the one before.

Rule: the same mails give the same bytes. Rule: no reader ever sees half a model.
"""

import hashlib
import json
import shutil
from importlib.metadata import version as version_of
from pathlib import Path

from spacy.language import Language

from mailflow.errors import ModelError

LIBRARIES = ("spacy", "scikit-learn", "scipy", "numpy")


def libraries() -> dict[str, str]:
    """Name -> version of what the arithmetic rests on."""
    return {name: version_of(name) for name in LIBRARIES}


def model_version(data_sha256: str, config_path: Path) -> str:
    """Of the mails, the configuration (it holds the encoder's hash) and the libraries."""
    parts = {"data": data_sha256, "config": config_path.read_text(encoding="utf-8"), **libraries()}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def write_model(nlp: Language, model_dir: Path) -> None:
    """Into a neighbour first, then one rename."""
    fresh, old = model_dir.with_name(model_dir.name + ".new"), model_dir.with_name(model_dir.name + ".old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    nlp.to_disk(fresh)
    _in_order(fresh / "sentencizer.json")
    if model_dir.exists():
        model_dir.rename(old)
    fresh.rename(model_dir)
    shutil.rmtree(old, ignore_errors=True)


def promote(candidate: Path, model_dir: Path) -> None:
    """Put a copy of `candidate` in place of the model; the one before stays beside it, for `roll_back`.

    Raises ModelError where it is no model.
    """
    if not (candidate / "meta.json").is_file():
        raise ModelError(f"{candidate}: is no model; `mailflow train --into {candidate}` makes one")
    fresh, previous = model_dir.with_name(model_dir.name + ".new"), previous_of(model_dir)
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(candidate, fresh)
    shutil.rmtree(previous, ignore_errors=True)
    if model_dir.exists():
        model_dir.rename(previous)
    fresh.rename(model_dir)


def roll_back(model_dir: Path) -> None:
    """Exchange the model and the one before: twice is where it was. Raises ModelError where there is none before."""
    previous, aside = previous_of(model_dir), model_dir.with_name(model_dir.name + ".aside")
    if not (previous / "meta.json").is_file():
        raise ModelError(f"{previous}: there is no model before this one")
    shutil.rmtree(aside, ignore_errors=True)
    model_dir.rename(aside)
    previous.rename(model_dir)
    aside.rename(previous)


def previous_of(model_dir: Path) -> Path:
    return model_dir.with_name(model_dir.name + ".previous")


def version_in(model_dir: Path) -> str:
    """'' where there is no model."""
    file = model_dir / "meta.json"
    if not file.is_file():
        return ""
    meta = json.loads(file.read_text(encoding="utf-8"))
    return str(meta["mailflow"]["version"])


def _in_order(file: Path) -> None:
    """spaCy writes the sentencizer's set of marks as it comes, each process in another order."""
    document = json.loads(file.read_text(encoding="utf-8"))
    document["punct_chars"].sort()
    file.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
