"""Linear heads over mails, fitted in closed form, and what makes their scores honest.

Rule: nothing is chosen on mail that was fitted: figures, temperatures and thresholds come from cross-fitted scores.
Why penalised least squares and not logistic regression: on the training mails it is no less right (MODEL_CARD.md),
all classes of a fold are one factorisation, and the minimum is exact: training twice gives the same bits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from mailflow.errors import ModelError

Matrix = npt.NDArray[np.floating[Any]]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Head:
    """scores = gram @ dual + bias, where `gram` holds the products of new mails with the fitted ones."""

    dual: Matrix
    """(fitted mails, classes)."""
    bias: Matrix


def fit_head(gram: Matrix, target: Matrix, penalty: float) -> Head:
    """The minimum of |scores - target|^2 + penalty |weights|^2. `gram`: (mails, mails). Raises ModelError.

    The bias is fitted as a feature that is 1 everywhere, about the targets' means.
    """
    means = target.mean(axis=0)
    system = gram + 1.0
    system[np.diag_indices_from(system)] += penalty
    try:
        dual: Matrix = cho_solve(cho_factor(system, overwrite_a=True), target - means)
    except np.linalg.LinAlgError as error:
        raise ModelError("the examples cannot be told apart: penalty in config.cfg must be larger") from error
    return Head(dual, means + dual.sum(axis=0))


def splits(folds: Rows) -> Iterator[tuple[Rows, Rows]]:
    """(seen, unseen) mails for each fold number in `folds`."""
    for fold in np.unique(folds):
        yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)


def cross_fit(gram: Matrix, target: Matrix, folds: Rows, penalty: float) -> Matrix:
    """Scores (mails, classes), each mail by a head that has not seen its fold."""
    scores = np.zeros_like(target)
    for seen, unseen in splits(folds):
        head = fit_head(gram[np.ix_(seen, seen)], target[seen], penalty)
        scores[unseen] = gram[np.ix_(unseen, seen)] @ head.dual + head.bias
    return scores


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


def fit_gate(rows: Matrix, right: npt.NDArray[np.bool_]) -> tuple[Matrix, Matrix]:
    """(weights (features, 1), bias (1,)) of P(right). Raises ModelError where nothing or everything is right."""
    if right.all() or not right.any():
        raise ModelError("no example could be answered, or all: write examples of both")
    model = LogisticRegression(C=1.0, tol=1e-6, max_iter=1000).fit(rows, right)
    return model.coef_.T, model.intercept_


# --- thresholds -------------------------------------------------------------------------------------------------------


def best_claim_threshold(first: Rows, intents: Matrix, wanted: Matrix) -> tuple[float, float]:
    """(threshold for a further intent, micro-F1 there). `first`: the primary of each mail."""
    claimed_anyway = np.eye(intents.shape[1], dtype=bool)[first]
    found = {}
    for threshold in np.arange(0.2, 0.81, 0.05):
        said = claimed_anyway | (intents >= threshold)
        found[round(float(threshold), 2)] = 2 * float((said * wanted).sum()) / float(said.sum() + wanted.sum())
    best = max(found, key=found.__getitem__)
    return best, found[best]


def abstention_threshold(confidence: Matrix, right: npt.NDArray[np.bool_]) -> float:
    """The end of the lowest band of confidence in which the model is wrong more than half of the time, band by band.

    Bands are 0.1 wide; one with fewer than 20 mails says nothing.
    """
    threshold = 0.0
    for start in np.arange(0.0, 0.6, 0.1):
        band = (confidence >= start) & (confidence < start + 0.1)
        if band.sum() >= 20 and right[band].mean() >= 0.5:
            break
        threshold = round(float(start) + 0.1, 2)
    return threshold


@dataclass(frozen=True, slots=True)
class Operating:
    """Sending at `threshold`: wrong answers as a share of all mails, right ones as a share of the answerable."""

    threshold: float
    wrong: float
    automation: float


def operating_points(
    p_right: Matrix, right: npt.NDArray[np.bool_], answerable: npt.NDArray[np.bool_]
) -> list[Operating]:
    """One a hundredth from 0.50 to 0.99."""
    return [
        Operating(
            round(float(threshold), 2),
            float((sent & ~right).mean()),
            float((sent & right).sum() / max(1, answerable.sum())),
        )
        for threshold in np.arange(0.5, 1.0, 0.01)
        for sent in [p_right >= threshold]
    ]


def lowest_safe(points: Sequence[Operating], most_wrong: float) -> Operating:
    """The lowest threshold from which on at most `most_wrong` of all mails get a wrong answer."""
    unsafe = [n for n, point in enumerate(points) if point.wrong > most_wrong]
    return points[min(unsafe[-1] + 1, len(points) - 1) if unsafe else 0]
