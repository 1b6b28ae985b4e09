"""How well decisions agree with labels. Pure: labels and decisions in, figures out.

A wrong answer (a person or silence was due, or something else was asked) is counted apart from everything else, because
it costs more than all other mistakes. An answer that leaves out a question is told, but not counted as wrong.

Rule: no figure without its 95 % interval: exact (Clopper-Pearson) for rates, percentiles of the bootstrap for the rest.
Rule: two models are compared on the same mails, mail by mail, in the same draws (paired bootstrap).
Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 8 and 13.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mailflow.core.binomial import CONFIDENCE, Interval, clopper_pearson
from mailflow.core.certify import Certificate, Trial
from mailflow.core.classification import Action, Classification
from mailflow.core.message import Role
from mailflow.core.policy import UNSURE_ACTION, Decision

Draws = Sequence[Sequence[int]]
"""Resamples of a list of mails: places in it, drawn with replacement, as many as it has."""


class Verdict(StrEnum):
    RIGHT_REPLY = "right reply"
    WRONG_REPLY = "wrong reply"
    """A person was needed, or silence."""
    WRONG_PATH = "wrong path"
    """Answers something that was not asked."""
    INCOMPLETE = "incomplete reply"
    """Leaves a question without its path."""
    HELD_NEEDLESSLY = "held needlessly"
    MISSED = "missed"
    """Silence where somebody waited."""
    RIGHT_REVIEW = "right review"
    RIGHT_SILENCE = "right silence"

    @property
    def harm(self) -> int:
        """An order, not a price: 0 for what is right, 4 for a wrong answer."""
        return _HARM.get(self, 0)

    @property
    def is_wrong_answer(self) -> bool:
        return self in (Verdict.WRONG_REPLY, Verdict.WRONG_PATH)


_HARM = {
    Verdict.HELD_NEEDLESSLY: 1,
    Verdict.INCOMPLETE: 2,
    Verdict.MISSED: 3,
    Verdict.WRONG_PATH: 4,
    Verdict.WRONG_REPLY: 4,
}


@dataclass(frozen=True, slots=True)
class Label:
    """What a careful specialist says of a mail."""

    name: str
    language: str
    author: str
    role: Role
    intents: tuple[str, ...]
    """The primary first."""
    action: Action
    pair: str = ""
    """Shared by the two mails of a minimal pair."""
    subject: str = ""

    def verdict(self, action: Action, answered: Collection[str]) -> Verdict:
        """Of doing `action`, and of answering these intents where that is to reply."""
        match action:
            case Action.REVIEW:
                return Verdict.RIGHT_REVIEW if self.action is Action.REVIEW else Verdict.HELD_NEEDLESSLY
            case Action.NONE:
                return Verdict.RIGHT_SILENCE if self.action is Action.NONE else Verdict.MISSED
        if self.action is not Action.REPLY:
            return Verdict.WRONG_REPLY
        if set(answered) - set(self.intents):
            return Verdict.WRONG_PATH
        return Verdict.INCOMPLETE if set(self.intents) - set(answered) else Verdict.RIGHT_REPLY


@dataclass(frozen=True, slots=True)
class Judged:
    """One labelled mail and what was made of it."""

    label: Label
    classification: Classification
    decision: Decision

    @property
    def said(self) -> tuple[str, ...]:
        """Intents by the model, the primary first."""
        return tuple(score.intent for score in self.classification.intents)

    @property
    def answered(self) -> tuple[str, ...]:
        return tuple(part.intent for part in self.decision.answers)

    @property
    def verdict(self) -> Verdict:
        return self.label.verdict(self.decision.action, self.answered)

    @property
    def if_sure(self) -> tuple[str, ...]:
        """The intents that would be answered at P(right answer) = 1; () where anything else speaks against it."""
        doubts = [reason.code for reason in self.decision.reasons]
        return tuple(part.intent for part in self.decision.draft) if doubts == [UNSURE_ACTION] else self.answered

    @property
    def trial(self) -> Trial:
        answered = self.if_sure
        if not answered:
            return Trial(0.0, is_wrong=False, intents=self.said)
        is_wrong = self.label.verdict(Action.REPLY, answered).is_wrong_answer
        return Trial(self.classification.actions.reply, is_wrong, self.said)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One model, under one playbook, over labelled mails."""

    model_version: str
    min_reply_probability: float
    """The playbook's."""
    certificate: Certificate | None
    judged: tuple[Judged, ...]


@dataclass(frozen=True, slots=True)
class Assessment:
    """All that is reported of a model."""

    mails: tuple[str, ...]
    """Where the labelled mails came from."""
    ours: Evaluation
    theirs: Evaluation | None
    """Another model's, on the same mails in the same order."""
    draws: Draws
    is_calibration: bool
    """Whether our certificate was made on some of these very mails."""


# --- figures ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measure:
    """A share: the sum of `top` over the sum of `bottom`, each a count a mail."""

    name: str
    of: str
    top: Callable[[Judged], int]
    bottom: Callable[[Judged], int]
    is_rate: bool = True
    """Whether `top` and `bottom` are 0 or 1, so that it is a binomial rate."""


MEASURES = (
    Measure("wrong answers", "of all mails", lambda one: one.verdict.is_wrong_answer, lambda _: 1),
    Measure("wrong of the sent", "of the answers", lambda one: one.verdict.is_wrong_answer, lambda one: _is_sent(one)),
    Measure(
        "automation", "of the answerable", lambda one: one.verdict is Verdict.RIGHT_REPLY, lambda one: _is_due(one)
    ),
    Measure("action right", "of all mails", lambda one: one.decision.action is one.label.action, lambda _: 1),
    Measure("primary right", "of all mails", lambda one: one.said[:1] == one.label.intents[:1], lambda _: 1),
    Measure(
        "intents, micro-F1",
        "of what was labelled and said",
        lambda one: 2 * len(set(one.label.intents) & set(one.said)),
        lambda one: len(set(one.label.intents)) + len(set(one.said)),
        is_rate=False,
    ),
)


def _is_sent(one: Judged) -> bool:
    return one.decision.action is Action.REPLY


def _is_due(one: Judged) -> bool:
    return one.label.action is Action.REPLY


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    of: str
    value: float | None
    """None where there is nothing that it could be a share of."""
    interval: Interval
    top: int
    bottom: int


def figures(judged: Sequence[Judged], draws: Draws) -> tuple[Figure, ...]:
    """Each of MEASURES. Raises ValueError for no mails."""
    if not judged:
        raise ValueError("no labelled mails")
    return tuple(_figure(measure, judged, draws) for measure in MEASURES)


def _figure(measure: Measure, judged: Sequence[Judged], draws: Draws) -> Figure:
    tops, bottoms = _counts(measure, judged)
    top, bottom = sum(tops), sum(bottoms)
    interval = clopper_pearson(top, bottom) if measure.is_rate else _middle(_ratios(tops, bottoms, draws))
    return Figure(measure.name, measure.of, top / bottom if bottom else None, interval, top, bottom)


def _counts(measure: Measure, judged: Sequence[Judged]) -> tuple[list[int], list[int]]:
    return [int(measure.top(one)) for one in judged], [int(measure.bottom(one)) for one in judged]


def _ratios(tops: Sequence[int], bottoms: Sequence[int], draws: Draws) -> list[float | None]:
    sums = ((sum(map(tops.__getitem__, draw)), sum(map(bottoms.__getitem__, draw))) for draw in draws)
    return [top / bottom if bottom else None for top, bottom in sums]


def _middle(values: Iterable[float | None]) -> Interval:
    """The middle 95 % of the draws that have a value."""
    ordered = sorted(value for value in values if value is not None)
    if not ordered:
        return Interval(0.0, 1.0)
    cut = int(len(ordered) * (1 - CONFIDENCE) / 2)
    return Interval(ordered[cut], ordered[-1 - cut])


def verdicts(judged: Iterable[Judged]) -> dict[Verdict, int]:
    """All of them, in the order in which they are declared."""
    counts = Counter(one.verdict for one in judged)
    return {verdict: counts[verdict] for verdict in Verdict}


# --- two models on the same mails -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    name: str
    ours: float | None
    theirs: float | None
    value: float | None
    """Ours less theirs; None where one of them has no value."""
    interval: Interval

    @property
    def is_proved(self) -> bool:
        """Whether 0 lies outside of the interval."""
        return self.value is not None and not self.interval.low <= 0 <= self.interval.high


@dataclass(frozen=True, slots=True)
class Change:
    """A mail with which the two do different things."""

    ours: Judged
    theirs: Judged

    @property
    def kind(self) -> str:
        """One of KINDS: what ours does."""
        ours, theirs = self.ours.verdict.harm, self.theirs.verdict.harm
        return "better" if ours < theirs else "worse" if ours > theirs else "equal"


KINDS = ("better", "worse", "equal")


def differences(ours: Sequence[Judged], theirs: Sequence[Judged], draws: Draws) -> tuple[Difference, ...]:
    """Of each of MEASURES, over the same mails in the same order."""
    return tuple(_difference(measure, _paired(ours, theirs), draws) for measure in MEASURES)


def _difference(measure: Measure, pairs: Sequence[tuple[Judged, Judged]], draws: Draws) -> Difference:
    ours, theirs = (_counts(measure, side) for side in zip(*pairs, strict=True))
    ours_drawn, theirs_drawn = _ratios(*ours, draws), _ratios(*theirs, draws)
    (our_value,), (their_value,) = (_ratios(*side, [range(len(pairs))]) for side in (ours, theirs))
    drawn = [_less(one, other) for one, other in zip(ours_drawn, theirs_drawn, strict=True)]
    interval = _middle(drawn) if any(one is not None for one in drawn) else Interval(-1.0, 1.0)
    return Difference(measure.name, our_value, their_value, _less(our_value, their_value), interval)


def _less(ours: float | None, theirs: float | None) -> float | None:
    return None if ours is None or theirs is None else ours - theirs


def changes(ours: Sequence[Judged], theirs: Sequence[Judged]) -> list[Change]:
    """The mails whose decision differs, in their order."""
    return [
        Change(one, other)
        for one, other in _paired(ours, theirs)
        if (one.decision.action, set(one.answered)) != (other.decision.action, set(other.answered))
    ]


def _paired(ours: Sequence[Judged], theirs: Sequence[Judged]) -> list[tuple[Judged, Judged]]:
    pairs = list(zip(ours, theirs, strict=True))
    if any(one.label != other.label for one, other in pairs):
        raise ValueError("the two were not judged on the same mails")
    return pairs


# --- tables -----------------------------------------------------------------------------------------------------------

_SIDES: dict[Action, str] = {Action.REPLY: "answer", Action.REVIEW: "hold", Action.NONE: "ignore"}
GROUPINGS: dict[str, Callable[[Judged], str]] = {
    "primary intent": lambda one: one.label.intents[0],
    "role": lambda one: one.label.role.value,
    "language": lambda one: one.label.language,
    "author": lambda one: one.label.author,
    "side of a minimal pair": lambda one: f"the side to {_SIDES[one.label.action]}" if one.label.pair else "",
}


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    judged: tuple[Judged, ...]

    @property
    def action_right(self) -> int:
        return sum(one.decision.action is one.label.action for one in self.judged)

    @property
    def primary_right(self) -> int:
        return sum(one.said[:1] == one.label.intents[:1] for one in self.judged)


def grouped(judged: Iterable[Judged], by: Callable[[Judged], str]) -> list[Group]:
    """The largest first; mails with '' belong to none."""
    members: dict[str, list[Judged]] = {}
    for one in judged:
        members.setdefault(by(one), []).append(one)
    groups = [Group(name, tuple(some)) for name, some in members.items() if name]
    return sorted(groups, key=lambda group: (-len(group.judged), group.name))


def pairs_told_apart(judged: Iterable[Judged]) -> tuple[int, int]:
    """(minimal pairs of which both mails got their action, minimal pairs of which both are here)."""
    pairs = [group.judged for group in grouped(judged, lambda one: one.label.pair) if len(group.judged) > 1]
    return sum(all(one.decision.action is one.label.action for one in pair) for pair in pairs), len(pairs)


def by_intent(judged: Collection[Judged]) -> list[tuple[str, int, int, int]]:
    """(intent, labelled, found, said wrongly) for each, the most often confused first."""
    names = {name for one in judged for name in (*one.label.intents, *one.said)}
    rows = [
        (
            name,
            sum(name in one.label.intents for one in judged),
            sum(name in one.label.intents and name in one.said for one in judged),
            sum(name in one.said and name not in one.label.intents for one in judged),
        )
        for name in names
    ]
    return sorted(rows, key=lambda row: (row[2] - row[1] - row[3], row[0]))


def confusion(judged: Iterable[Judged]) -> Counter[tuple[str, str]]:
    """(labelled primary, said primary) -> mails; said is '' where the model abstained."""
    return Counter((one.label.intents[0], one.said[0] if one.said else "") for one in judged)
