"""Whether probabilities are to be believed, and what a threshold on them buys. Pure.

reliability     of the mails of which the model says 0.8, do 8 in 10 come true (DeGroot and Fienberg 1983)
risk_coverage   wrong answers against automation, as the threshold on P(right answer) falls (El-Yaniv, Wiener 2010)
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mailflow.core.binomial import Interval, clopper_pearson
from mailflow.core.classification import Action
from mailflow.core.evaluation import Judged, Verdict

BINS = 10
"""Of equal width, so that a bin means the same in each diagram."""

Forecast = tuple[float, bool]
"""(what was said, whether it came true)."""


@dataclass(frozen=True, slots=True)
class Bin:
    low: float
    high: float
    mails: int
    said: float
    """The mean of what was said."""
    true: int
    interval: Interval
    """Of the rate at which it came true."""

    @property
    def rate(self) -> float:
        return self.true / self.mails


@dataclass(frozen=True, slots=True)
class Reliability:
    name: str
    event: str
    """What must come true."""
    bins: tuple[Bin, ...]
    """Those that hold a mail."""

    @property
    def mails(self) -> int:
        return sum(one.mails for one in self.bins)

    @property
    def error(self) -> float:
        """The expected calibration error: how far what is said lies from what comes true, in the mean over mails."""
        return sum(one.mails * abs(one.said - one.rate) for one in self.bins) / max(1, self.mails)


@dataclass(frozen=True, slots=True)
class Question:
    """One probability that the model gives of a mail, and what must be so for it to have been true."""

    name: str
    event: str
    of: Callable[[Judged], Forecast | None]


def _of_reply(one: Judged) -> Forecast | None:
    if not one.said:
        return None
    return one.classification.actions.reply, not one.label.verdict(Action.REPLY, one.said).is_wrong_answer


def _of_primary(one: Judged) -> Forecast | None:
    primary = one.classification.primary
    return None if primary is None else (primary.confidence, primary.intent == one.label.intents[0])


QUESTIONS = (
    Question("P(reply)", "an answer to what the model says is asked would be right", _of_reply),
    Question(
        "P(review)",
        "a person is needed",
        lambda one: (one.classification.actions.review, one.label.action is Action.REVIEW),
    ),
    Question("P(none)", "nobody waits", lambda one: (one.classification.actions.none, one.label.action is Action.NONE)),
    Question("primary intent", "the primary intent is the labelled one", _of_primary),
)


def reliability(judged: Iterable[Judged], question: Question) -> Reliability:
    forecasts = [forecast for one in judged if (forecast := question.of(one)) is not None]
    return Reliability(question.name, question.event, tuple(_bins(forecasts)))


def _bins(forecasts: Sequence[Forecast]) -> Iterable[Bin]:
    for place in range(BINS):
        inside = [one for one in forecasts if min(int(one[0] * BINS), BINS - 1) == place]
        if inside:
            true = sum(came for _, came in inside)
            said = sum(said for said, _ in inside) / len(inside)
            interval = clopper_pearson(true, len(inside))
            yield Bin(place / BINS, (place + 1) / BINS, len(inside), said, true, interval)


@dataclass(frozen=True, slots=True)
class Point:
    """What answering from `threshold` on does."""

    threshold: float
    automation: float
    """Right answers of the answerable."""
    wrong: float
    """Wrong answers of all mails."""


def risk_coverage(judged: Sequence[Judged]) -> tuple[Point, ...]:
    """A point for each P(right answer) at which one more answer goes out, the strictest first; all else as decided.

    The first point is that of answering nothing, its threshold above 1.
    """
    trials = [(one.trial, one.label.verdict(Action.REPLY, one.if_sure)) for one in judged if one.if_sure]
    due = max(1, sum(one.label.action is Action.REPLY for one in judged))
    points, right, wrong = [Point(1.01, 0.0, 0.0)], 0, 0
    for trial, verdict in sorted(trials, key=lambda one: -one[0].probability):
        right, wrong = right + (verdict is Verdict.RIGHT_REPLY), wrong + trial.is_wrong
        if points[-1].threshold == trial.probability:
            points.pop()
        points.append(Point(trial.probability, right / due, wrong / len(judged)))
    return tuple(points)
