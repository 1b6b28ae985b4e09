"""Learn then test: the promise is kept in simulated streams, refused where mails are few, and says when it is stale."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.binomial import at_most
from mailflow.core.certify import BOUND, THRESHOLDS, Certificate, Trial, certify, problems

TODAY = date(2026, 3, 2)


def certified(trials: list[Trial], **changes: Any) -> Certificate:
    made_on = {"model_version": "m1", "rules": "r1", "holdout_sha256": "h1", "today": TODAY}
    return certify(trials, **{**made_on, **changes})


def trials(right: int = 0, wrong: int = 0, *, at: float = 0.9, intents: str = "quoting") -> list[Trial]:
    return [Trial(at, n >= right, tuple(intents.split())) for n in range(right + wrong)]


# ------------------------------------------------------------------ the promise, on simulated streams


@dataclass(frozen=True)
class World:
    """Where mails come from: a fifth of them is never answered, the others have P(right) spread over [0, 1]."""

    name: str
    wrong_at: Callable[[float], float]
    """P(wrong answer) of a mail by what the model says of it."""

    def draw(self, chance: random.Random, mails: int) -> list[Trial]:
        said = [chance.random() if chance.random() > 0.2 else 0.0 for _ in range(mails)]
        return [Trial(p, chance.random() < self.wrong_at(p) if p else False, ("quoting",)) for p in said]

    def rate(self, threshold: float | None) -> float:
        """The true share of wrong answers of all mails: the integral over [threshold, 1]."""
        if threshold is None:
            return 0.0
        steps = 2000
        points = (threshold + (1 - threshold) * (n + 0.5) / steps for n in range(steps))
        return 0.8 * (1 - threshold) * sum(map(self.wrong_at, points)) / steps


WORLDS = [
    World("calibrated", lambda p: 1 - p),
    World("too sure of itself", lambda p: min(1.0, 1.5 * (1 - p) + 0.05)),
    World("as bad at the top as anywhere", lambda p: 0.1),
    World("at the bound from the start", lambda p: 1.0 if p > 0.97 else 0.0),
]


@pytest.mark.parametrize("mails", [200, 700])
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_the_bound_is_broken_as_seldom_as_promised(world: World, mails: int) -> None:
    """In at most 5 % of the streams, plus what chance adds to 400 of them (three standard deviations)."""
    chance, streams = random.Random(mails), 400
    broken = sum(world.rate(certified(world.draw(chance, mails)).threshold) > BOUND for _ in range(streams))
    slack = 3 * (0.05 * 0.95 / streams) ** 0.5
    assert broken / streams <= 0.05 + slack


def test_more_mails_buy_a_lower_threshold() -> None:
    chance, world = random.Random(1), WORLDS[0]
    few, many = (certified(world.draw(chance, mails)).threshold or 1.0 for mails in (300, 6000))
    assert many < few
    assert world.rate(many) == pytest.approx(BOUND, abs=0.006), "with many mails little is given away"


# ------------------------------------------------------------------ one stream

STREAMS = st.lists(
    st.builds(
        Trial,
        st.sampled_from((0.0, *THRESHOLDS)) | st.floats(0, 1),
        st.booleans(),
        st.lists(st.sampled_from(("quoting", "nfr_request")), unique=True).map(tuple),
    ),
    max_size=40,
).flatmap(lambda some: st.integers(0, 400).map(lambda n: some + trials(n)))


@given(STREAMS)
def test_the_threshold_is_the_lowest_of_an_unbroken_row_of_passed_tests(stream: list[Trial]) -> None:
    found = certified(stream)

    def passes(threshold: float) -> bool:
        wrong = sum(trial.is_wrong and trial.probability >= threshold for trial in stream)
        return at_most(wrong, len(stream), BOUND) <= 1 - found.confidence

    if found.threshold is None:
        assert not passes(1.0)
        return
    assert all(passes(threshold) for threshold in THRESHOLDS if threshold >= found.threshold)
    assert found.threshold == min(THRESHOLDS) or not passes(round(found.threshold - 0.01, 2))
    assert found.answered == sum(trial.probability >= found.threshold for trial in stream)


@given(STREAMS)
def test_an_intent_is_certified_or_refused_and_never_makes_the_desk_bolder(stream: list[Trial]) -> None:
    found = certified(stream)
    named = {intent for trial in stream for intent in trial.intents}
    assert found.per_intent.keys() | found.refused.keys() == named
    assert not found.per_intent.keys() & found.refused.keys()
    for intent in named:
        assert found.needed((intent,)) >= found.needed(())
        assert found.needed((intent,)) >= found.per_intent.get(intent, 0)


@given(STREAMS, st.randoms(use_true_random=False))
def test_the_order_of_the_mails_does_not_matter(stream: list[Trial], chance: random.Random) -> None:
    shuffled = stream.copy()
    chance.shuffle(shuffled)
    assert certified(shuffled) == certified(stream)


def test_clean_mails_are_certified_from_the_count_on_that_the_bound_takes() -> None:
    assert certified(trials(148)).threshold is None
    found = certified(trials(149))
    assert found.threshold == min(THRESHOLDS)
    assert (found.n, found.answered, found.wrong) == (149, 149, 0)


def test_mistakes_end_the_search_where_they_begin() -> None:
    found = certified([*trials(600, at=0.95), *trials(wrong=50, at=0.6), *trials(600, at=0.5)])
    assert found.threshold == 0.61
    assert (found.answered, found.wrong) == (600, 0)


def test_an_intent_with_mails_enough_has_its_own_threshold() -> None:
    found = certified(
        [*trials(4000), *trials(200, 9, at=0.8, intents="rebate"), *trials(250, at=0.99, intents="rebate")]
    )
    assert found.threshold == min(THRESHOLDS), "9 of 4,459 are few"
    assert found.per_intent == {"quoting": min(THRESHOLDS), "rebate": 0.81}
    assert found.needed(("quoting",)) == min(THRESHOLDS)
    assert found.needed(("quoting", "rebate")) == 0.81


def test_an_intent_with_few_mails_is_refused_with_the_number_it_needs() -> None:
    found = certified([*trials(1000), *trials(30, 1, intents="rebate")])
    assert (found.refused["rebate"].n, found.refused["rebate"].wrong, found.refused["rebate"].needed) == (31, 1, 236)
    assert found.needed(("rebate",)) == found.threshold


@pytest.mark.parametrize("stream", [[], trials(20), trials(wrong=500, at=1.0)], ids=["none", "few", "all wrong"])
def test_where_nothing_is_shown_nothing_may_be_answered(stream: list[Trial]) -> None:
    found = certified(stream)
    assert found.threshold is None
    assert found.needed(("quoting",)) > 1
    assert found.sentence.startswith("not shown: at most 2.0% of all mails")
    (problem,) = problems(found, model_version="m1", rules="r1", holdout_sha256="h1")
    assert problem.endswith("until then nothing is answered")


def test_the_needed_mails_count_the_mistakes_that_were_made() -> None:
    assert "it takes 149 or more" in certified(trials(20)).sentence
    assert "it takes 236 or more" in certified(trials(20, 1, at=1.0)).sentence


# ------------------------------------------------------------------ the certificate


def test_a_certificate_says_what_is_promised_and_on_what_it_rests() -> None:
    assert certified([*trials(690, at=0.95), *trials(wrong=10, at=0.7)]).sentence == (
        "at most 2.0% of all mails get a wrong answer, with 95% confidence, on mail like the held-out: "
        "0 of 700 held-out mails did, 690 were answered from P(right answer) 0.71 on"
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"model_version": "m2"}, "is of model m1, not of m2"),
        ({"rules": "r2"}, "other rules"),
        ({"holdout_sha256": "h2"}, "other held-out mails"),
    ],
)
def test_a_stale_certificate_says_why(changed: dict[str, str], told: str) -> None:
    made_on = {"model_version": "m1", "rules": "r1", "holdout_sha256": "h1"}
    found = certified(trials(200))
    assert problems(found, **made_on) == []
    (problem,) = problems(found, **{**made_on, **changed})
    assert told in problem and "run `mailflow certify`" in problem


def test_a_certificate_survives_being_stored() -> None:
    found = certified([*trials(300), *trials(10, intents="rebate")])
    assert Certificate.model_validate_json(found.model_dump_json()) == found


def test_no_certificate_is_a_problem() -> None:
    (problem,) = problems(None, model_version="m1", rules="r1", holdout_sha256="h1")
    assert problem.startswith("is missing")
