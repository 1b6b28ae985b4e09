"""Plots as values: where each bar and label stands. Pure; pages/_plots.svg.j2 draws them, the page's CSS colours them.

Rule: no plot without its table: what is drawn stands beside it in figures, for those who do not see it.
Rule: names and figures of rows are words of the page, not of the drawing, so that they are as large as all others on a
narrow screen; a drawing of columns has eight labels at most, which are larger there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 60, 8, 14, 32
LABELS = 8
ROW = 100
"""Width of the drawing of one row, which is as wide as there is room."""


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


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    total: int
    bars: tuple[Bar, ...]
    of: Mapping[str, int]
    """kind -> count."""

    @property
    def pair(self) -> tuple[str, Mapping[str, int]]:
        return self.name, self.of


@dataclass(frozen=True, slots=True)
class Rows:
    title: str
    rows: tuple[Row, ...]
    kinds: tuple[str, ...]


def nice_top(most: float) -> int:
    """The least of 1, 2, 5 times a power of ten that is not under `most`."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if factor * step >= most:
                return factor * step
        step *= 10


def columns(
    title: str,
    values: Sequence[tuple[str, Mapping[str, int]]],
    kinds: Sequence[str],
    words: Mapping[str, str] = MappingProxyType({}),
) -> Plot:
    """A column for each of `values` (name, kind -> count), its kinds one on the other. `words`: for the kinds."""
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
                says = f"{name}: {of[kind]} {words.get(kind, kind)}"
                bars.append(Bar(round(LEFT + n * step + step * 0.1, 1), round(y, 1), *_size(step, height), kind, says))
    every = max(1, -(-len(values) // LABELS))
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


def rows(title: str, values: Sequence[tuple[str, Mapping[str, int]]], kinds: Sequence[str]) -> Rows:
    """A bar to the right for each of `values`, its kinds one behind the other."""
    most = max((sum(of.values()) for _, of in values), default=1) or 1
    return Rows(title, tuple(_row(name, of, kinds, most) for name, of in values), tuple(kinds))


def _row(name: str, of: Mapping[str, int], kinds: Sequence[str], most: int) -> Row:
    bars: list[Bar] = []
    x = 0.0
    for kind in kinds:
        width = ROW * of.get(kind, 0) / most
        if width:
            bars.append(Bar(round(x, 2), 0, round(width, 2), 1, kind, f"{name}: {of[kind]} {kind}"))
            x += width
    return Row(name, sum(of.values()), tuple(bars), of)


def _size(step: float, height: float) -> tuple[float, float]:
    return round(step * 0.8, 1), round(height, 1)
