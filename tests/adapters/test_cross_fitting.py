"""Guesses for mails unseen: the short way, by one inverse, says what the long way says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.adapters import mails_to_learn
from tests.adapters.conftest import LIGHT

from mailflow.adapters.component import Matrix
from mailflow.adapters.cross_fitting import calibrate, guess
from mailflow.adapters.examples import read_examples
from mailflow.adapters.fitting import Rows, fit, inverse, splits
from mailflow.adapters.heads import beside, softmax
from mailflow.adapters.memory import MemoryComponent
from mailflow.adapters.spacy_training import blank_pipeline
from mailflow.adapters.training_data import TrainingData, author_folds, domain_folds, training_data

PENALTY = 0.4


@pytest.fixture(scope="module")
def learned(examples: Path) -> tuple[TrainingData, MemoryComponent]:
    readers = blank_pipeline(LIGHT).readers
    read = read_examples(examples).examples
    return training_data(read, mails_to_learn.LABELS, readers, lambda done: None), readers.memory


def _anew(gram: Matrix, target: Matrix, seen: Rows, unseen: Rows) -> Matrix:
    """Scores of the unseen mails by a head fitted to the seen ones."""
    result: Matrix = (gram[np.ix_(unseen, seen)] + 1) @ fit(gram[np.ix_(seen, seen)], target[seen], PENALTY)
    return result


def test_a_guess_is_what_heads_say_that_were_fitted_without_the_author(
    learned: tuple[TrainingData, MemoryComponent],
) -> None:
    data, _ = learned
    folds = author_folds(data)
    guesses = guess(data, inverse(data.gram, PENALTY), folds)
    primary = data.targets["primary"]
    for seen, unseen in splits(folds):
        np.testing.assert_allclose(
            guesses.scores["primary"][unseen], _anew(data.gram, primary, seen, unseen), atol=1e-7
        )
        read = np.zeros_like(primary)
        read[unseen] = _anew(data.gram, primary, seen, unseen)
        for inner in np.unique(folds[seen]):
            there = np.flatnonzero(folds == inner)
            others = np.setdiff1d(seen, there)
            read[there] = _anew(data.gram, primary, others, there)
        more = beside(softmax(read, guesses.temperature), data.internal)
        stacked = _anew(data.gram + more @ more.T, data.action, seen, unseen)
        np.testing.assert_allclose(guesses.scores["stacked"][unseen], stacked, atol=1e-6)


def test_neighbours_of_the_same_author_do_not_reach_the_gate(learned: tuple[TrainingData, MemoryComponent]) -> None:
    """However alike they are."""
    data, memory = learned
    folds = author_folds(data)
    guesses = guess(data, inverse(data.gram, PENALTY), folds)
    before = calibrate(data, guesses, memory)
    alike = np.where(folds[:, None] == folds[None, :], 1.0, data.similarities)
    after = calibrate(replace(data, similarities=alike), guesses, memory)
    np.testing.assert_array_equal(before.p_right, after.p_right)
    assert before.intents == after.intents


def test_no_domain_is_on_both_sides_of_a_fold(learned: tuple[TrainingData, MemoryComponent]) -> None:
    data, _ = learned
    folds = domain_folds(data)
    where = {(example.domain, int(fold)) for example, fold in zip(data.examples, folds, strict=True)}
    assert len(where) == len({domain for domain, _ in where})
    assert len(set(folds.tolist())) == 5
