"""Draws what the benchmarks found and writes it into docs/benchmarks.md: python -m benchmarks.plots

benchmarks/results/NAME.json -> docs/plots/NAME.svg
                             -> the table between <!-- NAME --> and <!-- end --> of docs/benchmarks.md
"""

import json
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.loopback import RESULTS

DOCS = Path(__file__).parents[1] / "docs"
COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#a463f2", "#9c6b4e", "#97bbf5", "#9498a0")
WIDTH, LEFT, RIGHT, TOP = 720, 230, 24, 44
MIB, MEGABYTES = 1 << 20, 400
BOUND = "#b00020"

Found = Mapping[str, Any]
Rows = Sequence[Sequence[str]]


# --- drawing ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Sheet:
    """One drawing; everything in pixels, from the upper left."""

    height: int
    title: str
    parts: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, words: str, anchor: str = "start", size: int = 13) -> None:
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(words)}</text>'
        )

    def box(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" fill="{colour}"/>')

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str = "#bbb", dash: str = "") -> None:
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dashed}/>')

    def dot(self, x: float, y: float, colour: str) -> None:
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}" fill-opacity="0.8"/>')

    def path(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        spelled = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{spelled}" fill="none" stroke="{colour}" stroke-width="2"/>')

    def __str__(self) -> str:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" '
            f'font-family="sans-serif" fill="#222" role="img"><title>{escape(self.title)}</title>'
            f'<rect width="{WIDTH}" height="{self.height}" fill="#fff"/>'
            f'<text x="12" y="24" font-size="15" font-weight="bold">{escape(self.title)}</text>'
        )
        return head + "\n" + "\n".join(self.parts) + "\n</svg>\n"


@dataclass(frozen=True, slots=True)
class Axis:
    """From values to pixels."""

    most: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (self.end - self.start) * value / self.most

    def ticks(self) -> list[float]:
        """Five or so round values."""
        rough = self.most / 5
        size = 10.0 ** len(str(int(rough))) / 10 if rough >= 1 else 0.1
        step = next(one for one in (size, 2 * size, 5 * size, 10 * size) if one >= rough)
        return [n * step for n in range(int(self.most / step) + 1)]


def across(sheet: Sheet, most: float, unit: str, bottom: float) -> Axis:
    """A horizontal axis from 0, with its lines."""
    axis = Axis(most * 1.08, LEFT, WIDTH - RIGHT)
    for tick in axis.ticks():
        sheet.line(axis(tick), TOP, axis(tick), bottom, "#e4e4e4")
        sheet.text(axis(tick), bottom + 16, f"{tick:g}", "middle", 11)
    sheet.text(WIDTH - RIGHT, bottom + 32, unit, "end", 11)
    return axis


def bars(title: str, unit: str, stacks: Mapping[str, Mapping[str, float]]) -> str:
    """A bar a row, its parts one after the other."""
    names = list(dict.fromkeys(part for stack in stacks.values() for part in stack))
    colours = dict(zip(names, COLOURS * 3, strict=False))
    legend = TOP + 32 * len(stacks) + 48
    sheet = Sheet(legend + 20 * (1 + (len(names) - 1) // 3) if len(names) > 1 else legend, title)
    axis = across(sheet, max(sum(stack.values()) for stack in stacks.values()), unit, legend - 44)
    for row, (name, stack) in enumerate(stacks.items()):
        y, done = TOP + 32 * row, 0.0
        sheet.text(LEFT - 8, y + 18, name, "end", 12)
        for part, value in stack.items():
            sheet.box(axis(done), y + 4, axis(done + value) - axis(done), 20, colours[part])
            done += value
        sheet.text(axis(done) + 4, y + 18, f"{done:.1f}", size=11)
    for n, name in enumerate(names if len(names) > 1 else ()):
        x, y = 12 + 230 * (n % 3), legend + 20 * (n // 3)
        sheet.box(x, y - 2, 12, 12, colours[name])
        sheet.text(x + 18, y + 9, name, size=12)
    return str(sheet)


def dots(title: str, unit: str, groups: Mapping[str, Sequence[float]]) -> str:
    """A row of dots a group, one a round."""
    bottom = TOP + 30 * len(groups)
    sheet = Sheet(bottom + 42, title)
    axis = across(sheet, max(max(values) for values in groups.values()), unit, bottom)
    for row, (name, values) in enumerate(groups.items()):
        y = TOP + 30 * row + 16
        sheet.text(LEFT - 8, y + 4, name, "end", 12)
        for value in values:
            sheet.dot(axis(value), y, COLOURS[row // 2 % len(COLOURS)])
    return str(sheet)


@dataclass(frozen=True, slots=True)
class Curve:
    name: str
    points: Sequence[tuple[float, float]]


def curves(title: str, units: tuple[str, str], drawn: Sequence[Curve], bounds: Mapping[str, float], high: float) -> str:
    """Lines over a common axis; `bounds`: dashed horizontal ones by name."""
    left, bottom = 70, 300
    sheet = Sheet(bottom + 64, title)
    along = Axis(max(x for one in drawn for x, _ in one.points), left, WIDTH - RIGHT)
    up = Axis(high, bottom, TOP)
    for tick in up.ticks():
        sheet.line(left, up(tick), WIDTH - RIGHT, up(tick), "#e4e4e4")
        sheet.text(left - 6, up(tick) + 4, f"{tick:g}", "end", 11)
    for tick in along.ticks():
        sheet.text(along(tick), bottom + 16, f"{tick:,g}", "middle", 11)
    for name, value in bounds.items():
        sheet.line(left, up(value), WIDTH - RIGHT, up(value), BOUND, "5 4")
        sheet.text(WIDTH - RIGHT, up(value) - 5, name, "end", 11)
    for number, one in enumerate(drawn):
        sheet.path([(along(x), up(y)) for x, y in one.points], COLOURS[number])
        sheet.box(left + 200 * number, bottom + 44, 12, 12, COLOURS[number])
        sheet.text(left + 200 * number + 18, bottom + 55, one.name, size=12)
    sheet.text(WIDTH - RIGHT, bottom + 32, units[0], "end", 11)
    sheet.text(12, TOP - 6, units[1], size=11)
    return str(sheet)


# --- what was found ---------------------------------------------------------------------------------------------------


def table(*rows: Sequence[str]) -> str:
    head, *rest = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rest))


def spread(values: Sequence[float], digits: int = 2) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def whole_way(found: Found) -> tuple[str, str]:
    rows = [[name, spread(values, 1)] for name, values in found["ms"].items()]
    ratios = [
        [f"{one['of']} / {one['to']}", spread(one["ratios"], 1), f"{one['bound']:g}" if one["bound"] else ""]
        for one in found["ratios"]
    ]
    text = (
        f"{found['mails']:,} mails, {found['answered']} of them answered.\n\n"
        + table(["", "ms CPU a mail"], *rows)
        + "\n\n"
        + table(["ratio", "found", "at most"], *ratios)
    )
    return bars("CPU of a mail, by what is done", "ms CPU a mail", found["stages"]), text


def helpdesk(found: Found) -> tuple[str, str]:
    rows = [[name, spread(values, 1)] for name, values in found["ms"].items()]
    ratios = [[f"{one['of']} / {one['to']}", spread(one["ratios"])] for one in found["ratios"]]
    text = table(["", "ms CPU a mail"], *rows) + "\n\n" + table(["ratio", "found; at least 5 is wanted"], *ratios)
    medians = {name: {"": statistics.median(values)} for name, values in found["ms"].items()}
    return bars("CPU of a mail beside django-helpdesk 2.6.1", "ms CPU a mail", medians), text


def growth(kinds: Mapping[str, Found]) -> tuple[str, str]:
    groups = {
        f"{kind}, {messages:,}": values
        for kind, found in kinds.items()
        for messages, values in zip(found["messages"], found["ms"], strict=True)
    }
    rows = [
        [kind, *(f"{spread(values, 1)}" for values in found["ms"]), spread(found["ratios"], 3)]
        for kind, found in kinds.items()
    ]
    sizes = next(iter(kinds.values()))["messages"]
    text = table(["ms CPU a mail", *(f"{size:,} messages" for size in sizes), "ratio; at most 1.10"], *rows)
    views = [
        [f"`{name}`", *(f"{found['views'][size][name]:.1f}" for found in kinds.values() for size in ("small", "large"))]
        for name in next(iter(kinds.values()))["views"]["small"]
    ]
    heads = [f"{kind}, {size}" for kind in kinds for size in ("small", "large")]
    text += "\n\nWhat people look at, ms of wall time:\n\n" + table(["", *heads], *views)
    return dots("CPU of a mail in a small and in a large store, each round", "ms CPU a mail", groups), text


def queue(kinds: Mapping[str, Found]) -> tuple[str, str]:
    """p95 of each page and count in the small and in the large store."""
    small, large = next(iter(kinds.values()))["messages"]
    heads = [f"{kind}, {size:,}" for kind in kinds for size in (small, large)]
    names = next(iter(kinds.values()))["ms"][0]
    rows, ratios = [], {}
    for name in names:
        cells = []
        for kind, found in kinds.items():
            (_, before), (_, after) = (one[name] for one in found["ms"])
            cells += [f"{before:.1f}", f"{after:.1f}", f"{after / before:.2f}"]
            ratios[f"{name} ({kind})"] = {"": after / before}
        rows.append([name, *cells])
    columns = [one for n, head in enumerate(heads) for one in ([head] if n % 2 == 0 else [head, "ratio"])]
    return bars("p95 in the large store, in that in the small one", "ratio", ratios), table(
        ["p95, ms", *columns], *rows
    )


def latency(found: Found) -> tuple[str, str]:
    seconds = found["seconds"]
    points = [(value, 100 * (n + 1) / len(seconds)) for n, value in enumerate(seconds)]
    rows = [
        ["answers", str(len(seconds)), ""],
        ["median", f"{found['median']:.2f} s", "1 s"],
        ["95 %", f"{found['p95']:.2f} s", "2 s"],
        ["longest", f"{seconds[-1]:.2f} s", ""],
        *([f"median of `{stage}`", f"{value:.3f} s", ""] for stage, value in found["stages"].items()),
    ]
    curve = Curve("answers", [(0.0, 0.0), (seconds[0], 0.0), *points])
    drawing = curves("Answers that were out after so many seconds", ("seconds", "% of the answers"), [curve], {}, 100)
    return drawing, table(["", "found", "under"], *rows)


def memory(found: Found) -> tuple[str, str]:
    looks, bound = found["looks"], MEGABYTES * 1e6 / MIB
    drawn = [
        Curve("worker", [(decided, worker) for _, decided, worker, _ in looks]),
        Curve("with the reading process", [(decided, worker + reader) for _, decided, worker, reader in looks]),
    ]
    high = max(found["highest"], bound) * 1.1
    drawing = curves(
        f"Memory with {found['mails']:,} mails in the mailbox",
        ("mails decided", "MiB (PSS)"),
        drawn,
        {f"{MEGABYTES} MB": bound},
        high,
    )
    first, last = looks[len(looks) // 20], looks[-1]
    rows = [
        ["at most, both processes", f"{found['highest']:.0f} MiB = {found['highest'] * MIB / 1e6:.0f} MB", "400 MB"],
        *(
            [name, f"{one[2]:.0f} + {one[3]:.0f} MiB, {one[1]:,} mails decided", ""]
            for name, one in (("early: worker + reading process", first), ("at the end", last))
        ),
    ]
    return drawing, table(["", "found", "under"], *rows)


def postgres_workers(found: Found) -> tuple[str, str]:
    rates = found["rates"]
    first = next(iter(rates.values()))
    rows = [
        [
            count,
            spread(values, 1),
            spread([now / one for now, one in zip(values, first, strict=True)]),
            f"{found['worker_ms'][count]:.1f}",
        ]
        for count, values in rates.items()
    ]
    text = f"{found['mails']:,} mails, {found['cores']} cores.\n\n" + table(
        ["workers", "mails a second", "times one worker", "ms CPU a mail, workers alone"], *rows
    )
    medians = {f"{count} workers": {"": statistics.median(values)} for count, values in rates.items()}
    return bars("Mails a second on PostgreSQL", "mails a second", medians), text


SHOWN: dict[str, Callable[[Any], tuple[str, str]]] = {
    "whole_way": whole_way,
    "helpdesk": helpdesk,
    "latency": latency,
    "memory": memory,
    "postgres_workers": postgres_workers,
}


def main() -> None:
    read = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(RESULTS.glob("*.json"))}
    shown = {name: show(read[name]) for name, show in SHOWN.items() if name in read}
    kinds = {"SQLite": "growth_sqlite", "PostgreSQL": "growth_postgresql"}
    if grown := {kind: read[name] for kind, name in kinds.items() if name in read}:
        shown["growth"] = growth(grown)
    kinds = {"SQLite": "queue_sqlite", "PostgreSQL": "queue_postgresql"}
    if looked := {kind: read[name] for kind, name in kinds.items() if name in read}:
        shown["queue"] = queue(looked)
    page = DOCS / "benchmarks.md"
    text = page.read_text(encoding="utf-8")
    (DOCS / "plots").mkdir(exist_ok=True)
    for name, (drawing, found) in shown.items():
        (DOCS / "plots" / f"{name}.svg").write_text(drawing, encoding="utf-8")
        whole = f"<!-- {name} -->\n\n{found}\n\n<!-- end -->"
        text = re.sub(rf"<!-- {name} -->.*?<!-- end -->", lambda _, whole=whole: whole, text, flags=re.DOTALL)  # type: ignore[misc]
        print(f"docs/plots/{name}.svg")
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
