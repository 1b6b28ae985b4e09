"""Fitting of heads over mails, in closed form, and of what makes their scores honest. Training alone imports this.

Rule: nothing is chosen on mail that was fitted: figures, temperatures and thresholds come from cross-fitted scores.
Why penalised least squares and not logistic regression: on the training mails it is no less right (MODEL_CARD.md),
the minimum is exact, so that training twice gives the same bits, and one inverse of the mails' products answers every
question of the kind "what would be said of these mails by a head that has never seen those".
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.linalg.lapack import dposv, dpotrf, dpotri
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression

from mailflow.adapters.component import Array, Matrix, on_grain
from mailflow.adapters.heads import beside
from mailflow.errors import ModelError

Rows = npt.NDArray[np.int64]


def fit(gram: Matrix, target: Matrix, penalty: float) -> Matrix:
    """Weights a mail (mails, classes) that minimise |scores - target|^2 + penalty |weights|^2. Raises ModelError.

    `gram`: (mails, mails), the products of what the head reads of them. Beside it the head reads a feature that is 1
    for every mail, its bias: scores = (gram + 1) @ weights.
    """
    _, weights, failed = dposv(_system(gram, penalty), target, lower=1, overwrite_a=1)
    _require_told_apart(failed)
    result: Matrix = weights
    return result


def inverse(gram: Matrix, penalty: float) -> Matrix:
    """What `fit` solves, inverted: `inverse @ target` are its weights. Raises ModelError."""
    factor, failed = dpotrf(_system(gram, penalty), lower=1, overwrite_a=1)
    _require_told_apart(failed)
    lower, _ = dpotri(factor, lower=1, overwrite_c=1)
    result: Matrix = np.tril(lower) + np.tril(lower, -1).T
    return result


def _system(gram: Matrix, penalty: float) -> Matrix:
    system = gram + 1.0
    system[np.diag_indices_from(system)] += penalty
    return system


def _require_told_apart(failed: int) -> None:
    if failed:
        raise ModelError("the examples cannot be told apart: penalty in config.cfg must be larger")


def splits(folds: Rows) -> Iterator[tuple[Rows, Rows]]:
    """(seen, unseen) mails for each fold number in `folds`."""
    for fold in np.unique(folds):
        yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)


def held_out(inverted: Matrix, target: Matrix, folds: Rows) -> Matrix:
    """Scores (mails, classes), each mail by a head that has not seen its fold. `inverted`: of all mails.

    Exactly what fitting anew without the fold would say: target_u - (inverted_uu)^-1 (inverted target)_u.
    """
    duals = inverted @ target
    scores = np.zeros_like(target)
    for _, unseen in splits(folds):
        scores[unseen] = target[unseen] - np.linalg.solve(inverted[np.ix_(unseen, unseen)], duals[unseen])
    return scores


def without(inverted: Matrix, seen: Rows, unseen: Rows) -> Matrix:
    """The inverse of the seen mails alone (Schur complement)."""
    across = inverted[np.ix_(seen, unseen)]
    result: Matrix = inverted[np.ix_(seen, seen)] - across @ np.linalg.solve(inverted[np.ix_(unseen, unseen)], across.T)
    return result


def fit_beside(inverted: Matrix, read: Matrix, target: Matrix) -> Matrix:
    """What `fit` gives for the mails of `inverted` if the head also reads `read` (mails, few), by Woodbury's identity.

    Why: a hundredth of the cost of fitting anew.
    """
    plain, across = inverted @ target, inverted @ read
    inner = np.eye(read.shape[1]) + read.T @ across
    result: Matrix = plain - across @ np.linalg.solve(inner, read.T @ plain)
    return result


# --- a head as it is kept ---------------------------------------------------------------------------------------------


def head_arrays(name: str, duals: Matrix, rows: csr_matrix, kernel_weight: float) -> dict[str, Array]:
    """The head with `duals` (mails, classes) as weights a feature, and, for the kernel's part, still as weights a mail.

    Why: an explanation needs to know what a word weighs.
    """
    arrays: dict[str, Array] = {
        f"{name}_coef": (rows.T @ duals).astype(np.float16),
        f"{name}_bias": duals.sum(axis=0).astype(np.float32),
    }
    return arrays | ({f"{name}_dual": on_grain(kernel_weight * duals).astype(np.float32)} if kernel_weight else {})


def stacked_rows(rows: csr_matrix, primary: Matrix, internal: Matrix) -> csr_matrix:
    """What the stacked head reads: `rows`, the intents' probabilities, and these once more for colleagues.

    `primary`: (mails, labels). `internal`: (mails, 1), 1 for a proven colleague.
    """
    return hstack([rows, csr_matrix(beside(primary, internal).astype(np.float32))]).tocsr()


# --- honest probabilities ---------------------------------------------------------------------------------------------


COLDEST = 0.03
"""The smallest temperature. Why: scores that never err would make every probability 0 or 1, which no sample proves."""


def fit_temperature(scores: Matrix, target: Matrix) -> float:
    """The temperature that makes softmax(scores) honest (Guo et al. 2017)."""

    def cost(log_temperature: Matrix) -> float:
        scaled = scores / np.exp(log_temperature[0])
        top = scaled.max(axis=1, keepdims=True)
        logs = top + np.log(np.exp(scaled - top).sum(axis=1, keepdims=True))
        return float(((logs - scaled) * target).mean())

    return _rounded(max(COLDEST, np.exp(minimize(cost, [-2.0], method="Nelder-Mead").x[0])))


def fit_sigmoid(scores: Matrix, target: Matrix) -> tuple[float, float]:
    """(temperature, offset) that make sigmoid(scores) honest, one pair for all classes (Platt 1999)."""

    def cost(parameters: Matrix) -> float:
        scaled = np.exp(parameters[0]) * (scores - parameters[1])
        return float((np.logaddexp(0, scaled) - scaled * target).mean())

    log_slope, offset = minimize(cost, [2.0, 0.3], method="Nelder-Mead").x
    return _rounded(max(COLDEST, np.exp(-log_slope))), _rounded(offset)


def _rounded(value: float) -> float:
    return round(float(value), 6)


def fit_gate(rows: Matrix, right: npt.NDArray[np.bool_]) -> dict[str, Array]:
    """Weights (features,) and bias (1,) of P(right). Raises ModelError where nothing or everything is right."""
    if right.all() or not right.any():
        raise ModelError("no example could be answered, or all: write examples of both")
    model = LogisticRegression(C=1.0, tol=1e-6, max_iter=2000).fit(rows, right)
    return {"gate_coef": model.coef_[0], "gate_bias": model.intercept_}
