"""Scatter plots of quality against cost, laid out in Python and drawn as SVG by a template: no chart library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from ..text.aligned import width

LabelAt = Literal["start", "end", "middle"]
Box = tuple[float, float, float, float]  # left, top, right, bottom
COLOURS, SHAPES = (
    7,
    6,
)  # --c0… in colours.css, and the `shape` macro; 42 models before any two look the same

# where a name may be from its mark, best first
_PLACES: tuple[tuple[float, float, LabelAt], ...] = (
    (7, -9, "start"),
    (-7, -9, "end"),
    (9, 4, "start"),
    (-9, 4, "end"),
    (7, 16, "start"),
    (-7, 16, "end"),
    (0, -12, "middle"),
    (0, 20, "middle"),
)


@dataclass(frozen=True)
class Dot:
    """A point of a chart in data units: `x` is FLOPs per query, `y` the score, `low` and `high` its interval.

    Points are on a frontier together only when they are `partial` in the same way.
    """

    series: int
    name: str
    tip: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    frontier: bool = False
    partial: tuple[str, ...] = ()
    cells: tuple[int, ...] = ()


@dataclass(frozen=True)
class Level:
    """A horizontal line: a first stage, which has no FLOPs counted."""

    name: str
    y: float


@dataclass(frozen=True)
class Mark:
    """A dot in SVG units. `lo` and `hi` are the ends of its interval on the y axis."""

    dot: Dot
    x: float
    y: float
    lo: float | None
    hi: float | None
    colour: int
    shape: int


@dataclass(frozen=True)
class Text:
    """A label in SVG units."""

    text: str
    x: float
    y: float
    anchor: LabelAt = "start"


@dataclass(frozen=True)
class Legend:
    """One model's colour and shape."""

    model: str
    colour: int
    shape: int


def legend(models: Sequence[str]) -> tuple[Legend, ...]:
    """Return how the models look; `Dot.series` counts in the same order."""
    return tuple(Legend(model, i % COLOURS, i % SHAPES) for i, model in enumerate(models))


@dataclass(frozen=True)
class Plot:
    """Everything that is drawn, in SVG units; lines are `points` of a polyline.

    `level_names` are those of the `levels` that have room for one.
    """

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: tuple[Text, ...]
    y_ticks: tuple[Text, ...]
    levels: tuple[Text, ...]
    level_names: tuple[Text, ...]
    series: tuple[tuple[int, str], ...]
    frontiers: tuple[str, ...]
    marks: tuple[Mark, ...]
    labels: tuple[Text, ...]
    unlabelled: tuple[Dot, ...]


def plot(dots: Sequence[Dot], levels: Sequence[Level], width: int, height: int, *, small: bool = False) -> Plot:
    """Lay out a chart with a log x axis. `small` leaves labels and intervals out. `dots` is not empty."""
    left, right = (30.0, width - 6.0) if small else (46.0, width - 16.0)
    top, bottom = (8.0, height - 18.0) if small else (28.0, height - 42.0)
    ends = [] if small else [v for d in dots for v in (d.low, d.high) if v is not None]
    ys = [*(d.y for d in dots), *(level.y for level in levels), *ends]
    lowest, highest, step = _choose_y_range(min(ys), max(ys), 3 if small else 6)
    xs = [math.log10(d.x) for d in dots]
    pad = max(0.08, 0.06 * (max(xs) - min(xs)))
    first, last = min(xs) - pad, max(xs) + pad

    def at_x(flops: float) -> float:
        return round(left + (math.log10(flops) - first) / (last - first) * (right - left), 1)

    def at_y(score: float) -> float:
        return round(bottom - (score - lowest) / (highest - lowest) * (bottom - top), 1)

    marks = tuple(
        Mark(
            dot,
            at_x(dot.x),
            at_y(dot.y),
            at_y(dot.low) if dot.low is not None and not small else None,
            at_y(dot.high) if dot.high is not None and not small else None,
            dot.series % COLOURS,
            dot.series % SHAPES,
        )
        for dot in sorted(dots, key=lambda d: d.x)
    )
    levels_at = tuple(Text(level.name, right, at_y(level.y), "end") for level in levels)
    inside = left, top, right, bottom
    names = [] if small else _place_level_names(marks, levels_at, inside)
    series = [(s % COLOURS, _line([m for m in marks if m.dot.series == s])) for s in sorted({d.series for d in dots})]
    labels = {} if small else _place_labels(marks, names, inside)
    rungs = range(round((highest - lowest) / step) + 1)
    y_ticks = [Text(f"{lowest + i * step:g}", left - 6, at_y(lowest + i * step), "end") for i in rungs]
    ticks = _choose_x_ticks(first, last, 5 if small else max(3, int((right - left) / 70)))
    return Plot(
        width,
        height,
        left,
        right,
        top,
        bottom,
        tuple(_place_ticks([(_flops(x, small), at_x(x)) for x in ticks], bottom + (13 if small else 18), width)),
        tuple(y_ticks),
        levels_at,
        tuple(names),
        tuple(series),
        tuple(line for front in _find_fronts(marks) if (line := _draw_steps(front))),
        marks,
        tuple(labels.values()),
        tuple(m.dot for m in marks if m not in labels),
    )


def _line(marks: Sequence[Mark]) -> str:
    return " ".join(f"{m.x:g},{m.y:g}" for m in marks) if len(marks) > 1 else ""


def _find_fronts(marks: Sequence[Mark]) -> list[list[Mark]]:
    """Return the marks of each frontier: whole results and each kind of partial ones."""
    kinds = dict.fromkeys(m.dot.partial for m in marks)
    return [[m for m in marks if m.dot.frontier and m.dot.partial == kind] for kind in kinds]


def _draw_steps(marks: Sequence[Mark]) -> str:
    """Return the best score that a cost buys: it rises where the next mark is reached, not before."""
    corners = [f"{b.x:g},{a.y:g} {b.x:g},{b.y:g}" for a, b in pairwise(marks)]
    return " ".join([f"{marks[0].x:g},{marks[0].y:g}", *corners]) if corners else ""


def _choose_y_range(low: float, high: float, wanted: int) -> tuple[float, float, float]:
    """Round ends and the step between ticks."""
    span = max(high - low, 1.0)
    rough = span / wanted
    power = 10 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    lowest, highest = math.floor(low / step) * step, math.ceil(high / step) * step
    return lowest, highest if highest > lowest else lowest + step, step


def _choose_x_ticks(first: float, last: float, most: int) -> list[float]:
    """Return values 1, 2 and 5 times powers of ten inside the axis; fewer kinds where they would be too many."""
    for factors in ((1, 2, 5), (1, 3), (1,)):
        powers = range(math.floor(first), math.ceil(last) + 1)
        ticks = [f * 10.0**p for p in powers for f in factors if first <= math.log10(f) + p <= last]
        if len(ticks) <= most:
            return ticks or [10 ** ((first + last) / 2)]
    return ticks[:: math.ceil(len(ticks) / most)]


def _place_ticks(ticks: Sequence[tuple[str, float]], y: float, width: int) -> list[Text]:
    """Return labels below their ticks, moved inside where they would be cut off; without those that would touch."""
    placed: list[Text] = []
    for text, x in ticks:
        label = Text(text, min(x, width - text_width(text) / 2 - 1), y, "middle")
        if not placed or not _overlap(box_of(label), box_of(placed[-1])):
            placed.append(label)
    return placed


def _flops(value: float, small: bool) -> str:
    power = min(max(0, math.floor(math.log10(value) / 3 + 1e-9)), 7)
    return f"{value / 1000**power:.3g} {('', *'kMGTPEZ')[power]}{'' if small else 'FLOP'}"


def _place_level_names(marks: Sequence[Mark], levels: Sequence[Text], inside: Box) -> list[Text]:
    """Return names of horizontal lines at their ends, above or below, where they hide nothing; others have none."""
    left, _, right, _ = inside
    taken: list[Box] = [(m.x - 6, m.y - 6, m.x + 6, m.y + 6) for m in marks]
    taken += [(left, level.y - 1, right, level.y + 1) for level in levels]
    placed: list[Text] = []
    for level in levels:
        ends: tuple[tuple[float, LabelAt], ...] = ((right, "end"), (left + 4, "start"))
        choices = [Text(level.text, x, level.y + dy, anchor) for dy in (-5, 14) for x, anchor in ends]
        for choice in choices:
            box = box_of(choice)
            if _fits(box, inside) and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                placed.append(choice)
                break
    return placed


def _place_labels(marks: Sequence[Mark], levels: Sequence[Text], inside: Box) -> dict[Mark, Text]:
    """Return names beside the marks, frontier first, where they hide nothing; the others are left to the tip."""
    taken: list[Box] = [(m.x - 6, m.y - 6, m.x + 6, m.y + 6) for m in marks]
    taken += [(m.x - 2, m.hi, m.x + 2, m.lo) for m in marks if m.lo is not None and m.hi is not None]
    taken += [box_of(level) for level in levels]
    for a, b in (pair for front in _find_fronts(marks) for pair in pairwise(front)):
        taken += [(a.x, a.y - 1, b.x, a.y + 1), (b.x - 1, b.y, b.x + 1, a.y)]
    placed = {}
    for mark in sorted(marks, key=lambda m: not m.dot.frontier):
        for dx, dy, anchor in _PLACES:
            label = Text(mark.dot.name, round(mark.x + dx, 1), round(mark.y + dy, 1), anchor)
            box = box_of(label)
            if _fits(box, inside) and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                placed[mark] = label
                break
    return placed


def text_width(text: str) -> float:
    """Return about how wide a name is in SVG units, in a wide font of its size."""
    return sum(6.4 * width(char) if not (char.isdigit() or char.isupper()) else 8.0 for char in text)


def box_of(text: Text) -> Box:
    """Return the place that a label takes."""
    taken = text_width(text.text)
    start = text.x if text.anchor == "start" else text.x - taken if text.anchor == "end" else text.x - taken / 2
    return start, text.y - 10, start + taken, text.y + 3


def _fits(box: Box, inside: Box) -> bool:
    left, top, right, bottom = inside
    return box[0] >= left and box[2] <= right and box[1] >= top and box[3] <= bottom


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
