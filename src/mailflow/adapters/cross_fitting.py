"""What is said of each training mail by heads that have not seen its fold, and all that is chosen on it.

Rule: nothing is chosen on mail that was fitted. Temperatures, thresholds and the gate come from guesses of this module.
Rule: the stacked head learns from intents that were guessed for mails unseen, as it will find them at work.
Rule: the gate learns from neighbours of other folds, for the same reason.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mailflow.adapters.action import ACTION_HEADS, GateInput, gate_row
from mailflow.adapters.component import Array, Matrix
from mailflow.adapters.fitting import (
    Rows,
    fit_beside,
    fit_gate,
    fit_sigmoid,
    fit_temperature,
    held_out,
    splits,
    without,
)
from mailflow.adapters.heads import beside, gate_probability, sigmoid, softmax
from mailflow.adapters.intents import claim, familiarity
from mailflow.adapters.memory import MemoryComponent, nearness
from mailflow.adapters.thresholds import (
    Operating,
    best_claim_threshold,
    operating_points,
    stranger_threshold,
)
from mailflow.adapters.training_data import TrainingData
from mailflow.core.classification import Action


@dataclass(frozen=True, slots=True)
class Guesses:
    folds: Rows
    scores: dict[str, Matrix]
    """By head: (mails, classes)."""
    primary: Matrix
    """Probabilities."""
    temperature: float
    """Of the primary."""


def guess(data: TrainingData, inverted: Matrix, folds: Rows) -> Guesses:
    """`inverted`: heads.inverse of data.gram."""
    targets = data.targets
    scores = _by_head(held_out(inverted, np.hstack(list(targets.values())), folds), targets)
    temperature = fit_temperature(scores["primary"], data.primary)
    primary = softmax(scores["primary"], temperature)
    stacked = np.zeros_like(data.action)
    for seen, unseen in splits(folds):
        inner = without(inverted, seen, unseen)
        within = held_out(inner, targets["primary"][seen], folds[seen])
        read = beside(softmax(within, temperature), data.internal[seen])
        weights = fit_beside(inner, read, data.action[seen])
        products = data.gram[np.ix_(unseen, seen)] + beside(primary[unseen], data.internal[unseen]) @ read.T
        stacked[unseen] = (products + 1) @ weights
    return Guesses(folds, scores | {"stacked": stacked}, primary, temperature)


def _by_head(scores: Matrix, targets: dict[str, Matrix]) -> dict[str, Matrix]:
    ends = np.cumsum([target.shape[1] for target in targets.values()])
    return dict(zip(targets, np.hsplit(scores, ends[:-1]), strict=True))


def stacked_gram(data: TrainingData, primary: Matrix) -> Matrix:
    """Products of what the stacked head reads. `primary`: (mails, labels), probabilities."""
    read = beside(primary, data.internal)
    result: Matrix = data.gram + read @ read.T
    return result


# --- what is chosen on it ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Calibration:
    intents: dict[str, Any]
    """The document of mailflow_intents, but for its labels."""
    action: dict[str, Any]
    """That of mailflow_action."""
    gate: dict[str, Array]
    points: list[Operating]
    """What sending at each threshold would have done to the mails, each judged by a gate that has not seen its fold."""
    intent_micro_f1: float
    right: npt.NDArray[np.bool_]
    """Of each mail, whether an answer to the claimed intents would have been right."""
    p_right: Matrix
    """What the cross-fitted gate says of it."""


def calibrate(data: TrainingData, guesses: Guesses, memory: MemoryComponent) -> Calibration:
    temperature, offset = fit_sigmoid(guesses.scores["intents"], data.intents)
    intents = sigmoid(guesses.scores["intents"], temperature, offset)
    first = guesses.primary.argmax(1)
    claim_threshold, micro_f1 = best_claim_threshold(first, intents, data.intents)
    temperatures = {head: fit_temperature(guesses.scores[head], data.action) for head in ACTION_HEADS}
    actions = {head: softmax(guesses.scores[head], temperatures[head]) for head in ACTION_HEADS}
    others = _of_other_folds(data.similarities, guesses.folds)
    familiar = familiarity(guesses.primary.max(1), np.array([nearness(row) for row in others]))
    rows, right = [], []
    for n, example in enumerate(data.examples):
        named = data.named(guesses.primary[n]), data.named(intents[n])
        claims = claim(*named, claim_threshold)
        said = actions["plain"][n].tolist(), actions["stacked"][n].tolist()
        neighbours = memory.neighbours(others[n])
        rows.append(gate_row(GateInput(*said, *named, claims, neighbours, data.facts[n].tolist())))
        right.append(example.action is Action.REPLY and claims.keys() <= set(example.intents))
    gate_rows, is_right = np.array(rows), np.array(right)
    p_right = _cross_gate(gate_rows, is_right, guesses.folds)
    return Calibration(
        intents={
            "temperatures": {"primary": guesses.temperature, "intents": temperature},
            "intents_offset": offset,
            "claim_threshold": claim_threshold,
            "abstain_below": stranger_threshold(familiar, first == data.primary.argmax(1)),
        },
        action={"temperatures": temperatures},
        gate=fit_gate(gate_rows, is_right),
        points=operating_points(p_right, is_right, data.answerable),
        intent_micro_f1=micro_f1,
        right=is_right,
        p_right=p_right,
    )


def _of_other_folds(similarities: Matrix, folds: Rows) -> Matrix:
    result: Matrix = np.where(folds[:, None] == folds[None, :], 0.0, similarities)
    return result


def _cross_gate(rows: Matrix, right: npt.NDArray[np.bool_], folds: Rows) -> Matrix:
    p_right = np.zeros(len(rows))
    for seen, unseen in splits(folds):
        p_right[unseen] = gate_probability(fit_gate(rows[seen], right[seen]), rows[unseen])
    return p_right
