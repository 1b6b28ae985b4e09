"""Fitting of heads: the closed form against scikit-learn, and cross-fitting that does not look at what it guesses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge

from mailflow.adapters.component import Batch, Matrix, Row, as_matrix, narrowed, on_grain
from mailflow.adapters.fitting import (
    fit,
    fit_gate,
    fit_sigmoid,
    fit_temperature,
    head_arrays,
    held_out,
    inverse,
    splits,
    stacked_rows,
    without,
)
from mailflow.adapters.heads import beside, gate_probability, head_scores
from mailflow.errors import ModelError


def _mails(seed: int, count: int = 40, features: int = 60) -> Matrix:
    return np.random.default_rng(seed).normal(size=(count, features))


def _target(seed: int) -> Matrix:
    return np.random.default_rng(seed).random((40, 3))


@given(seed=st.integers(0, 50), penalty=st.sampled_from([0.1, 0.4, 5.0]))
def test_the_closed_form_is_ridge_regression(seed: int, penalty: float) -> None:
    rows, new, target = _mails(seed), _mails(seed + 1000), _target(seed)
    weights = fit(rows @ rows.T, target, penalty)
    one = np.ones((40, 1))
    ridge = Ridge(alpha=penalty, fit_intercept=False).fit(np.hstack([rows, one]), target)
    np.testing.assert_allclose((new @ rows.T + 1) @ weights, ridge.predict(np.hstack([new, one])), atol=1e-7)
    np.testing.assert_allclose(inverse(rows @ rows.T, penalty) @ target, weights, atol=1e-7)


def test_twins_with_different_labels_and_no_penalty_are_refused() -> None:
    rows = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    gram = rows @ rows.T
    with pytest.raises(ModelError, match="penalty"):
        fit(gram, np.eye(3), -1e-3)
    with pytest.raises(ModelError, match="penalty"):
        inverse(gram, -1e-3)


@given(seed=st.integers(0, 50), count=st.sampled_from([2, 4, 40]))
def test_a_guess_is_that_of_a_head_fitted_anew_without_the_fold(seed: int, count: int) -> None:
    rows, target, folds = _mails(seed), _target(seed), np.arange(40) % count
    gram = rows @ rows.T
    guessed = held_out(inverse(gram, 0.4), target, folds)
    for seen, unseen in splits(folds):
        anew = (gram[np.ix_(unseen, seen)] + 1) @ fit(gram[np.ix_(seen, seen)], target[seen], 0.4)
        np.testing.assert_allclose(guessed[unseen], anew, atol=1e-7)


@given(seed=st.integers(0, 50))
def test_the_inverse_of_some_mails_is_found_in_that_of_all(seed: int) -> None:
    rows = _mails(seed)
    gram = rows @ rows.T
    seen, unseen = np.arange(30), np.arange(30, 40)
    np.testing.assert_allclose(without(inverse(gram, 0.4), seen, unseen), inverse(gram[:30, :30], 0.4), atol=1e-9)


@given(seed=st.integers(0, 50))
def test_a_mail_is_guessed_without_its_own_label(seed: int) -> None:
    """What is said of a fold does not change when the fold's labels do."""
    rows, target, folds = _mails(seed), _target(seed), np.arange(40) % 4
    changed = target.copy()
    changed[folds == 2] = 7.0
    inverted = inverse(rows @ rows.T, 0.4)
    before, after = (held_out(inverted, one, folds) for one in (target, changed))
    np.testing.assert_allclose(before[folds == 2], after[folds == 2], atol=1e-9)
    assert not np.allclose(before[folds == 1], after[folds == 1])


def test_each_mail_is_unseen_exactly_once() -> None:
    unseen = np.concatenate([out for _, out in splits(np.array([0, 1, 2, 0, 2]))])
    assert sorted(unseen) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kernel_weight", [0.0, 0.5])
def test_a_kept_head_says_what_the_fitted_one_says(kernel_weight: float) -> None:
    """Up to the 16 bits of its weights."""
    mails, target = _mails(1, features=20).astype(np.float32) / 5, _target(1)
    kernel = on_grain(np.exp(-((_mails(2)[:, None] - _mails(2)[None]) ** 2).sum(-1) / 60))
    gram = mails @ mails.T + kernel_weight * kernel
    weights = fit(gram, target, 0.4)
    kept = head_arrays("one", weights, csr_matrix(mails), kernel_weight)
    assert kept["one_coef"].dtype == np.float16
    assert ("one_dual" in kept) == (kernel_weight > 0)
    rows = [Row(np.arange(20), mail) for mail in mails]
    said = head_scores(kept, "one", Batch(rows, *narrowed(rows), kernel))
    np.testing.assert_allclose(said, (gram + 1) @ weights, atol=2e-3)


def test_what_the_stacked_head_is_fitted_on_is_what_it_reads_at_work() -> None:
    mails, primary, internal = _mails(3, features=7).astype(np.float32), _target(4), np.arange(40)[:, None] % 2.0
    rows = [Row(np.arange(7, dtype=np.int32), mail) for mail in mails]
    at_work = Batch(rows, *narrowed(rows), np.zeros((40, 0))).beside(beside(primary, internal), 7)
    fitted_on = stacked_rows(csr_matrix(mails), primary, internal)
    np.testing.assert_array_equal(as_matrix(at_work.rows, 13).toarray(), fitted_on.toarray())


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


def test_the_gate_is_honest_where_its_features_decide() -> None:
    random = np.random.default_rng(1)
    rows = random.normal(size=(20_000, 2))
    honest = 1 / (1 + np.exp(-(2 * rows[:, 0] - 1)))
    right = random.random(20_000) < honest
    np.testing.assert_allclose(gate_probability(fit_gate(rows, right), rows), honest, atol=0.03)
