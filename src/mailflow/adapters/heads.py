"""Heads over mails at work: what they say of a mail, as probabilities. How they come about is in fitting.py.

Why two modules: what fits them imports 70 MB that no worker needs.
"""

import numpy as np
from scipy.special import expit

from mailflow.adapters.component import Array, Batch, Matrix


def head_scores(arrays: dict[str, Array], name: str, batch: Batch) -> Matrix:
    """(mails, classes). Of the weights only those that the mails read are widened to 32 bits."""
    linear = batch.narrow @ arrays[f"{name}_coef"][batch.columns].astype(np.float32) + arrays[f"{name}_bias"]
    dual = arrays.get(f"{name}_dual")
    result: Matrix = linear if dual is None else linear + batch.kernel @ dual.astype(np.float64)
    return result


def beside(primary: Matrix, internal: Matrix) -> Matrix:
    return np.hstack([primary, primary * internal])


def softmax(scores: Matrix, temperature: float) -> Matrix:
    """Row by row."""
    shifted = scores / temperature
    exponents = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    result: Matrix = exponents / exponents.sum(axis=1, keepdims=True)
    return result


def sigmoid(scores: Matrix, temperature: float, offset: float = 0.0) -> Matrix:
    result: Matrix = expit((scores - offset) / temperature)
    return result


def logit(probability: float) -> float:
    """Of a probability that is kept away from 0 and 1."""
    bounded = min(max(float(probability), 1e-4), 1 - 1e-4)
    return float(np.log(bounded / (1 - bounded)))


def gate_probability(arrays: dict[str, Array], rows: Matrix) -> Matrix:
    """(mails,). Summed row by row, so that a mail does not depend on those beside it."""
    return sigmoid((rows * arrays["gate_coef"]).sum(axis=1) + arrays["gate_bias"], 1.0)
