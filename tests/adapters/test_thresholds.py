"""Where the lines are drawn."""

import numpy as np
import pytest

from mailflow.adapters.thresholds import (
    LOST,
    Operating,
    best_claim_threshold,
    lowest_safe,
    operating_points,
    stranger_threshold,
)
from mailflow.errors import ModelError


def test_the_claim_threshold_is_the_one_of_the_best_f1() -> None:
    wanted = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    intents = np.array([[0.9, 0.55, 0.1], [0.9, 0.45, 0.1]])
    assert best_claim_threshold(np.array([0, 0]), intents, wanted) == (0.5, 1.0)


def test_few_of_the_mails_that_were_understood_are_taken_for_strangers() -> None:
    familiarity = np.arange(1000.0)
    right = familiarity >= 100  # what is least familiar is never understood, and does not count
    threshold = stranger_threshold(familiarity, right)
    assert (familiarity[right] < threshold).mean() == pytest.approx(LOST, abs=0.01)


def test_where_nothing_was_understood_nothing_was_learned() -> None:
    with pytest.raises(ModelError, match="too few"):
        stranger_threshold(np.array([-1.0]), np.array([False]))


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
