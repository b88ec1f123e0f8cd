"""Quality per cost: which variants no other one beats in both, and what a PFLOP buys.

The first stage is one of them, at zero FLOPs of reranking: a variant that scores below it is dominated.

RPP and QPP are "ranking metrics per PetaFLOP" and "queries per PetaFLOP" (Peng et al. 2025, arXiv 2507.06223), from the
exact reference count instead of that paper's estimate, and as ratios of means: RPP = metric x QPP.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..results import FIRST_STAGE, Cell
from ..text.tabular import Tabular
from .costs import seconds_per_query
from .figures import Figure, macro
from .pivot import Board, Variant, pivot

MEAN = "mean"
PETA = 1e15
_OWN_FIRST_STAGES = Variant("first stage of each dataset", FIRST_STAGE)


@dataclass(frozen=True)
class Point:
    """One variant on one dataset, or on the mean of all of them.

    Attributes:
        dataset: a dataset, a macro group, or `mean`.
        score: the metric x 100.
        flops: reference FLOPs of reranking per query; 0 for a first stage.
        partial: why the score does not stand for the dataset, one phrase per reason.
        dominated_by: the best variant that is at least as good and at most as costly, and not equal in both;
            None on the frontier. Points are compared only with points that are partial in the same way.
    """

    dataset: str
    variant: Variant
    score: float
    flops: float
    partial: tuple[str, ...] = ()
    dominated_by: Variant | None = None

    @property
    def rpp(self) -> float | None:
        """The metric as a fraction, per PFLOP spent on one query; None where nothing is spent."""
        return self.score / 100 * PETA / self.flops if self.flops else None

    @property
    def qpp(self) -> float | None:
        """Queries reranked per PFLOP; None where nothing is spent."""
        return PETA / self.flops if self.flops else None


@dataclass(frozen=True)
class Uncounted:
    """A variant that no frontier over FLOPs can place: it has a score, and its FLOPs were not counted.

    Attributes:
        score: the metric x 100.
        seconds: forward seconds per query of its passes; None where they were not measured.
        dominated_by: the first stage, which costs nothing, where it scores at least as much.
    """

    dataset: str
    variant: Variant
    score: float
    seconds: float | None
    partial: tuple[str, ...] = ()
    dominated_by: Variant | None = None


class Points(Tabular, list[Point]):
    """Points of a frontier; the frame has one row per point."""

    COLUMNS = (
        "dataset",  # or a macro group, or `mean`
        "model",
        "setting",
        "run",
        "score",  # the metric x 100
        "flops_per_query",  # reference; 0: a first stage
        "rpp",
        "qpp",
        "frontier",
        "dominated_by",
        "partial",
    )

    def records(self) -> Iterator[tuple[Any, ...]]:
        """See `Tabular.records`."""
        for p in self:
            yield (
                *(p.dataset, p.variant.model, p.variant.setting, p.variant.origin or None, p.score, p.flops),
                *(p.rpp, p.qpp, p.dominated_by is None, p.dominated_by and label(p.dominated_by)),
                "; ".join(p.partial) or None,
            )


def points(cells: Sequence[Cell], metric: str = "nDCG@10") -> Points:
    """First stages and variants whose FLOPs were counted, by dataset and then by cost; the mean last.

    The mean is of complete variants only. `uncounted` has the variants whose FLOPs are not known.

    Raises InputError when there are no cells or none has the metric.
    """
    return points_of(pivot(cells, metric))


def points_of(board: Board) -> Points:
    """The same of figures that are put together already."""
    return Points(point for name in names(board) for point in _row(board, name))


def uncounted(board: Board) -> list[Uncounted]:
    """Every reranked variant that has a score and no counted FLOPs, by row; the mean last."""
    return [one for name in names(board) for one in _unplaced(board, name)]


def frontier(board: Board, name: str = MEAN) -> dict[Variant, bool]:
    """Which variants of a row are on the frontier, the first stage among them.

    A variant whose FLOPs were not counted is there only where the first stage dominates it, at whatever cost.
    """
    marks = {point.variant: point.dominated_by is None for point in _row(board, name)}
    return marks | {one.variant: False for one in _unplaced(board, name) if one.dominated_by}


def names(board: Board) -> list[str]:
    """What there are points for: the rows, and their mean if they are several."""
    rows = [row.name for row in board.rows]
    return [*rows, MEAN] if len(rows) > 1 else rows


def first_stages(board: Board, name: str) -> dict[Variant, float]:
    """Score x 100 of each first stage on a row or the mean: what reranking starts from, at no cost counted here."""
    return {variant: figure.score for variant, figure in _starts(board, name) if figure.score is not None}


def label(variant: Variant) -> str:
    """`model setting`, with its run where runs disagree."""
    return " ".join(filter(None, (variant.model, variant.setting, variant.origin)))


def short_label(variant: Variant, among: Sequence[Variant]) -> str:
    """Beside a mark whose look tells the model: the setting, or the model if it has one variant only."""
    alone = [v.model for v in among].count(variant.model) == 1
    return variant.model if alone else " ".join(filter(None, (variant.setting, variant.origin)))


def figure_of(board: Board, name: str, variant: Variant) -> Figure:
    """The figure of a row, or of the mean."""
    return board.mean(variant) if name == MEAN else board.figure(name, variant)


def _starts(board: Board, name: str) -> list[tuple[Variant, Figure]]:
    """The first stages of a row. Where its datasets have different ones, the mean of the best of each is one."""
    firsts = [variant for variant in board.variants if variant.setting == FIRST_STAGE]
    whole = [(v, f) for v in firsts if (f := figure_of(board, name, v)).score is not None]
    if whole or not firsts:
        return whole
    rows = {row.name: row.members for row in board.rows}
    members = tuple(rows) if name == MEAN else rows.get(name, ())
    best = [max((f for _, f in _starts(board, m)), key=lambda f: f.score or 0.0, default=None) for m in members]
    known = [figure for figure in best if figure is not None]
    return [(_OWN_FIRST_STAGES, macro(known))] if known and len(known) == len(best) else []


def _row(board: Board, name: str) -> list[Point]:
    """The points of a row by cost, marked."""
    starts = [Point(name, v, f.score, 0.0, f.partial) for v, f in _starts(board, name) if f.score is not None]
    figures = [(v, figure_of(board, name, v)) for v in board.variants if v.setting != FIRST_STAGE]
    counted = [Point(name, v, f.score, f.flops, f.partial) for v, f in figures if f.score is not None and f.flops]
    row = [*starts, *counted]
    return [replace(p, dominated_by=_dominator(p, row)) for p in sorted(row, key=lambda p: (p.flops, -p.score))]


def _unplaced(board: Board, name: str) -> list[Uncounted]:
    starts = _starts(board, name)
    unplaced = []
    for variant in (v for v in board.variants if v.setting != FIRST_STAGE):
        figure = figure_of(board, name, variant)
        if figure.score is None or figure.flops:
            continue
        above = [(f.score, v) for v, f in starts if f.partial == figure.partial and (f.score or 0.0) >= figure.score]
        first = max(above, key=lambda pair: pair[0] or 0.0)[1] if above else None
        seconds = seconds_per_query(figure.cells)
        unplaced.append(Uncounted(name, variant, figure.score, seconds, figure.partial, first))
    return unplaced


def _dominator(point: Point, row: Sequence[Point]) -> Variant | None:
    better = [
        p
        for p in row
        if p.partial == point.partial
        and p.score >= point.score
        and p.flops <= point.flops
        and (p.score, p.flops) != (point.score, point.flops)
    ]
    return max(better, key=lambda p: (p.score, -p.flops)).variant if better else None
