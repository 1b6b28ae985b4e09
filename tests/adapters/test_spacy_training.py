"""Training: the same mails give the same bytes, and a training that fails leaves the old model alone."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import spacy
from tests.adapters import mails_to_learn
from tests.adapters.conftest import CONFIG, LIGHT, NOW, train_quietly

from mailflow.adapters.spacy_training import data_hash, train
from mailflow.errors import AssetError, ModelError


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_mails_give_the_same_bytes(examples: Path, light_model: Path, tmp_path: Path) -> None:
    train_quietly(examples, tmp_path / "again", LIGHT)
    assert _bytes(tmp_path / "again") == _bytes(light_model)


def test_another_process_and_number_of_cores_give_the_same_bytes(examples: Path, model: Path, tmp_path: Path) -> None:
    """Sets come in another order there."""
    code = (
        "import sys; from pathlib import Path; from tests.adapters.conftest import train_quietly;"
        "train_quietly(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    environment = os.environ | {
        "PYTHONHASHSEED": "4711",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    arguments = [sys.executable, "-c", code, str(examples), str(tmp_path / "again")]
    subprocess.run(arguments, check=True, env=environment, cwd=Path(__file__).parents[2])
    assert _bytes(tmp_path / "again") == _bytes(model)


def test_other_mails_give_another_version(examples: Path, tmp_path: Path) -> None:
    content = mails_to_learn.rows()
    content["spam"][0]["text"] = "Buy our golden watches."
    other = mails_to_learn.write(tmp_path / "examples", content)
    first, second = train_quietly(examples, tmp_path / "a", LIGHT), train_quietly(other, tmp_path / "b", LIGHT)
    assert first.version != second.version


def test_nothing_in_the_folder_is_a_pickle(model: Path) -> None:
    for path in model.rglob("*.npy"):
        assert np.load(path, allow_pickle=False).dtype.kind in "fi"
    assert not [path for path in model.rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]


def test_meta_says_what_was_learned_from_what(examples: Path, model: Path) -> None:
    meta = json.loads((model / "meta.json").read_text())["mailflow"]
    assert meta["data_sha256"] == data_hash(examples)
    assert meta["trained_at"] == NOW.isoformat()
    assert tuple(meta["labels"]) == mails_to_learn.LABELS
    assert meta["authors"] == ["w0", "w1", "w2"]
    assert meta["mails"] == sum(map(len, mails_to_learn.rows().values()))
    assert 0 < meta["answerable"] < meta["mails"]
    assert len(meta["encoder"]["weights_sha256"]) == 64


def test_the_light_model_has_no_encoder_and_no_vectors(light_model: Path) -> None:
    assert not json.loads((light_model / "meta.json").read_text())["mailflow"]["encoder"]
    assert not (light_model / "mailflow_encoder").exists()
    assert not [path for path in light_model.rglob("*.npy") if path.name == "vectors.npy" or "_dual" in path.name]


def test_progress_only_goes_forward_to_the_end(examples: Path, tmp_path: Path) -> None:
    told: list[tuple[float, float]] = []
    train_quietly(examples, tmp_path / "model", LIGHT, progress=lambda done, of: told.append((done, of)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1]


def test_cross_fitted_figures_are_those_of_a_model_that_learned(examples: Path, tmp_path: Path) -> None:
    report = train_quietly(examples, tmp_path / "model", LIGHT)
    for figure in (report.primary_accuracy, report.intent_micro_f1, report.action_accuracy):
        assert 0.8 < figure <= 1


def test_the_recommended_threshold_keeps_its_promise_where_it_can(examples: Path, tmp_path: Path) -> None:
    report = train_quietly(examples, tmp_path / "model", LIGHT)
    assert report.wrong_answers <= 0.015
    assert report.automation > 0.5


def test_figures_are_of_mails_unseen(tmp_path: Path) -> None:
    """Every third label is drawn: that can be learned by heart, but not guessed."""
    content = mails_to_learn.rows()
    for n, line in enumerate(line for lines in content.values() for line in lines):
        if n % 3 == 0:
            label = mails_to_learn.LABELS[n // 3 % 4]
            line |= {"primary": label, "intents": [label]}
    report = train_quietly(mails_to_learn.write(tmp_path / "examples", content), tmp_path / "model", LIGHT)
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
    train_quietly(mails_to_learn.write(tmp_path / "good", mails_to_learn.rows()), tmp_path / "model", LIGHT)
    before = _bytes(tmp_path / "model")
    content = mails_to_learn.rows()
    content["spam"][4]["action"] = "perhaps"
    bad = mails_to_learn.write(tmp_path / "bad", content)
    with pytest.raises(AssetError, match=r"spam\.jsonl:5: action"):
        train_quietly(bad, tmp_path / "model", LIGHT)
    assert _bytes(tmp_path / "model") == before


def test_a_new_model_takes_the_place_of_the_old_one_and_leaves_nothing_behind(examples: Path, tmp_path: Path) -> None:
    target = tmp_path / "models" / "model"
    target.mkdir(parents=True)
    (target / "left_over.txt").write_text("old")
    train_quietly(examples, target, LIGHT)
    assert [path.name for path in target.parent.iterdir()] == ["model"]
    assert not (target / "left_over.txt").exists()


def test_a_config_that_is_no_pipeline_is_refused(examples: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.cfg"
    config.write_text('[nlp]\nlang = "xx"\npipeline = ["mailflow_wrong"]\n\n[components]\n')
    with pytest.raises(AssetError, match=r"config\.cfg"):
        train(examples, config, tmp_path / "m", labels=mails_to_learn.LABELS, now=NOW, progress=lambda done, of: None)


@pytest.mark.parametrize(("config", "kernel_weight"), [(CONFIG, "0.0"), (LIGHT, "0.5")])
def test_a_kernel_without_encoder_or_an_encoder_without_kernel_is_refused(
    examples: Path, tmp_path: Path, config: Path, kernel_weight: str
) -> None:
    changed = tmp_path / "config.cfg"
    text = re.sub(r"kernel_weight = [\d.]+", f"kernel_weight = {kernel_weight}", config.read_text())
    changed.write_text(text)
    with pytest.raises(AssetError, match="kernel_weight"):
        train_quietly(examples, tmp_path / "model", changed)


def test_the_two_configurations_differ_in_the_encoder_alone() -> None:
    strong, light = (spacy.util.load_config(path) for path in (CONFIG, LIGHT))
    assert [name for name in strong["nlp"]["pipeline"] if name != "mailflow_encoder"] == light["nlp"]["pipeline"]
    for name, settings in light["components"].items():
        assert settings | {"kernel_weight": 0} == strong["components"][name] | {"kernel_weight": 0}
