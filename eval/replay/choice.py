"""A plan chosen on one half of the queries and judged on the other, over repeated splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cascade import CascadePlan, Options

Array = NDArray[Any]
SPLITS = 20
_ROUNDING = 1e-9  # of means that are computed in another order


@dataclass(frozen=True)
class Chosen:
    """What a family of plans came to on the halves that did not choose.

    Attributes:
        plan: chosen most often; `times` of the splits.
        score: mean over splits of the metric x 100 on the other half; `flops` of the FLOPs per query there.
        scores: by split.
    """

    plan: CascadePlan
    times: int
    score: float
    flops: float
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Choice:
    """The best within one budget of FLOPs per query. None where nothing of a family is within it.

    Attributes:
        first: the metric x 100 of the first stage on the halves that judged, at no FLOPs.
        single: one setting over all candidates.
        depth: one setting over all candidates or fewer.
        cascade: two stages or more, early exits included.
    """

    budget: float
    first: float
    single: Chosen | None
    depth: Chosen | None
    cascade: Chosen | None


def choose(options: Options, budgets: Sequence[float], *, splits: int = SPLITS, seed: int = 0) -> list[Choice]:
    """One choice per budget. What a plan costs needs no judgements, so budgets hold for all queries of the pool.

    Each split draws half of the queries to choose by; of equal plans the cheapest is taken.
    """
    queries = options.values.shape[1]
    rng = np.random.default_rng(seed)
    train = np.zeros((queries, splits), dtype=bool)
    for column in range(splits):
        train[rng.permutation(queries)[: queries // 2], column] = True
    costs = options.flops.mean(axis=1)
    families = families_of(options)
    means = _means(options.values, train), _means(options.values, ~train), _means(options.flops, ~train)
    start = 100 * float(_means(options.first[None], ~train).mean())
    return [
        Choice(
            budget,
            start,
            *(_chosen(options, _within(family, costs, budget), costs, *means) for family in families.values()),
        )
        for budget in budgets
    ]


def families_of(options: Options) -> dict[str, Array]:
    """Places of the plans of each family."""
    one = np.array([len(plan.stages) == 1 for plan in options.plans])
    whole = np.array([plan.stages[0][1] == options.pool.depth for plan in options.plans])
    return {"single": np.flatnonzero(one & whole), "depth": np.flatnonzero(one), "cascade": np.flatnonzero(~one)}


def frontier(options: Options) -> list[int]:
    """Places of the plans that neither another nor the first stage alone beats over all queries, by cost.

    The choice among them is fitted to these queries. Empty where every plan scores less than the first stage.
    """
    scores, costs = options.values.mean(axis=1), options.flops.mean(axis=1)
    best, front = float(options.first.mean()), []
    for place in np.lexsort((-scores, costs)):
        if scores[place] > best + _ROUNDING:
            best = float(scores[place])
            front.append(int(place))
    return front


def _means(values: Array, chosen: Array) -> Array:
    """Means of the chosen queries: shape (plans, splits)."""
    return values @ (chosen / chosen.sum(axis=0))


def _within(family: Array, costs: Array, budget: float) -> Array:
    return family[costs[family] <= budget * (1 + _ROUNDING)]


def _chosen(options: Options, allowed: Array, costs: Array, train: Array, other: Array, spent: Array) -> Chosen | None:
    if not allowed.size:
        return None
    by_cost = allowed[np.argsort(costs[allowed], kind="stable")]
    taken = by_cost[np.argmax(train[by_cost].round(9), axis=0)]  # argmax takes the first of equals
    splits = np.arange(train.shape[1])
    place, times = Counter(taken.tolist()).most_common(1)[0]
    scores = 100 * other[taken, splits]
    return Chosen(
        options.plans[place], times, float(scores.mean()), float(spent[taken, splits].mean()), tuple(scores.tolist())
    )
