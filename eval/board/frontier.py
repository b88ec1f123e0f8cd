"""Quality per cost: which variants no other one beats in both, and what a PFLOP buys.

RPP and QPP are "ranking metrics per PetaFLOP" and "queries per PetaFLOP" (Peng et al. 2025, arXiv 2507.06223), from the
exact reference count instead of that paper's estimate, and as ratios of means: RPP = metric x QPP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..results import FIRST_STAGE, Cell
from .figures import Figure
from .pivot import Board, Variant, pivot

MEAN = "mean"
PETA = 1e15


@dataclass(frozen=True)
class Point:
    """One variant on one dataset, or on the mean of all of them.

    Attributes:
        dataset: a dataset, a macro group, or `mean`.
        score: the metric x 100.
        flops: reference FLOPs per query.
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
    def rpp(self) -> float:
        """The metric as a fraction, per PFLOP spent on one query."""
        return self.score / 100 * self.qpp

    @property
    def qpp(self) -> float:
        """Queries reranked per PFLOP."""
        return PETA / self.flops


def points(cells: Sequence[Cell], metric: str = "nDCG@10") -> list[Point]:
    """Every variant whose FLOPs were counted, by dataset and then by cost; the mean last, over complete variants only.

    Raises InputError when there are no cells or none has the metric.
    """
    return points_of(pivot(cells, metric))


def points_of(board: Board) -> list[Point]:
    """The same of figures that are put together already."""
    return [point for name in names(board) for point in _row(board, name)]


def frontier(board: Board, name: str = MEAN) -> dict[Variant, bool]:
    """Which variants of a row are on the frontier; those whose FLOPs were not counted are left out."""
    return {point.variant: point.dominated_by is None for point in _row(board, name)}


def names(board: Board) -> list[str]:
    """What there are points for: the rows, and their mean if they are several."""
    rows = [row.name for row in board.rows]
    return [*rows, MEAN] if len(rows) > 1 else rows


def first_stages(board: Board, name: str) -> dict[Variant, float]:
    """Score x 100 of each first stage on a row or the mean: what reranking starts from, at no cost counted here."""
    scores = {v: _figure(board, name, v).score for v in board.variants if v.setting == FIRST_STAGE}
    return {variant: score for variant, score in scores.items() if score is not None}


def label(variant: Variant) -> str:
    """`model setting`, with its run where runs disagree."""
    return " ".join(filter(None, (variant.model, variant.setting, variant.origin)))


def short_label(variant: Variant, among: Sequence[Variant]) -> str:
    """Beside a mark whose look tells the model: the setting, or the model if it has one variant only."""
    alone = [v.model for v in among].count(variant.model) == 1
    return variant.model if alone else " ".join(filter(None, (variant.setting, variant.origin)))


def _figure(board: Board, name: str, variant: Variant) -> Figure:
    return board.mean(variant) if name == MEAN else board.figure(name, variant)


def _row(board: Board, name: str) -> list[Point]:
    """The points of a row by cost, marked."""
    figures = [(variant, _figure(board, name, variant)) for variant in board.variants]
    row = [Point(name, v, f.score, f.flops, f.partial) for v, f in figures if f.score is not None and f.flops]
    return [replace(p, dominated_by=_dominator(p, row)) for p in sorted(row, key=lambda p: (p.flops, -p.score))]


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
