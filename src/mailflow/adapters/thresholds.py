"""Where to draw the line: from which probability on an intent is claimed, a mail is known, an answer is sent.

Rule: thresholds are chosen on cross-fitted scores alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mailflow.adapters.component import Matrix
from mailflow.adapters.fitting import Rows
from mailflow.errors import ModelError


def best_claim_threshold(first: Rows, intents: Matrix, wanted: Matrix) -> tuple[float, float]:
    """(threshold for a further intent, micro-F1 there). `first`: the primary of each mail."""
    claimed_anyway = np.eye(intents.shape[1], dtype=bool)[first]
    found = {}
    for threshold in np.arange(0.2, 0.81, 0.05):
        said = claimed_anyway | (intents >= threshold)
        found[round(float(threshold), 2)] = 2 * float((said * wanted).sum()) / float(said.sum() + wanted.sum())
    best = max(found, key=found.__getitem__)
    return best, found[best]


LOST = 0.05
"""Share of the mails understood rightly that may be taken for those of strangers."""


def stranger_threshold(familiarity: Matrix, right: npt.NDArray[np.bool_]) -> float:
    """The familiarity that all but LOST of the mails understood rightly reach. Raises ModelError."""
    if not right.any():
        raise ModelError("no mail was understood by what was learned from others: there are too few examples")
    return round(float(np.quantile(familiarity[right], LOST)), 4)


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
