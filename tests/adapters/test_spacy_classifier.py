"""The classifier at work: what it says can be stored, shown and trusted to stay the same."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.adapters import mails_to_learn

from mailflow.adapters.features import whole_text
from mailflow.adapters.spacy_classifier import SpacyClassifier
from mailflow.core.classification import Action, ClassifierInput
from mailflow.core.message import Role
from mailflow.errors import ModelError


@pytest.fixture(scope="module", params=["strong", "light"])
def folder(request: pytest.FixtureRequest, model: Path, light_model: Path) -> Path:
    return model if request.param == "strong" else light_model


@pytest.fixture(scope="module")
def classifier(folder: Path) -> SpacyClassifier:
    return SpacyClassifier(folder)


def _mail(content: str, subject: str = "") -> ClassifierInput:
    return ClassifierInput(
        subject=subject, content=content, role=Role.UNKNOWN, is_authenticated_internal=False, language="en"
    )


NFR = _mail("Hello,\n\nwhere do we ask for an NFR key? It is for the demo server.", "lab licence")
LOCKED = _mail("My account is locked and the password reset never arrives!")
BOTH = _mail("Two things: an NFR key for the demo server and also a portal login for a new colleague. Round 9.")
OFFER = _mail("Cheap leads for your sales team, a list of buyers to purchase.")


def test_mails_unlike_any_example_word_for_word_are_understood(classifier: SpacyClassifier) -> None:
    said = classifier.classify([NFR, LOCKED, OFFER])
    assert [one.intents[0].intent for one in said] == ["nfr_request", "portal_problem", "spam"]
    assert [one.actions.best for one in said] == [Action.REPLY, Action.REVIEW, Action.NONE]


def test_the_role_is_what_the_text_claims(classifier: SpacyClassifier) -> None:
    assert [one.role for one in classifier.classify([NFR, OFFER])] == [Role.PARTNER, Role.UNKNOWN]


def test_a_mail_with_two_requests_has_two_intents(classifier: SpacyClassifier) -> None:
    (said,) = classifier.classify([BOTH])
    assert {one.intent for one in said.intents} == {"nfr_request", "portal_access"}


def test_no_mails_give_no_classifications(classifier: SpacyClassifier) -> None:
    assert classifier.classify([]) == []


def test_an_empty_mail_is_classified(classifier: SpacyClassifier) -> None:
    (said,) = classifier.classify([_mail("")])
    assert said.intents


_TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200)


@settings(max_examples=60, deadline=None)
@given(subject=_TEXTS, content=_TEXTS, names=st.lists(st.text(max_size=10), max_size=2), cc=st.integers(0, 50))
def test_whatever_the_mail_the_classification_is_sound(
    classifier: SpacyClassifier, subject: str, content: str, names: list[str], cc: int
) -> None:
    mail = replace(_mail(content, subject), attachment_names=tuple(names), cc_count=cc)
    (said,) = classifier.classify([mail])
    shown = [*said.intents, *([said.runner_up] if said.runner_up else [])]
    assert all(0 <= one.confidence <= 1 for one in shown)
    assert len({one.intent for one in shown}) == len(shown)
    assert said.actions.reply + said.actions.review + said.actions.none == pytest.approx(1)
    others = [one.confidence for one in said.intents[1:]]
    assert others == sorted(others, reverse=True)
    similarities = [one.similarity for one in said.neighbours]
    assert similarities == sorted(similarities, reverse=True)
    assert all(0 <= one <= 1 for one in [*similarities, said.nearness])
    assert all(len(one.excerpt) <= 100 for one in said.neighbours)
    assert said.flip.startswith(f"It would be {said.runner_up.intent} (" if said.runner_up else "")
    for one in said.intents:
        assert len(one.evidence) <= 3
        for stretch in one.evidence:
            assert stretch.text in whole_text(mail)
            assert stretch.weight > 0


def test_evidence_is_the_sentence_that_asks_then_words(classifier: SpacyClassifier) -> None:
    mail = _mail("The weather was kind to us. We look for an NFR key. Greetings from the coast.", "Hello")
    (said,) = classifier.classify([mail])
    assert said.intents[0].evidence[0].text == "We look for an NFR key."
    assert "NFR" in {one.text for one in said.intents[0].evidence}


def test_evidence_in_an_address_is_shown_as_it_stands_there(classifier: SpacyClassifier) -> None:
    """What is replaced before counting (addresses, numbers) is never shown as its replacement."""
    (said,) = classifier.classify([_mail("An NFR key for ines@lab.example, see https://lab.example/4711")])
    assert not [one for intent in said.intents for one in intent.evidence if one.text.startswith("xx")]


def test_a_mail_is_classified_alike_alone_and_among_others(classifier: SpacyClassifier) -> None:
    """To the last bit, so that a stored classification can be repeated."""
    mails = [replace(mail, content=f"{mail.content} No. {n}") for n in range(24) for mail in (NFR, LOCKED, OFFER, BOTH)]
    together = classifier.classify(mails)
    assert [classifier.classify([mail])[0] for mail in reversed(mails)] == together[::-1]


def test_another_number_of_cores_gives_the_same_bits(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.adapters import test_spacy_classifier as tests;"
        "print(tests.SpacyClassifier(Path(sys.argv[1])).classify([tests.NFR, tests.LOCKED, tests.OFFER, tests.BOTH]))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    said = [
        subprocess.run(
            [sys.executable, "-c", code, str(folder)],
            check=True,
            env=environment | {"OPENBLAS_NUM_THREADS": threads},
            cwd=Path(__file__).parents[2],
            capture_output=True,
        ).stdout
        for threads in ("1", "4")
    ]
    assert said[0] == said[1] != b""


def test_loaded_again_it_says_exactly_the_same(folder: Path, classifier: SpacyClassifier) -> None:
    mails = [NFR, LOCKED, OFFER, BOTH]
    assert SpacyClassifier(folder).classify(mails) == classifier.classify(mails)


def test_neighbours_are_training_mails_that_ask_the_same(classifier: SpacyClassifier) -> None:
    for mail, said in zip((NFR, LOCKED), classifier.classify([NFR, LOCKED]), strict=True):
        assert len(said.neighbours) == 3, mail
        assert said.neighbours[0].intents[0] == said.intents[0].intent
        assert said.neighbours[0].example_id.startswith(said.neighbours[0].intents[0])


def test_what_would_change_it_names_the_runner_up_and_a_word_of_the_mail_or_a_neighbour(
    classifier: SpacyClassifier,
) -> None:
    mail = _mail("Two things: an NFR key for the demo server. And the error page after login, for a colleague.")
    (said,) = classifier.classify([mail])
    assert said.runner_up is not None
    assert said.runner_up.intent in said.flip
    quoted = said.flip.split('"')[1] if '"' in said.flip else ""
    assert quoted in " ".join(whole_text(mail).split())
    assert quoted or any(one.example_id in said.flip for one in said.neighbours)


def test_nearness_is_less_for_a_mail_about_nothing_known(classifier: SpacyClassifier) -> None:
    known, strange = classifier.classify([NFR, _mail("Regenpfeifer brüten am Ufer, sagt der Förster.")])
    assert strange.nearness < known.nearness


def test_labels_and_version_are_those_of_the_model(classifier: SpacyClassifier) -> None:
    assert classifier.labels == mails_to_learn.LABELS
    assert classifier.classify([NFR])[0].model_version == classifier.version


@pytest.mark.parametrize(("abstain_below", "abstains"), [(-99.0, False), (99.0, True)])
def test_it_abstains_below_the_familiarity_of_its_model(
    folder: Path, tmp_path: Path, abstain_below: float, abstains: bool
) -> None:
    copy = shutil.copytree(folder, tmp_path / "model")
    file = copy / "mailflow_intents" / "document.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(document | {"abstain_below": abstain_below}), encoding="utf-8")
    (said,) = SpacyClassifier(copy).classify([NFR])
    assert bool(said.abstained) is abstains
    assert ("alike" in said.abstained) is abstains


def test_a_log_of_megabytes_behind_the_question_changes_nothing(classifier: SpacyClassifier) -> None:
    log = "\n".join(f"2026-03-02 08:00:{n % 60:02} worker {n} stopped" for n in range(20_000))
    (said,) = classifier.classify([_mail(f"{NFR.content}\n{' ' * 20_000}{log}", NFR.subject)])
    assert said.intents[0].intent == "nfr_request"
    assert not [one for one in said.intents[0].evidence if "worker" in one.text]


# --- models that do not fit -------------------------------------------------------------------------------------------


def test_a_missing_model_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="mailflow train"):
        SpacyClassifier(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "damaged", ["meta.json", "config.cfg", "mailflow_intents/document.json", "mailflow_memory/document.json"]
)
def test_a_damaged_model_says_what_to_run(model: Path, tmp_path: Path, damaged: str) -> None:
    copy = shutil.copytree(model, tmp_path / "model")
    (copy / damaged).write_text("{")
    with pytest.raises(ModelError, match="mailflow train"):
        SpacyClassifier(copy)


def test_a_pickle_in_the_place_of_an_array_is_refused(model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "model")
    np.save(copy / "mailflow_intents" / "primary_coef.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ModelError, match="mailflow train"):
        SpacyClassifier(copy)


def test_a_model_for_another_encoder_says_what_to_do(model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "model")
    text = (copy / "config.cfg").read_text()
    (copy / "config.cfg").write_text(re.sub(r'(?<=weights_sha256 = ")\w{8}', "0" * 8, text))
    with pytest.raises(ModelError, match=r"sha256.*config_light\.cfg"):
        SpacyClassifier(copy)


def test_a_spacy_model_that_is_not_ours_is_refused(model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "model")
    text = (copy / "meta.json").read_text()
    (copy / "meta.json").write_text(text.replace('"mailflow":', '"another":'))
    with pytest.raises(ModelError, match="mailflow train"):
        SpacyClassifier(copy)


AT_WORK = """
import sys
from pathlib import Path
from mailflow.adapters.spacy_classifier import SpacyClassifier
from mailflow.core.classification import ClassifierInput
from mailflow.core.message import Role

mail = ClassifierInput("lab licence", "Where do we ask for an NFR key?", Role.UNKNOWN, False)
assert SpacyClassifier(Path(sys.argv[1])).classify([mail])
print(*{"sklearn", "scipy.optimize", "mailflow.adapters.fitting"} & sys.modules.keys())
"""


def test_nothing_that_only_training_needs_is_imported_at_work(folder: Path) -> None:
    """It would take 70 MB of each worker."""
    done = subprocess.run([sys.executable, "-c", AT_WORK, folder], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
