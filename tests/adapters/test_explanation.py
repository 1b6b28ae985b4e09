"""Reasons: what is shown stands in the mail, and is what weighed most."""

import numpy as np
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc

from mailflow.adapters.component import ROW, Row
from mailflow.adapters.explanation import ReadMail, Rival, evidence, flip
from mailflow.adapters.features import Vocabulary, as_doc
from mailflow.core.classification import Action, ClassifierInput, Neighbour
from mailflow.core.message import Role

TERMS = ("lab", "licence", "portal", "login", "lab licence", "portal login", "00", "xxaddress", "don't")
VOCABULARY = Vocabulary(TERMS)


@pytest.fixture(scope="module")
def nlp() -> Language:
    nlp = spacy.blank("xx")
    nlp.add_pipe("sentencizer")
    return nlp


def _read(nlp: Language, content: str, subject: str = "") -> ReadMail:
    """A mail in which each known term counts 1."""
    doc: Doc = nlp(as_doc(nlp, ClassifierInput(subject, content, Role.UNKNOWN, is_authenticated_internal=False)))
    doc.user_data[ROW] = Row(np.arange(len(TERMS) + 3), np.ones(len(TERMS) + 3, dtype=np.float32))
    return ReadMail(doc, VOCABULARY)


def _coefficients(**weights: float) -> np.ndarray:
    """(features + facts, 1)."""
    named = {name.replace("_", " "): weight for name, weight in weights.items()}
    return np.array([[named.get(term, 0.0)] for term in (*TERMS, "tail", "facts", "more")])


def test_the_sentence_that_decided_comes_first_then_words_as_they_are_spelled(nlp: Language) -> None:
    read = _read(nlp, "We are glad. The LAB Licence ends. The portal works.")
    said = evidence(read, read.additions(_coefficients(lab=1, licence=2, portal=0.5), 0), 3)
    assert [one.text for one in said] == ["The LAB Licence ends.", "Licence", "LAB"]
    assert [one.weight for one in said] == pytest.approx([3, 2, 1])


def test_a_word_that_another_sentence_repeats_is_not_lost_with_one_of_them(nlp: Language) -> None:
    read = _read(nlp, "The lab. The lab. The portal.")
    _, taken = read.decided({"lab": 1.0, "portal": 0.5})
    assert taken == 0.5


def test_what_speaks_against_is_no_evidence(nlp: Language) -> None:
    read = _read(nlp, "The lab licence.")
    assert evidence(read, read.additions(_coefficients(lab=-1, licence=-2), 0), 3) == ()


def test_a_replacement_is_never_shown(nlp: Language) -> None:
    read = _read(nlp, "Write 4711 to ana@firm.example. No lab.")
    additions = read.additions(
        np.array([[5.0 if term in ("00", "xxaddress") else 1.0] for term in (*TERMS, *"tfm")]), 0
    )
    assert [one.text for one in evidence(read, additions, 3)] == ["Write 4711 to ana@firm.example.", "lab"]


def test_a_word_with_a_curly_apostrophe_is_found(nlp: Language) -> None:
    assert _read(nlp, "We don\u2019t").as_it_stands("don't") == "don\u2019t"


NEIGHBOUR = Neighbour("portal-7", ("portal_access",), Action.REPLY, 0.456, "")


@pytest.mark.parametrize(
    ("weights", "neighbours", "wanted"),
    [
        ({"portal_login": 1.0, "login": 0.5}, (), 'if "Portal login" counted for more.'),
        ({"portal": -1.0}, (NEIGHBOUR,), "if the similar mail portal-7 (0.46) counted for more."),
        ({"login": 0.5}, (NEIGHBOUR,), 'if "login" and the similar mail portal-7 (0.46) counted for more.'),
        ({}, (), "if little were added."),
    ],
)
def test_what_would_change_it(
    nlp: Language, weights: dict[str, float], neighbours: tuple[Neighbour, ...], wanted: str
) -> None:
    read = _read(nlp, "Our lab licence. Portal\nlogin too.")
    rival = Rival("portal_access", 0.31, read.additions(_coefficients(**weights), 0))
    assert flip(read, rival, neighbours) == f"It would be portal_access (0.31) {wanted}"


@given(subject=st.text(max_size=40), content=st.text(max_size=200))
def test_no_mail_is_too_strange_to_explain(nlp: Language, subject: str, content: str) -> None:
    read = _read(nlp, content, subject)
    additions = read.additions(np.ones((len(TERMS) + 3, 1)), 0)
    for one in evidence(read, additions, 3):
        assert one.text in read.text
    assert flip(read, Rival("a", 0.5, additions), ())
