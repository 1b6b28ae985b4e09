"""A model goes to work whole, and the one before can come back."""

import json
from pathlib import Path

import pytest

from mailflow.adapters.model_folder import previous_of, promote, roll_back, version_in
from mailflow.errors import ModelError


def model(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"mailflow": {"version": version}}))
    return folder


def test_the_model_before_is_kept_and_comes_back(tmp_path: Path) -> None:
    work, other = model(tmp_path / "model", "one"), model(tmp_path / "candidate", "two")
    promote(other, work)
    assert (version_in(work), version_in(previous_of(work)), version_in(other)) == ("two", "one", "two")
    roll_back(work)
    assert (version_in(work), version_in(previous_of(work))) == ("one", "two")
    roll_back(work)
    assert version_in(work) == "two"


def test_the_first_model_has_none_before_it(tmp_path: Path) -> None:
    promote(model(tmp_path / "candidate", "one"), tmp_path / "model")
    assert version_in(tmp_path / "model") == "one"
    with pytest.raises(ModelError, match="no model before"):
        roll_back(tmp_path / "model")


def test_a_folder_without_a_model_changes_nothing(tmp_path: Path) -> None:
    work = model(tmp_path / "model", "one")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="is no model"):
        promote(tmp_path / "empty", work)
    assert version_in(work) == "one"
    assert version_in(tmp_path / "empty") == ""


def test_what_a_broken_promotion_left_behind_is_no_hindrance(tmp_path: Path) -> None:
    work = model(tmp_path / "model", "one")
    model(tmp_path / "model.new", "half")
    promote(model(tmp_path / "candidate", "two"), work)
    assert version_in(work) == "two"
