"""From which P(right answer) on the desk may answer, so that wrong answers stay rare, and how sure that is.

Learn then test (Angelopoulos, Bates, Candes, Jordan, Lei 2021, arXiv 2110.01052), by fixed-sequence testing: the
thresholds are tried from the strictest down; each is a test of "wrong answers are more than the bound" on mails that no
model has learned from, with an exact binomial tail as its p-value; the first that cannot be refuted ends the search.
As the order does not depend on the mails, no correction for many tests is due, and the whole search errs with a
probability of at most 1 - confidence.

Rule: a claim that the mails do not carry is refused, with the number of mails that it would need.
Rule: an intent's own threshold only ever makes the desk stricter, so that the bound over all mails stays true.
Why of all mails and not of the answered ones: a person reads every mail that is held anyway; what the desk must know is
how many of the mails that come in will have to be apologised for.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import takewhile

from pydantic import BaseModel, ConfigDict

from mailflow.core.binomial import CONFIDENCE, at_most, trials_needed

BOUND = 0.02
"""Share of all mails that may get a wrong answer. Why 2 %: one in fifty is what a desk can still apologise for, and to
show 1 % takes 2,000 held-out mails. The playbook may ask for more."""
THRESHOLDS = tuple(step / 100 for step in range(100, 0, -1))
"""The fixed sequence. Why fixed: thresholds picked among the mails' own probabilities would void the test."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One labelled mail and what an answer to it would be, whatever the threshold."""

    probability: float
    """P(right answer), in [0, 1]; 0 where the rest of the policy holds the mail anyway."""
    is_wrong: bool
    """Whether an answer, if it went out, would be wrong."""
    intents: tuple[str, ...]
    """What the model says the mail is about."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Refusal(_Frozen):
    """No claim is made of this intent by itself; the bound over all mails covers it."""

    n: int
    wrong: int
    """Wrong answers at the threshold of all mails."""
    needed: int
    """Mails at which so many wrong ones would carry the claim."""


class Certificate(_Frozen):
    """What was shown of one model, on one stream of mails, under one playbook."""

    bound: float
    confidence: float
    n: int
    answered: int
    wrong: int
    """Answers, and wrong ones among them, of the `n` mails at `threshold` (the strictest one where that is None)."""
    threshold: float | None
    """The lowest P(right answer) for which the bound holds; None if it could not be shown for any."""
    per_intent: dict[str, float]
    """The same among the mails that are said to have the intent."""
    refused: dict[str, Refusal]
    date: date
    model_version: str
    rules: str
    """Playbook.answering_rules that the mails were decided by."""
    holdout_sha256: str

    def needed(self, intents: Sequence[str]) -> float:
        """The least P(right answer) for an answer to `intents`; infinite where nothing may be answered."""
        if self.threshold is None:
            return math.inf
        return max([self.threshold, *(self.per_intent.get(intent, 0.0) for intent in intents)])

    @property
    def sentence(self) -> str:
        """For people: what is promised, and on what it rests."""
        promise = f"at most {self.bound:.1%} of all mails get a wrong answer, with {self.confidence:.0%} confidence"
        if self.threshold is None:
            needed = trials_needed(self.wrong, self.bound, self.confidence)
            return f"not shown: {promise}. {self.n} held-out mails do not carry that, it takes {needed} or more"
        seen = f"{self.wrong} of {self.n} held-out mails did, {self.answered} were answered"
        return f"{promise}, on mail like the held-out: {seen} from P(right answer) {self.threshold:.2f} on"


def problems(certificate: Certificate | None, *, model_version: str, rules: str, holdout_sha256: str) -> list[str]:
    """Why nothing, or not enough, is shown of the desk as it is now."""
    if certificate is None:
        return ["is missing, so nothing is shown of the model: run `mailflow certify`"]
    stale = (
        (
            certificate.model_version != model_version,
            f"is of model {certificate.model_version}, not of {model_version}",
        ),
        (
            certificate.rules != rules,
            "was made under other rules: intents, facts or thresholds of the playbook changed",
        ),
        (certificate.holdout_sha256 != holdout_sha256, "was made on other held-out mails"),
    )
    refused = [f"{certificate.sentence}; until then nothing is answered"] if certificate.threshold is None else []
    return [*(f"{what}: run `mailflow certify`" for is_so, what in stale if is_so), *refused]


@dataclass(frozen=True, slots=True)
class _Tested:
    """The lowest threshold that passed, None if none did, and what answering from it on would have done."""

    threshold: float | None
    answered: int
    wrong: int


def certify(
    trials: Sequence[Trial],
    *,
    model_version: str,
    rules: str,
    holdout_sha256: str,
    today: date,
    bound: float = BOUND,
    confidence: float = CONFIDENCE,
) -> Certificate:
    """The certificate for a stream of labelled mails. Pure; no mails at all are a refusal too."""
    overall = _lowest(trials, bound, confidence)
    per_intent, refused = {}, {}
    for intent in sorted({intent for trial in trials for intent in trial.intents}):
        own = [trial for trial in trials if intent in trial.intents]
        tested = _lowest(own, bound, confidence)
        if tested.threshold is not None:
            per_intent[intent] = tested.threshold
        else:
            wrong = _answers(own, overall.threshold)[1]
            refused[intent] = Refusal(n=len(own), wrong=wrong, needed=trials_needed(wrong, bound, confidence))
    return Certificate(
        bound=bound,
        confidence=confidence,
        n=len(trials),
        answered=overall.answered,
        wrong=overall.wrong,
        threshold=overall.threshold,
        per_intent=per_intent,
        refused=refused,
        date=today,
        model_version=model_version,
        rules=rules,
        holdout_sha256=holdout_sha256,
    )


def _lowest(trials: Sequence[Trial], bound: float, confidence: float) -> _Tested:
    def is_shown(threshold: float) -> bool:
        return at_most(_answers(trials, threshold)[1], len(trials), bound) <= 1 - confidence

    passed = list(takewhile(is_shown, THRESHOLDS))
    threshold = passed[-1] if passed else None
    return _Tested(threshold, *_answers(trials, threshold))


def _answers(trials: Sequence[Trial], threshold: float | None) -> tuple[int, int]:
    """(answers, wrong ones among them) from `threshold` on, from the strictest where there is none."""
    threshold = THRESHOLDS[0] if threshold is None else threshold
    sent = [trial.is_wrong for trial in trials if trial.probability >= threshold]
    return len(sent), sum(sent)
