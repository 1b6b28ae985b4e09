"""What a count of mistakes says of the rate behind it: exact binomial tails and Clopper-Pearson intervals.

Rule: no normal approximation. Why: the counts here are small (0 to 20 wrong answers), where it promises too much.
Source: Clopper and Pearson, Biometrika 26 (1934).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

CONFIDENCE = 0.95
_HALVINGS = 60
"""Of the interval [0, 1]: below the spacing of doubles."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends belong to it."""

    low: float
    high: float


def at_most(successes: int, trials: int, rate: float) -> float:
    """P(X <= successes) for X ~ Binomial(trials, rate)."""
    if successes < 0:
        return 0.0
    if successes >= trials or rate <= 0:
        return 1.0
    if rate >= 1:
        return 0.0
    log_hit, log_miss, log_all = math.log(rate), math.log1p(-rate), math.lgamma(trials + 1)
    terms = (
        log_all - math.lgamma(k + 1) - math.lgamma(trials - k + 1) + k * log_hit + (trials - k) * log_miss
        for k in range(successes + 1)
    )
    return min(1.0, math.fsum(map(math.exp, terms)))


def clopper_pearson(successes: int, trials: int, confidence: float = CONFIDENCE) -> Interval:
    """The two-sided interval of the rate; [0, 1] where nothing was tried."""
    if 2 * successes > trials:  # the shorter tail is the cheaper one
        mirrored = clopper_pearson(trials - successes, trials, confidence)
        return Interval(1 - mirrored.high, 1 - mirrored.low)
    if not trials:
        return Interval(0.0, 1.0)
    tail = (1 - confidence) / 2
    low = _falls_to(1 - tail, lambda rate: at_most(successes - 1, trials, rate)) if successes else 0.0
    return Interval(low, _falls_to(tail, lambda rate: at_most(successes, trials, rate)))


def trials_needed(successes: int, rate: float, confidence: float) -> int:
    """The fewest trials at which so many successes show that the rate is at most `rate` (0 < rate < 1)."""
    low, high = successes, max(1, successes)
    while at_most(successes, high, rate) > 1 - confidence:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if at_most(successes, middle, rate) > 1 - confidence else (low, middle)
    return high


def _falls_to(target: float, falling: Callable[[float], float]) -> float:
    """Where a function that falls from 1 to 0 over [0, 1] meets `target`."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > target else (low, middle)
    return high
