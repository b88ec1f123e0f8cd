"""Reranking depths: what a stored run would have scored, and cost, had fewer candidates been reranked.

The first stage is depth 0 of every variant, at zero FLOPs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..board.figures import NOT_RUN, Figure, figure, macro
from ..board.frontier import Point, points_of
from ..board.limits import limits_of
from ..board.pivot import Board, Row, Variant
from ..results import FIRST_STAGE, Cell
from .order import Array, first_order, judge, paid, rerank
from .pool import CandidatePool, Scores, pools

DEPTHS = (5, 10, 20, 50, 100, 200, 500, 1000)


def depths_of(pool: CandidatePool, asked: Sequence[int] = DEPTHS) -> list[int]:
    """Those below the depth of the run, and that one."""
    return sorted({depth for depth in asked if depth < pool.depth} | {pool.depth})


def depth_board(
    cells: Sequence[Cell],
    metric: str,
    depths: Sequence[int] = DEPTHS,
    queries: dict[tuple[str, Variant], Array] | None = None,
) -> Board:
    """Figures of every variant at every depth: deeper candidates keep the first stage's order behind.

    `queries`, where it is given, takes in the metric by query of each of them, as fractions.
    A variant's `origin` is its depth, `top 50`; a first stage has none. Raises InputError where judgements or
    scores are not stored.
    """
    limits = {cell.path: limit for cell in cells for limit in limits_of([cell], metric).values()}
    figures: dict[tuple[str, Variant], Figure] = {}
    members: dict[str, list[str]] = {}
    firsts = {cell.manifest.model for cell in cells if cell.manifest.setting == FIRST_STAGE}
    first = Variant(firsts.pop() if len(firsts) == 1 else "first stage of each dataset", FIRST_STAGE)
    for pool in pools(cells):
        group = pool.first.manifest.group
        members.setdefault(group or pool.dataset, []).extend([pool.dataset] if group else [])
        of = judge(pool, metric)
        alone = figure(pool.first, next(iter(pool.first.manifest.metrics)), limits.get(pool.first.path))
        values = of(first_order(pool))
        figures[pool.dataset, first] = replace(alone, score=100 * float(values.mean()), interval=None)
        if queries is not None:
            queries[pool.dataset, first] = values
        for scores in pool.scores:
            for depth in depths_of(pool, depths):
                m = scores.cell.manifest
                values = of(rerank(pool, first_order(pool), depth, scores))
                one = _figure(pool, scores, depth, values)
                key = pool.dataset, Variant(m.model, m.setting, f"top {depth}")
                figures[key] = replace(one, limit=limits.get(pool.first.path))
                if queries is not None:
                    queries[key] = values
    variants = tuple(dict.fromkeys(variant for _, variant in figures))
    rows = tuple(Row(name, tuple(dict.fromkeys(names))) for name, names in members.items())
    for row in (row for row in rows if row.members):
        for variant in variants:
            figures[row.name, variant] = macro([figures.get((name, variant), NOT_RUN) for name in row.members])
    return Board(metric, rows, variants, figures)


def depth_points(cells: Sequence[Cell], metric: str, depths: Sequence[int] = DEPTHS) -> list[Point]:
    """The frontier over setting and depth, as `board.frontier.points` has it over settings."""
    return points_of(depth_board(cells, metric, depths))


def _figure(pool: CandidatePool, scores: Scores, depth: int, values: Array) -> Figure:
    order = first_order(pool)
    known = figure(scores.cell, next(iter(scores.cell.manifest.metrics)))
    flops = scores.flops
    spent = None if flops is None else float(paid(flops, order, depth).mean())
    full = known.full if depth == pool.depth else None
    return replace(known, score=100 * float(values.mean()), interval=None, flops=spent, full=full)
