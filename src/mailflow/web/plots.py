"""Plots as values: where each bar and label stands. Pure; pages/_plots.svg.j2 draws them, the page's CSS colours them.

Rule: no plot without its table: what is drawn stands beside it in figures, for those who do not see it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 10, 26
ROW = 24
LABEL_WIDTH = 210


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    kind: str
    """A CSS class."""
    says: str
    """For the title: `2026-03-02: 4 answered`."""


@dataclass(frozen=True, slots=True)
class Label:
    x: float
    y: float
    text: str
    anchor: str = "start"
    """Which end of the text stands at `x`: start, middle or end."""


@dataclass(frozen=True, slots=True)
class Plot:
    title: str
    width: int
    height: int
    bars: tuple[Bar, ...]
    labels: tuple[Label, ...]
    lines: tuple[float, ...]
    """The y of the horizontal lines."""
    kinds: tuple[str, ...]
    """For the legend."""


def nice_top(most: float) -> int:
    """The least of 1, 2, 5 times a power of ten that is not under `most`."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if factor * step >= most:
                return factor * step
        step *= 10


def columns(title: str, values: Sequence[tuple[str, Mapping[str, int]]], kinds: Sequence[str]) -> Plot:
    """A column for each of `values` (name, kind -> count), its kinds one on the other."""
    top = nice_top(max((sum(of.values()) for _, of in values), default=1) or 1)
    inner_height, inner_width = HEIGHT - TOP - BOTTOM, WIDTH - LEFT - RIGHT
    step = inner_width / max(len(values), 1)
    bars: list[Bar] = []
    for n, (name, of) in enumerate(values):
        y = TOP + float(inner_height)
        for kind in kinds:
            height = inner_height * of.get(kind, 0) / top
            if height:
                y -= height
                says = f"{name}: {of[kind]} {kind}"
                bars.append(Bar(round(LEFT + n * step + step * 0.1, 1), round(y, 1), *_size(step, height), kind, says))
    every = max(1, len(values) // 8)
    names = [
        Label(round(LEFT + (n + 0.5) * step, 1), HEIGHT - 8, name, "middle")
        for n, (name, _) in enumerate(values)
        if n % every == 0
    ]
    marks = [
        Label(LEFT - 6, round(TOP + inner_height * (1 - share) + 4, 1), str(round(top * share)), "end")
        for share in (0, 1)
    ]
    lines = tuple(TOP + inner_height * (1 - share) for share in (0, 0.5, 1))
    return Plot(title, WIDTH, HEIGHT, tuple(bars), (*names, *marks), lines, tuple(kinds))


def rows(title: str, values: Sequence[tuple[str, Mapping[str, int]]], kinds: Sequence[str]) -> Plot:
    """A bar to the right for each of `values`, its kinds one behind the other, its sum at the end."""
    most = max((sum(of.values()) for _, of in values), default=1) or 1
    inner = WIDTH - LABEL_WIDTH - 50
    bars: list[Bar] = []
    labels: list[Label] = []
    for n, (name, of) in enumerate(values):
        x, y = float(LABEL_WIDTH), n * ROW + 4
        labels.append(Label(LABEL_WIDTH - 8, y + 13, name, "end"))
        for kind in kinds:
            width = inner * of.get(kind, 0) / most
            if width:
                bars.append(Bar(round(x, 1), y, round(width, 1), ROW - 8, kind, f"{name}: {of[kind]} {kind}"))
                x += width
        labels.append(Label(round(x + 6, 1), y + 13, str(sum(of.values()))))
    return Plot(title, WIDTH, max(len(values), 1) * ROW + 4, tuple(bars), tuple(labels), (), tuple(kinds))


def _size(step: float, height: float) -> tuple[float, float]:
    return round(step * 0.8, 1), round(height, 1)
