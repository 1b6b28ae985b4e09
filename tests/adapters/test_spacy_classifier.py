"""The classifier at work: what it says can be stored, shown and trusted to stay the same."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.adapters import mails_to_learn

from mailflow.adapters.features import whole_text
from mailflow.adapters.spacy_classifier import SpacyClassifier, claim, gate_row, gated
from mailflow.core.classification import Action, ClassifierInput
from mailflow.core.message import Role
from mailflow.errors import ModelError


@pytest.fixture(scope="module")
def classifier(model: Path) -> SpacyClassifier:
    return SpacyClassifier(model)


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
    mails = [NFR, LOCKED, OFFER, BOTH] * 40
    together = classifier.classify(mails)
    alone = [classifier.classify([mail])[0] for mail in mails[:4]]
    for one, other in zip(together[:4], alone, strict=True):
        assert [score.intent for score in one.intents] == [score.intent for score in other.intents]
        assert one.actions.reply == pytest.approx(other.actions.reply, abs=1e-6)


def test_loaded_again_it_says_exactly_the_same(model: Path, classifier: SpacyClassifier) -> None:
    mails = [NFR, LOCKED, OFFER, BOTH]
    assert SpacyClassifier(model).classify(mails) == classifier.classify(mails)


def test_labels_and_version_are_those_of_the_model(classifier: SpacyClassifier) -> None:
    assert classifier.labels == mails_to_learn.LABELS
    assert classifier.classify([NFR])[0].model_version == classifier.version


@pytest.mark.parametrize(("abstain_below", "abstains"), [(0.0, False), (1.01, True)])
def test_it_abstains_below_the_threshold_of_its_model(
    model: Path, tmp_path: Path, abstain_below: float, abstains: bool
) -> None:
    copy = shutil.copytree(model, tmp_path / "model")
    file = copy / "mailflow_intents" / "document.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(document | {"abstain_below": abstain_below}), encoding="utf-8")
    (said,) = SpacyClassifier(copy).classify([NFR])
    assert bool(said.abstained) is abstains


# --- models that do not fit -------------------------------------------------------------------------------------------


def test_a_missing_model_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="mailflow train"):
        SpacyClassifier(tmp_path / "nowhere")


@pytest.mark.parametrize("damaged", ["meta.json", "config.cfg", "mailflow_intents/document.json"])
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


def test_a_spacy_model_that_is_not_ours_is_refused(model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "model")
    text = (copy / "meta.json").read_text()
    (copy / "meta.json").write_text(text.replace('"mailflow":', '"another":'))
    with pytest.raises(ModelError, match="mailflow train"):
        SpacyClassifier(copy)


# --- pure parts -------------------------------------------------------------------------------------------------------


def test_the_primary_comes_first_even_if_another_intent_is_more_certain() -> None:
    claims = claim({"a": 0.6, "b": 0.3, "c": 0.1}, {"a": 0.4, "b": 0.9, "c": 0.5}, 0.5)
    assert list(claims.items()) == [("a", 0.6), ("b", 0.9), ("c", 0.5)]


def test_the_gate_reads_the_least_sure_claim_and_the_likeliest_of_the_rest() -> None:
    row = gate_row(0.5, 0.5, {"a": 0.9, "b": 0.5}, {"a": 0.9, "b": 0.5, "c": 0.5, "d": 0.1})
    assert row == [0.0, 0.0, 0.0, 2.0, 0.0]


def test_what_the_gate_takes_from_reply_is_shared_by_the_others() -> None:
    (actions,) = gated(np.array([[0.8, 0.15, 0.05]]), np.array([0.2]))
    assert actions == pytest.approx([0.2, 0.6, 0.2])
