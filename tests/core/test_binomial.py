"""Exact binomial arithmetic, compared with another implementation and with the counts one knows by heart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from mailflow.core.binomial import at_most, clopper_pearson, trials_needed

COUNTS = st.integers(0, 400).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials)))
RATES = st.floats(0, 1)


@given(COUNTS, RATES)
def test_the_tail_is_that_of_another_implementation(counts: tuple[int, int], rate: float) -> None:
    successes, trials = counts
    assert at_most(successes, trials, rate) == pytest.approx(binom.cdf(successes, trials, rate), rel=1e-9, abs=1e-12)


@given(COUNTS, st.floats(0.5, 0.999))
def test_the_interval_is_that_of_the_beta_quantiles(counts: tuple[int, int], confidence: float) -> None:
    successes, trials = counts
    found, tail = clopper_pearson(successes, trials, confidence), (1 - confidence) / 2
    low = beta.ppf(tail, successes, trials - successes + 1) if successes else 0.0
    high = beta.ppf(1 - tail, successes + 1, trials - successes) if successes < trials else 1.0
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


@given(COUNTS)
def test_the_interval_holds_what_was_seen(counts: tuple[int, int]) -> None:
    successes, trials = counts
    found = clopper_pearson(successes, trials)
    assert 0 <= found.low <= (successes / trials if trials else 0.5) <= found.high <= 1


@given(st.integers(0, 2000), st.floats(0.01, 0.99))
def test_a_tail_of_fewer_successes_is_no_larger(trials: int, rate: float) -> None:
    tails = [at_most(successes, trials, rate) for successes in range(-1, min(trials, 30) + 1)]
    assert tails == sorted(tails)
    assert tails[0] == 0


@pytest.mark.parametrize(("rate", "expected"), [(0.0, 1.0), (1.0, 0.0)])
def test_rates_at_the_ends_leave_no_doubt(rate: float, expected: float) -> None:
    assert at_most(3, 10, rate) == expected


@pytest.mark.parametrize(
    ("wrong", "rate", "confidence", "needed"),
    [(0, 0.01, 0.9, 230), (1, 0.01, 0.9, 388), (0, 0.02, 0.95, 149), (1, 0.02, 0.95, 236), (7, 0.02, 0.95, 655)],
)
def test_how_many_mails_a_claim_needs(wrong: int, rate: float, confidence: float, needed: int) -> None:
    """Clean, a bound of 2 % at 95 % needs ln(0.05) / ln(0.98) = 148.3 mails."""
    assert trials_needed(wrong, rate, confidence) == needed


@given(st.integers(0, 20), st.floats(0.01, 0.5), st.floats(0.5, 0.99))
def test_one_mail_fewer_would_not_do(wrong: int, rate: float, confidence: float) -> None:
    needed = trials_needed(wrong, rate, confidence)
    assert at_most(wrong, needed, rate) <= 1 - confidence
    assert needed == 1 or at_most(wrong, needed - 1, rate) > 1 - confidence
