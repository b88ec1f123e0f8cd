"""Everything that one could do with the models of a board: no reranking, a variant, fewer candidates, a cascade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..board.frontier import Point, Uncounted, label
from ..board.pivot import Board, Variant
from ..metrics.statistics import randomisation_test
from ..results import FIRST_STAGE

_HALF = 0.5  # of the gain, which a bargain keeps at least
Queries = Mapping[tuple[str, Variant], np.ndarray]


@dataclass(frozen=True)
class Option:
    """One choice: its score x 100 and what it costs.

    Attributes:
        flops: per query; 0: no reranking; None: not counted.
        seconds: forward seconds per query over all candidates, where FLOPs were not counted.
        p: of its difference to the first stage, times the number of options that were tried (Bonferroni); None: not
            tested.
    """

    name: str
    score: float
    flops: float | None
    seconds: float | None = None
    p: float | None = None


def depth_options(
    board: Board, points: Sequence[Point], unplaced: Sequence[Uncounted], queries: Queries
) -> tuple[Option, ...]:
    """Those of a sweep over depths. `queries` are the metric as a fraction by query, by dataset and variant."""
    tried = [p for p in (*points, *unplaced) if p.variant.setting != FIRST_STAGE]
    first = next((p.variant for p in points if p.variant.setting == FIRST_STAGE), None)
    start = max((p.score for p in points if p.variant.setting == FIRST_STAGE), default=0.0)
    options = []
    for p in (*points, *unplaced):
        test = p.score > start and first is not None and p.variant.setting != FIRST_STAGE
        chance = _p_value(board, p.variant, first, queries) if test and first else None
        corrected = None if chance is None else min(1.0, chance * len(tried))
        flops, seconds = (p.flops, None) if isinstance(p, Point) else (None, p.seconds)
        options.append(Option(label(p.variant), p.score, flops, seconds, corrected))
    return tuple(options)


def best_of(options: Sequence[Option]) -> Option:
    """The highest score; of equal ones the cheapest counted one."""
    return max(options, key=lambda o: (round(o.score, 7), -(np.inf if o.flops is None else o.flops)))


def bargain(options: Sequence[Option]) -> Option | None:
    """The counted option that keeps most of the gain for the least of the cost, as shares of those of the best one.

    It is the knee of Satopaa et al. (2011, "Finding a Kneedle in a Haystack"): the largest lead of the share of the
    gain over the share of the cost, at half of the gain or more. None where nothing gains, or nothing but the best
    itself is worth it.
    """
    counted = [o for o in options if o.flops is not None]
    start = max((o.score for o in counted if not o.flops), default=None)
    if start is None:
        return None
    best = best_of(counted)
    gain = best.score - start
    if gain <= 0 or not best.flops:
        return None
    worth = [o for o in counted if (o.score - start) / gain >= _HALF and o.flops]
    knee = max(worth, key=lambda o: (o.score - start) / gain - (o.flops or 0.0) / (best.flops or 1.0))
    return knee if knee is not best else None


def _p_value(board: Board, variant: Variant, first: Variant, queries: Queries) -> float | None:
    parts = []
    for row in board.rows:
        members = row.members or (row.name,)
        for name in members:
            mine, theirs = queries.get((name, variant)), queries.get((name, first))
            if mine is None or theirs is None:
                return None
            parts.append((mine - theirs).round(9) / (len(board.rows) * len(members) * len(mine)))
    return randomisation_test(np.concatenate(parts))
