"""Cascades of stored scores: a cheap setting on many candidates, an expensive one on those that it ranks first.

A stage reranks the best candidates of the order before it; the others keep their places behind. A stage pays for the
layers that no earlier stage of the same model has computed (`rerankers.flops.shared_layers`) and for its head. An early
exit stops after the first stage where the gap between its best two scores is wide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...rerankers.errors import InputError
from .depth import DEPTHS, depths_of
from .order import Gains, first_order, paid, rerank
from .pool import CandidatePool, Scores

Array = NDArray[Any]
EXITS = (0.25, 0.5, 0.75)  # shares of queries that stop after the first stage
_MOST = 60_000_000  # values held at once: 1 GB


@dataclass(frozen=True)
class CascadePlan:
    """What is done for a query: (place of the scores in the pool, candidates reranked) for each stage.

    `stops` is the share of queries, those with the widest gap between the first two scores, that end after one stage.
    """

    stages: tuple[tuple[int, int], ...]
    stops: float = 0.0

    def name(self, pool: CandidatePool) -> str:
        """`L1 top 100 > L6 top 20, 50 % stop`."""
        several = len({scores.cell.manifest.model for scores in pool.scores}) > 1
        parts = []
        for place, depth in self.stages:
            m = pool.scores[place].cell.manifest
            parts.append(f"{m.model + ' ' if several else ''}{m.setting} top {depth}")
        return " > ".join(parts) + (f", {100 * self.stops:.0f} % stop" if self.stops else "")


@dataclass(frozen=True)
class Options:
    """Every plan for a pool.

    Attributes:
        values: the metric as a fraction by query, float64 of shape (plans, queries).
        flops: FLOPs by query, int64 of the same shape.
        first: the metric of the first stage's order, float64 of shape (queries,).
    """

    pool: CandidatePool
    plans: tuple[CascadePlan, ...]
    values: Array
    flops: Array
    first: Array

    @property
    def left_out(self) -> list[Scores]:
        """Variants that no plan has, because their FLOPs were not counted."""
        return [scores for scores in self.pool.scores if scores.flops is None]


def options(pool: CandidatePool, metric: str, *, depths: Sequence[int] = DEPTHS, stages: int = 3) -> Options:
    """All plans of at most `stages` stages, each stage more expensive than the one before it and over fewer candidates.

    Raises InputError for a metric other than nDCG@k, when no variant's FLOPs are known, and when there are too many.
    """
    maker = _Maker(pool, Gains(pool, metric), stages)
    if not maker.order:
        raise InputError(f"{pool.dataset}: no variant's FLOPs are known; cascades need them, so run it again")
    allowed = depths_of(pool, depths)
    count = sum(1 for _ in maker.plans(allowed))
    if count * len(pool.queries) > _MOST:
        raise InputError(f"{pool.dataset}: {count:,} cascades of {len(pool.queries):,} queries; take fewer --stages")
    for plan in maker.plans(allowed):
        maker.add(plan)
    return Options(
        pool, tuple(maker.made), np.array(maker.values), np.array(maker.flops), maker.judge(first_order(pool))
    )


@dataclass
class _Maker:
    """Values and FLOPs of plans; what plans have in common is computed once."""

    pool: CandidatePool
    judge: Callable[[Array], Array]
    stages: int
    made: list[CascadePlan] = field(default_factory=list)
    values: list[Array] = field(default_factory=list)
    flops: list[Array] = field(default_factory=list)
    _orders: dict[tuple[tuple[int, int], ...], Array] = field(default_factory=dict)
    _costs: dict[tuple[int, ...], Array] = field(default_factory=dict)
    _at: dict[CascadePlan, int] = field(default_factory=dict)

    @property
    def order(self) -> list[int]:
        """Places of the scores whose FLOPs are known, the cheapest first."""
        totals = {i: int(flops.sum()) for i, one in enumerate(self.pool.scores) if (flops := one.flops) is not None}
        return sorted(totals, key=lambda i: totals[i])

    def plans(self, depths: Sequence[int]) -> Iterator[CascadePlan]:
        """Shorter ones first, so that an early exit finds its first stage."""
        chains = [((place, depth),) for place in self.order for depth in depths]
        for length in range(1, self.stages + 1):
            yield from (CascadePlan(chain) for chain in chains)
            if length == 2:
                yield from (CascadePlan(chain, stops) for chain in chains for stops in EXITS)
            chains = [(*chain, step) for chain in chains for step in self._steps(chain, depths)]

    def _steps(self, chain: tuple[tuple[int, int], ...], depths: Sequence[int]) -> list[tuple[int, int]]:
        order, (last, above) = self.order, chain[-1]
        later = order[order.index(last) + 1 :]
        return [(place, depth) for place in later for depth in depths if depth < above]

    def add(self, plan: CascadePlan) -> None:
        """Compute a plan; those it builds on come before it."""
        before = plan.stages[:-1]
        if plan.stops:
            first, whole = self._at[CascadePlan(before)], self._at[CascadePlan(plan.stages)]
            going = ~self._stopping(plan)
            values = np.where(going, self.values[whole], self.values[first])
            flops = np.where(going, self.flops[whole], self.flops[first])
        else:
            (place, depth), start = plan.stages[-1], self._order(before)
            values = self.judge(rerank(self.pool, start, depth, self.pool.scores[place]))
            flops = paid(self._cost(place, tuple(p for p, _ in before)), start, depth)
            if before:
                flops = flops + self.flops[self._at[CascadePlan(before)]]
        self._at[plan] = len(self.made)
        self.made.append(plan)
        self.values.append(values)
        self.flops.append(flops)

    def _order(self, stages: tuple[tuple[int, int], ...]) -> Array:
        if not stages:
            return first_order(self.pool)
        if stages not in self._orders:
            place, depth = stages[-1]
            self._orders[stages] = rerank(self.pool, self._order(stages[:-1]), depth, self.pool.scores[place])
        return self._orders[stages]

    def _cost(self, place: int, before: tuple[int, ...]) -> Array:
        key = (place, *before)
        if key not in self._costs:
            flops = self.pool.scores[place].flops_after([self.pool.scores[i] for i in before])
            assert flops is not None, "only places with known FLOPs are in `order`"
            self._costs[key] = flops
        return self._costs[key]

    def _stopping(self, plan: CascadePlan) -> Array:
        gaps = margins(self.pool.scores[plan.stages[0][0]], self._order(plan.stages[:1]))
        return gaps >= np.quantile(gaps, 1 - plan.stops, method="higher")


def margins(scores: Scores, order: Array) -> Array:
    """Best score minus second best of each query in an order by these scores; infinite with fewer than two."""
    top = np.take_along_axis(scores.values, order[:, :2], axis=1).astype(np.float64)
    if top.shape[1] < 2:
        return np.full(len(top), np.inf)
    return np.where(np.isfinite(top[:, 1]), top[:, 0] - np.where(np.isfinite(top[:, 1]), top[:, 1], 0), np.inf)
