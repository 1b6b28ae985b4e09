"""Training: the same mails give the same bytes, and a training that fails leaves the old model alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.adapters import mails_to_learn
from tests.adapters.conftest import CONFIG, NOW, train_quietly

from mailflow.adapters.spacy_training import data_hash, train
from mailflow.errors import AssetError, ModelError


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_mails_give_the_same_bytes(examples: Path, model: Path, tmp_path: Path) -> None:
    train_quietly(examples, tmp_path / "again")
    assert _bytes(tmp_path / "again") == _bytes(model)


def test_another_process_gives_the_same_bytes(examples: Path, model: Path, tmp_path: Path) -> None:
    """Sets come in another order there."""
    code = (
        "import sys; from pathlib import Path; from tests.adapters.conftest import train_quietly;"
        "train_quietly(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    environment = os.environ | {"PYTHONHASHSEED": "4711", "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [sys.executable, "-c", code, str(examples), str(tmp_path / "again")]
    subprocess.run(arguments, check=True, env=environment, cwd=Path(__file__).parents[2])
    assert _bytes(tmp_path / "again") == _bytes(model)


def test_other_mails_give_another_version(examples: Path, tmp_path: Path) -> None:
    content = mails_to_learn.rows()
    content["spam"][0]["text"] = "Buy our golden watches."
    other = mails_to_learn.write(tmp_path / "examples", content)
    first, second = train_quietly(examples, tmp_path / "a"), train_quietly(other, tmp_path / "b")
    assert first.version != second.version


def test_nothing_in_the_folder_is_a_pickle(model: Path) -> None:
    for path in model.rglob("*.npy"):
        assert np.load(path, allow_pickle=False).dtype == np.float32
    assert not [path for path in model.rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]


def test_meta_says_what_was_learned_from_what(examples: Path, model: Path) -> None:
    meta = json.loads((model / "meta.json").read_text())["mailflow"]
    assert meta["data_sha256"] == data_hash(examples)
    assert meta["trained_at"] == NOW.isoformat()
    assert tuple(meta["labels"]) == mails_to_learn.LABELS
    assert meta["authors"] == ["w0", "w1", "w2"]
    assert meta["mails"] == sum(map(len, mails_to_learn.rows().values()))


def test_cross_fitted_figures_are_those_of_a_model_that_learned(examples: Path, tmp_path: Path) -> None:
    report = train_quietly(examples, tmp_path / "model")
    for figure in (report.primary_accuracy, report.intent_micro_f1, report.action_accuracy):
        assert 0.8 < figure <= 1


def test_the_recommended_threshold_keeps_its_promise_where_it_can(examples: Path, tmp_path: Path) -> None:
    report = train_quietly(examples, tmp_path / "model")
    assert report.wrong_answers <= 0.015
    assert report.automation > 0.5


def test_figures_are_of_mails_unseen(tmp_path: Path) -> None:
    """Every third label is drawn: that can be learned by heart, but not guessed."""
    content = mails_to_learn.rows()
    for n, line in enumerate(line for lines in content.values() for line in lines):
        if n % 3 == 0:
            label = mails_to_learn.LABELS[n // 3 % 4]
            line |= {"primary": label, "intents": [label]}
    report = train_quietly(mails_to_learn.write(tmp_path / "examples", content), tmp_path / "model")
    assert report.primary_accuracy < 0.8


def test_an_intent_without_examples_is_refused(examples: Path, tmp_path: Path) -> None:
    labels = (*mails_to_learn.LABELS, "rebate")
    with pytest.raises(ModelError, match="no examples for rebate"):
        train(examples, CONFIG, tmp_path / "model", labels=labels, now=NOW, progress=lambda done, of: None)


def test_an_intent_that_the_playbook_does_not_have_is_refused(examples: Path, tmp_path: Path) -> None:
    labels = mails_to_learn.LABELS[1:]
    with pytest.raises(ModelError, match="nfr_request"):
        train(examples, CONFIG, tmp_path / "model", labels=labels, now=NOW, progress=lambda done, of: None)


def test_a_bad_row_is_named_by_file_and_line_and_the_old_model_stays(model: Path, tmp_path: Path) -> None:
    train_quietly(mails_to_learn.write(tmp_path / "good", mails_to_learn.rows()), tmp_path / "model")
    before = _bytes(tmp_path / "model")
    content = mails_to_learn.rows()
    content["spam"][4]["action"] = "perhaps"
    bad = mails_to_learn.write(tmp_path / "bad", content)
    with pytest.raises(AssetError, match=r"spam\.jsonl:5: action"):
        train_quietly(bad, tmp_path / "model")
    assert _bytes(tmp_path / "model") == before


def test_a_new_model_takes_the_place_of_the_old_one_and_leaves_nothing_behind(examples: Path, tmp_path: Path) -> None:
    target = tmp_path / "models" / "model"
    target.mkdir(parents=True)
    (target / "left_over.txt").write_text("old")
    train_quietly(examples, target)
    assert [path.name for path in target.parent.iterdir()] == ["model"]
    assert not (target / "left_over.txt").exists()


def test_a_config_that_is_no_pipeline_is_refused(examples: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.cfg"
    config.write_text('[nlp]\nlang = "xx"\npipeline = ["mailflow_wrong"]\n\n[components]\n')
    with pytest.raises(AssetError, match=r"config\.cfg"):
        train(examples, config, tmp_path / "m", labels=mails_to_learn.LABELS, now=NOW, progress=lambda done, of: None)
