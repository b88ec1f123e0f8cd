"""Charts over reranking depths and cascades, where a run's scores and judgements are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...rerankers.errors import InputError
from ..board.figures import Limit
from ..board.frontier import MEAN, Point, names, points_of, uncounted
from ..board.pivot import Board, Variant
from ..chart.layout import Dot, Legend, Level, Plot, legend, plot
from ..metrics.measures import parse_metric
from ..replay.cascade import Options, options
from ..replay.choice import families_of, frontier
from ..replay.depth import depth_board
from ..replay.pool import pools
from ..results import FIRST_STAGE, Cell
from ..text import units
from .options import Option, depth_options

SERIES = 7  # settings in one chart, so that no two look alike
DATASETS = 6  # with a chart of cascades each
FAMILIES = ("one setting, all candidates", "one setting, fewer candidates", "cascade")


@dataclass(frozen=True)
class Depths:
    """Charts, or in `absent` why there are none.

    `points` are of the mean, or of the only dataset, the first stage first; `options`
    are all depths, and the cascades of a single dataset, those without counted FLOPs among them.
    """

    title: str = ""
    wide: Plot | None = None
    narrow: Plot | None = None
    legend: tuple[Legend, ...] = ()
    left_out: int = 0
    cascades: tuple[tuple[str, Plot], ...] = ()
    families: tuple[Legend, ...] = ()
    points: tuple[Point, ...] = ()
    options: tuple[Option, ...] = ()
    absent: str = ""


def depths(cells: Sequence[Cell], metric: str) -> Depths:
    """All charts of the page's section on depth."""
    if not any(cell.manifest.setting != FIRST_STAGE for cell in cells):
        return Depths(absent="No reranker was run.")
    try:
        queries: dict[tuple[str, Variant], np.ndarray] = {}
        board = depth_board(cells, metric, queries=queries)
        cascades, plans = _cascades(cells, metric)
    except InputError as err:
        return Depths(absent=f"Not shown: {err}.")
    overall = names(board)[-1]
    unplaced = tuple(p for p in uncounted(board) if p.dataset == overall)
    firsts = tuple(p for p in points_of(board) if p.dataset == overall and not p.flops)
    points = [p for p in points_of(board) if p.dataset == overall and p.flops]
    if not points:
        choices = depth_options(board, firsts, unplaced, queries)
        return Depths(absent="Not drawn: FLOPs are not known.", points=firsts, options=choices)
    series = _series(points)
    shown = [p for p in points if (p.variant.model, p.variant.setting) in series]
    dots = [_dot(p, series, metric) for p in shown]
    levels = _levels(board, overall)
    return Depths(
        title=f"mean of {len(board.rows)} datasets" if overall == MEAN else overall,
        wide=plot(dots, levels, 860, 440),
        narrow=plot(dots, levels, 380, 400),
        legend=legend([" ".join(key) for key in series]),
        left_out=len({(p.variant.model, p.variant.setting) for p in points}) - len(series),
        cascades=tuple(cascades),
        families=legend(FAMILIES),
        points=(*firsts, *points),
        options=(*depth_options(board, (*firsts, *points), unplaced, queries), *(plans if overall != MEAN else ())),
    )


def _series(points: Sequence[Point]) -> list[tuple[str, str]]:
    """Settings in the chart: those on the frontier first, then by their best score."""
    best: dict[tuple[str, str], tuple[bool, float]] = {}
    for p in points:
        key = p.variant.model, p.variant.setting
        front, score = best.get(key, (False, 0.0))
        best[key] = front or p.dominated_by is None, max(score, p.score)
    chosen = sorted(best, key=lambda key: best[key], reverse=True)[:SERIES]
    return [key for key in best if key in chosen]


def _dot(point: Point, series: Sequence[tuple[str, str]], metric: str) -> Dot:
    v = point.variant
    cost = f"{metric} {point.score:.2f}, {units.flops(point.flops)} per query"
    return Dot(
        series=series.index((v.model, v.setting)),
        name=v.origin.removeprefix("top "),
        tip="\n".join([f"{v.model} {v.setting} {v.origin}", cost]),
        x=point.flops,
        y=point.score,
        frontier=point.dominated_by is None,
        partial=point.partial,
    )


def _levels(board: Board, name: str) -> list[Level]:
    figures = [board.mean(v) if name == MEAN else board.figure(name, v) for v in board.variants]
    limits = [limit for figure in figures if isinstance(limit := figure.limit, Limit)]
    return [Level("first stage", limits[0].first)] if limits else []


def _cascades(cells: Sequence[Cell], metric: str) -> tuple[list[tuple[str, Plot]], list[Option]]:
    """A chart for each dataset, where there are few, and the cascades of its frontier.

    Nothing for metrics that cascades are not chosen by.
    """
    asked = parse_metric(metric)
    datasets = {cell.manifest.dataset for cell in cells}
    if asked.base != "nDCG" or asked.cutoff is None or asked.parameters or len(datasets) > DATASETS:
        return [], []
    points, best = [], []
    for pool in pools(cells):
        if len(pool.scores) > 1:
            if not any(scores.flops is not None for scores in pool.scores):
                continue
            plans = options(pool, metric, stages=2)
            scores, costs = 100 * plans.values.mean(axis=1), plans.flops.mean(axis=1)
            chains = [i for i in frontier(plans) if len(plans.plans[i].stages) > 1]
            best += [Option(plans.plans[i].name(pool), float(scores[i]), float(costs[i])) for i in chains]
            level = Level("first stage", 100 * float(plans.first.mean()))
            points.append((pool.dataset, plot(_family_dots(plans, metric), [level], 420, 300)))
    return points, best


def _family_dots(plans: Options, metric: str) -> list[Dot]:
    """The frontier of each family over all queries; those on the common frontier are filled."""
    scores, costs = 100 * plans.values.mean(axis=1), plans.flops.mean(axis=1)
    dots = []
    for series, places in enumerate(families_of(plans).values()):
        for place in _front(scores, costs, places):
            beaten = (scores > scores[place] + 1e-9) & (costs <= costs[place])
            below = scores[place] <= 100 * plans.first.mean()
            label = f"{metric} {scores[place]:.2f}, {units.flops(costs[place])} per query"
            dots.append(
                Dot(
                    series=series,
                    name="",
                    tip=f"{plans.plans[place].name(plans.pool)}\n{label}\n{FAMILIES[series]}",
                    x=float(costs[place]),
                    y=float(scores[place]),
                    frontier=not (below or beaten.any()),
                )
            )
    return dots


def _front(scores: np.ndarray, costs: np.ndarray, places: np.ndarray) -> list[int]:
    best, front = -1.0, []
    for place in places[np.lexsort((-scores[places], costs[places]))]:
        if scores[place] > best + 1e-9:
            best = float(scores[place])
            front.append(int(place))
    return front
