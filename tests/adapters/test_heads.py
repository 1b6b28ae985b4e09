"""Heads: the closed form against scikit-learn, and cross-fitting that does not look at what it guesses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from mailflow.adapters.heads import (
    Matrix,
    Operating,
    abstention_threshold,
    best_claim_threshold,
    cross_fit,
    fit_gate,
    fit_head,
    fit_sigmoid,
    fit_temperature,
    lowest_safe,
    operating_points,
    splits,
)
from mailflow.errors import ModelError


def _mails(seed: int, count: int = 40, features: int = 60) -> Matrix:
    return np.random.default_rng(seed).normal(size=(count, features))


@given(seed=st.integers(0, 50), penalty=st.sampled_from([0.1, 0.4, 5.0]))
def test_the_closed_form_is_ridge_regression(seed: int, penalty: float) -> None:
    rows, new = _mails(seed), _mails(seed + 1000)
    target = np.random.default_rng(seed).random((40, 3))
    head = fit_head(rows @ rows.T, target, penalty)
    one = np.ones((40, 1))
    ridge = Ridge(alpha=penalty, fit_intercept=False).fit(np.hstack([rows, one]), target - target.mean(0))
    wanted = ridge.predict(np.hstack([new, one])) + target.mean(0)
    np.testing.assert_allclose(new @ rows.T @ head.dual + head.bias, wanted, atol=1e-7)


def test_twins_with_different_labels_and_no_penalty_are_refused() -> None:
    rows = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(ModelError, match="penalty"):
        fit_head(rows @ rows.T, np.eye(3), -1e-3)


@given(seed=st.integers(0, 50))
def test_a_mail_is_guessed_without_its_own_label(seed: int) -> None:
    """What is said of a fold does not change when the fold's labels do."""
    rows = _mails(seed)
    target = np.random.default_rng(seed).random((40, 2))
    folds = np.arange(40) % 4
    changed = target.copy()
    changed[folds == 2] = 7.0
    before, after = (cross_fit(rows @ rows.T, one, folds, 0.4) for one in (target, changed))
    np.testing.assert_array_equal(before[folds == 2], after[folds == 2])
    assert not np.allclose(before[folds == 1], after[folds == 1])


def test_each_mail_is_unseen_exactly_once() -> None:
    unseen = np.concatenate([out for _, out in splits(np.array([0, 1, 2, 0, 2]))])
    assert sorted(unseen) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("temperature", [0.05, 0.3, 2.0])
def test_the_temperature_of_scores_that_need_one_is_found(temperature: float) -> None:
    random = np.random.default_rng(1)
    logits = random.normal(size=(20_000, 4)) * 2
    drawn = (logits + random.gumbel(size=logits.shape)).argmax(1)  # a draw from softmax(logits)
    assert fit_temperature(logits * temperature, np.eye(4)[drawn]) == pytest.approx(temperature, rel=0.05)


def test_slope_and_offset_of_a_sigmoid_are_found() -> None:
    random = np.random.default_rng(1)
    scores = random.random((30_000, 2))
    drawn = (random.random(scores.shape) < 1 / (1 + np.exp(-(scores - 0.6) / 0.1))).astype(float)
    temperature, offset = fit_sigmoid(scores, drawn)
    assert temperature == pytest.approx(0.1, rel=0.05)
    assert offset == pytest.approx(0.6, abs=0.01)


def test_a_gate_needs_right_and_wrong() -> None:
    with pytest.raises(ModelError, match="examples of both"):
        fit_gate(np.ones((5, 2)), np.ones(5, dtype=bool))


def test_the_claim_threshold_is_the_one_of_the_best_f1() -> None:
    wanted = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    intents = np.array([[0.9, 0.55, 0.1], [0.9, 0.45, 0.1]])
    assert best_claim_threshold(np.array([0, 0]), intents, wanted) == (0.5, 1.0)


def test_abstention_ends_where_the_model_is_right_half_of_the_time() -> None:
    confidence = np.repeat([0.15, 0.25, 0.35, 0.45], 20)
    right = np.concatenate([np.arange(20) < limit for limit in (2, 8, 12, 4)])
    assert abstention_threshold(confidence, right) == 0.3


def test_sending_less_sends_less_wrong() -> None:
    points = operating_points(
        np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False]), np.array([True, False, True, True])
    )
    at = {point.threshold: (point.wrong, point.automation) for point in points}
    assert at[0.5] == (0.5, 2 / 3)
    assert at[0.75] == (0.25, 1 / 3)
    assert at[0.95] == (0.0, 0.0)


def test_the_lowest_safe_threshold_has_no_unsafe_one_above_it() -> None:
    points = [Operating(0.5, 0.03, 0.9), Operating(0.6, 0.01, 0.7), Operating(0.7, 0.02, 0.6), Operating(0.8, 0.0, 0.4)]
    assert lowest_safe(points, 0.015).threshold == 0.8
    assert lowest_safe(points, 0.05).threshold == 0.5
