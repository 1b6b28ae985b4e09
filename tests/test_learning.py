"""Trained, certified on mails held out, judged by labelled ones: on a small desk of four intents."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.adapters import mails_to_learn

from mailflow import bootstrap, learning
from mailflow.adapters.certificates import load_certificate, read_certificate, write_certificate
from mailflow.adapters.examples import read_examples
from mailflow.adapters.spacy_classifier import SpacyClassifier
from mailflow.core.certify import Certificate
from mailflow.core.classification import Action
from mailflow.core.evaluation import Verdict
from mailflow.errors import AssetError, ModelError
from mailflow.settings import DeskSettings, Settings
from mailflow.testing import FixedClassifier, classification

ROOT = Path(__file__).parents[1]
KNOWN = [*mails_to_learn.LABELS, "_defaults"]


def quietly(done: float, of: float) -> None:
    """No bar."""


def held_out() -> dict[str, list[dict[str, Any]]]:
    """The examples in other words, each twice, so that none of them was learned from."""
    return {
        stem: [
            {**row, "id": f"held-{n}-{row['id']}", "text": f"{row['text']} {tail}"}
            for n, tail in enumerate(("So far for today.", "That is all for now."))
            for row in rows
        ]
        for stem, rows in mails_to_learn.rows().items()
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Assets with a trained model and its certificate."""
    root = tmp_path_factory.mktemp("desk")
    shutil.copytree(ROOT / "templates", root / "templates")
    classifiers = root / "classifiers"
    (classifiers / "intents").mkdir(parents=True)
    for name in KNOWN:
        shutil.copy(ROOT / "classifiers" / "intents" / f"{name}.yaml", classifiers / "intents")
    for name in ("links.yaml", "slots.yaml", "config.cfg"):
        shutil.copy(ROOT / "classifiers" / name, classifiers)
    mails_to_learn.write(classifiers / "examples", mails_to_learn.rows())
    mails_to_learn.write(classifiers / "holdout", held_out())
    learning.train_model(settings_of(root), quietly)
    return root


@pytest.fixture
def desk(trained: Path, tmp_path: Path) -> Path:
    """A copy of one's own."""
    return shutil.copytree(trained, tmp_path / "desk")


def settings_of(root: Path) -> Settings:
    return Settings(desk=DeskSettings(assets=root))


def model_of(root: Path) -> Path:
    return root / "classifiers" / "model"


def shown(root: Path) -> Certificate:
    found = load_certificate(model_of(root))
    assert found is not None
    return found


# ------------------------------------------------------------------ training and certifying


def test_a_trained_model_has_a_certificate_of_its_own(trained: Path) -> None:
    found, holdout = shown(trained), read_examples(trained / "classifiers" / "holdout")
    assert found.model_version == SpacyClassifier(model_of(trained)).version
    assert (found.n, found.holdout_sha256) == (len(holdout.examples), holdout.sha256)
    assert found.threshold is not None, "its mails are easy"
    assert found.answered > 0


def test_certifying_again_says_the_same(desk: Path) -> None:
    before = shown(desk)
    assert learning.certify_model(settings_of(desk), quietly) == before == shown(desk)


def test_the_certificate_replaces_one_of_another_model(desk: Path) -> None:
    """Else nobody could ever mend it."""
    write_certificate(model_of(desk), shown(desk).model_copy(update={"model_version": "other", "threshold": None}))
    assert learning.certify_model(settings_of(desk), quietly).model_version != "other"


def test_a_mail_that_was_learned_from_cannot_be_held_out(desk: Path) -> None:
    leaked = mails_to_learn.rows()["spam"][:1]
    mails_to_learn.write(desk / "classifiers" / "holdout", {"leaked": leaked})
    with pytest.raises(AssetError, match=r"spam-0: a mail among the examples cannot be held out too"):
        learning.certify_model(settings_of(desk), quietly)


def test_without_held_out_mails_nothing_is_certified(desk: Path) -> None:
    shutil.rmtree(desk / "classifiers" / "holdout")
    with pytest.raises(AssetError, match=r"no held-out mail is here.*docs/evaluating\.md"):
        learning.certify_model(settings_of(desk), quietly)
    _, certificate = learning.train_model(settings_of(desk), quietly)
    assert certificate is None
    assert load_certificate(model_of(desk)) is None, "the old one went with the old model"


# ------------------------------------------------------------------ at work


def test_the_desk_works_under_its_models_certificate(trained: Path) -> None:
    _, playbook = bootstrap.build_understanding(bootstrap.find_assets(settings_of(trained)))
    assert playbook.certificate == shown(trained)


def test_the_desk_does_not_start_with_the_certificate_of_another_model(desk: Path) -> None:
    write_certificate(model_of(desk), shown(desk).model_copy(update={"model_version": "other"}))
    with pytest.raises(ModelError, match="is of model other"):
        bootstrap.build_understanding(bootstrap.find_assets(settings_of(desk)))


def test_a_model_from_elsewhere_has_no_certificate(trained: Path) -> None:
    found, elsewhere = bootstrap.find_assets(settings_of(trained)), FixedClassifier(classification())
    classifier, playbook = bootstrap.build_understanding(found, classifier=elsewhere)
    assert classifier is elsewhere
    assert playbook.certificate is None


def told(root: Path) -> list[str]:
    """What `mailflow check` says of the certificate."""
    return [one.sentence for one in bootstrap.check_assets(settings_of(root)) if one.file.endswith("certificate.json")]


def lower_confidence(root: Path) -> None:
    file = root / "classifiers" / "intents" / "_defaults.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("max_pathless_doubt: 0.", "max_pathless_doubt: 0.9"), encoding="utf-8")


def more_held_out(root: Path) -> None:
    rows = [{**row, "text": f"{row['text']} Once more."} for row in held_out()["spam"]]
    mails_to_learn.write(root / "classifiers" / "holdout", {"more": rows})


def refused(root: Path) -> None:
    write_certificate(model_of(root), shown(root).model_copy(update={"threshold": None}))


def of_another(root: Path) -> None:
    write_certificate(model_of(root), shown(root).model_copy(update={"model_version": "other"}))


def missing(root: Path) -> None:
    (model_of(root) / "certificate.json").unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (missing, "is missing"),
        (of_another, "is of model other"),
        (more_held_out, "other held-out mails"),
        (lower_confidence, "other rules"),
        (refused, "until then nothing is answered"),
    ],
)
def test_check_says_when_the_certificate_does_not_hold(desk: Path, change: Callable[[Path], None], words: str) -> None:
    assert told(desk) == []
    change(desk)
    (sentence,) = told(desk)
    assert words in sentence


# ------------------------------------------------------------------ judging


def test_labelled_mails_are_judged_in_their_order(trained: Path) -> None:
    holdout = trained / "classifiers" / "holdout"
    files = [holdout / "spam.jsonl", holdout / "nfr_request.jsonl"]
    found = learning.evaluate_model(settings_of(trained), files, quietly)
    names = [json.loads(line)["id"] for file in files for line in file.read_text().splitlines()]
    assert [one.label.name for one in found.ours.judged] == names
    assert found.ours.certificate == shown(trained)
    assert found.mails == ("spam.jsonl", "nfr_request.jsonl")
    assert found.is_calibration
    assert {len(draw) for draw in found.draws} == {len(names)}
    assert found.theirs is None


def test_a_label_has_its_primary_intent_first(trained: Path, tmp_path: Path) -> None:
    row = mails_to_learn.row("portal_access", "An NFR key and a login.", 1, intents=["nfr_request", "portal_access"])
    (file,) = mails_to_learn.write(tmp_path, {"one": [{**row, "pair": "p1", "lang": "de"}]}).glob("one.jsonl")
    found = learning.evaluate_model(settings_of(trained), [file], quietly)
    label = found.ours.judged[0].label
    assert (label.intents, label.pair, label.language) == (("portal_access", "nfr_request"), "p1", "de")
    assert not found.is_calibration


def test_the_kill_switch_does_not_hide_what_the_model_would_do(desk: Path) -> None:
    file = desk / "classifiers" / "intents" / "_defaults.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("kill_switch: false", "kill_switch: true"))
    held = desk / "classifiers" / "holdout" / "nfr_request.jsonl"
    found = learning.evaluate_model(settings_of(desk), [held], quietly).ours
    assert Action.REPLY in {one.decision.action for one in found.judged}


def test_another_model_is_judged_on_the_same_mails_under_its_own_certificate(trained: Path, desk: Path) -> None:
    refused(desk)
    file = trained / "classifiers" / "holdout" / "nfr_request.jsonl"
    found = learning.evaluate_model(settings_of(trained), [file], quietly, against=model_of(desk))
    assert found.theirs is not None
    assert [one.label for one in found.ours.judged] == [one.label for one in found.theirs.judged]
    assert Verdict.RIGHT_REPLY in {one.verdict for one in found.ours.judged}
    assert {one.decision.action for one in found.theirs.judged} == {Action.REVIEW}, "its bound was refused"


def test_a_folder_without_a_model_is_a_sentence(trained: Path, tmp_path: Path) -> None:
    file = trained / "classifiers" / "holdout" / "spam.jsonl"
    with pytest.raises(ModelError, match="holds no model"):
        learning.evaluate_model(settings_of(trained), [file], quietly, against=tmp_path)


def test_the_report_is_written_to_its_file(trained: Path, tmp_path: Path) -> None:
    file = trained / "classifiers" / "holdout" / "spam.jsonl"
    found = learning.evaluate_model(settings_of(trained), [file], quietly)
    learning.write_report(found, tmp_path / "report.html")
    written = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert found.ours.model_version in written
    with pytest.raises(AssetError, match="--report"):
        learning.write_report(found, tmp_path / "no such folder" / "report.html")


def test_a_read_certificate_is_the_written_one(trained: Path) -> None:
    version = SpacyClassifier(model_of(trained)).version
    assert read_certificate(model_of(trained), version=version) == shown(trained)
