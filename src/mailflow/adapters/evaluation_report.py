"""An assessment as one HTML file: no script, no request to anywhere, readable on a phone and in the dark.

Rule: text of mails is data: escaped by the template engine, its control characters taken out.
Rule: what a chart shows stands beside it as a table. Why: a chart is read by eye alone.
The charts are SVG drawn by the template; Frame says where a value lies, the template what is drawn there.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mailflow.core.certify import BOUND
from mailflow.core.classification import Action
from mailflow.core.evaluation import (
    GROUPINGS,
    KINDS,
    Assessment,
    Change,
    Difference,
    Evaluation,
    Figure,
    Group,
    Judged,
    Verdict,
    by_intent,
    changes,
    confusion,
    differences,
    figures,
    grouped,
    pairs_told_apart,
    verdicts,
)
from mailflow.core.reliability import QUESTIONS, Point, Reliability, reliability, risk_coverage

PAGES = Path(__file__).parents[1] / "pages"
TEMPLATE = "evaluation.html.j2"
THRESHOLDS = (0.99, 0.97, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)
"""At which the curve is told in numbers."""
CONFUSIONS = 15
"""How many pairs of intents are told one by one."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a share lies in a chart of `width` x `height` units; the axes end at `right_end` and `top_end`."""

    width: int
    height: int
    left: int = 46
    right: int = 22
    top: int = 14
    bottom: int = 42
    right_end: float = 1.0
    top_end: float = 1.0

    def x(self, share: float) -> float:
        return round(self.left + (self.width - self.left - self.right) * share / self.right_end, 1)

    def y(self, share: float) -> float:
        return round(self.height - self.bottom - (self.height - self.top - self.bottom) * share / self.top_end, 1)

    def ticks(self, end: float) -> list[float]:
        """Five steps from 0 to `end`."""
        return [end * step / 5 for step in range(6)]


@dataclass(frozen=True, slots=True)
class Curve:
    """Wrong answers against automation of one model."""

    name: str
    points: tuple[Point, ...]
    threshold: float
    """In force: the stricter of playbook and certificate."""
    here: Point
    """What was really done."""

    def at(self, threshold: float) -> Point:
        return [point for point in self.points if point.threshold >= threshold][-1]


@dataclass(frozen=True, slots=True)
class Comparison:
    theirs: Evaluation
    differences: tuple[Difference, ...]
    changes: dict[str, list[Change]]
    """better, worse, equal."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the template shows; it may use nothing else."""

    made_at: datetime
    assessment: Assessment
    ours: Evaluation
    figures: tuple[Figure, ...]
    verdicts: dict[Verdict, int]
    bound: float
    curves: tuple[Curve, ...]
    curve_frame: Frame
    thresholds: tuple[float, ...]
    reliabilities: tuple[Reliability, ...]
    reliability_frame: Frame
    wrong: tuple[Judged, ...]
    noticed: tuple[Judged, ...]
    """Mails that somebody would notice too: unanswered in silence, or in part."""
    labels: tuple[str, ...]
    confusion: dict[tuple[str, str], int]
    confused: tuple[tuple[str, str, int], ...]
    intents: tuple[tuple[str, int, int, int], ...]
    groups: dict[str, list[Group]]
    pairs: tuple[int, int]
    comparison: Comparison | None


def render(assessment: Assessment, *, made_at: datetime) -> str:
    """The whole file. Raises ValueError for no mails."""
    report = _report(assessment, made_at)
    values = {field.name: getattr(report, field.name) for field in fields(Report)}
    return environment().get_template(TEMPLATE).render(values)


def environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": _percent, "points": _points, "clean": _clean, "of": _of}
    return environment


def _report(assessment: Assessment, made_at: datetime) -> Report:
    ours, theirs = assessment.ours, assessment.theirs
    judged = ours.judged
    figured = figures(judged, assessment.draws)
    counts = confusion(judged)
    curves = tuple(_curve(evaluation) for evaluation in (ours, theirs) if evaluation)
    bound = ours.certificate.bound if ours.certificate else BOUND
    return Report(
        made_at=made_at,
        assessment=assessment,
        ours=ours,
        figures=figured,
        verdicts=verdicts(judged),
        bound=bound,
        curves=curves,
        curve_frame=Frame(480, 320, top_end=_rounded_up(2 * max(bound, *(curve.here.wrong for curve in curves)))),
        thresholds=THRESHOLDS,
        reliabilities=tuple(reliability(judged, question) for question in QUESTIONS),
        reliability_frame=Frame(300, 370, bottom=122),
        wrong=tuple(one for one in judged if one.verdict.is_wrong_answer),
        noticed=tuple(one for one in judged if one.verdict in (Verdict.MISSED, Verdict.INCOMPLETE)),
        labels=tuple(sorted({label for pair in counts for label in pair})),
        confusion=dict(counts),
        confused=_most_confused(counts.items()),
        intents=tuple(by_intent(judged)),
        groups={name: found for name, by in GROUPINGS.items() if (found := grouped(judged, by))},
        pairs=pairs_told_apart(judged),
        comparison=_comparison(assessment, theirs) if theirs else None,
    )


def _curve(evaluation: Evaluation) -> Curve:
    judged = evaluation.judged
    shown = evaluation.certificate.needed(()) if evaluation.certificate else 0.0
    threshold = max(evaluation.min_reply_probability, shown)
    count = verdicts(judged)
    due = sum(1 for one in judged if one.label.action is Action.REPLY)
    wrong = sum(n for verdict, n in count.items() if verdict.is_wrong_answer)
    here = Point(threshold, count[Verdict.RIGHT_REPLY] / max(1, due), wrong / len(judged))
    return Curve(f"model {evaluation.model_version}", risk_coverage(judged), threshold, here)


def _rounded_up(share: float) -> float:
    """To a multiple of 5 %, so that the ticks are whole."""
    return math.ceil(share * 20 - 1e-9) / 20


def _most_confused(counts: Iterable[tuple[tuple[str, str], int]]) -> tuple[tuple[str, str, int], ...]:
    """(labelled, said, mails), the most often first."""
    wrong = [(labelled, said, mails) for (labelled, said), mails in counts if labelled != said]
    return tuple(sorted(wrong, key=lambda one: (-one[2], one))[:CONFUSIONS])


def _comparison(assessment: Assessment, theirs: Evaluation) -> Comparison:
    ours = assessment.ours
    changed = changes(ours.judged, theirs.judged)
    return Comparison(
        theirs,
        differences(ours.judged, theirs.judged, assessment.draws),
        {kind: [one for one in changed if one.kind == kind] for kind in KINDS},
    )


def _percent(share: float | None, digits: int = 1) -> str:
    return "\u2013" if share is None else f"{100 * share:.{digits}f}\u00a0%"


def _points(difference: float | None) -> str:
    """Percentage points with their sign."""
    return "\u2013" if difference is None else f"{100 * difference:+.1f}".replace("-", "\u2212")


def _of(part: int, whole: int) -> str:
    return _percent(part / whole if whole else None)


def _clean(text: str) -> str:
    return _CONTROLS.sub("\ufffd", text)
