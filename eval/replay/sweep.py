"""Cascades of all datasets of a run, chosen within budgets: what `rerankbench cascade` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..results import Cell
from ..text.tabular import Tabular
from .cascade import Options, options
from .choice import SPLITS, Choice, choose, families_of
from .depth import DEPTHS
from .pool import pools


@dataclass(frozen=True)
class Cascades:
    """One dataset: every plan, and the choices within each budget."""

    plans: Options
    choices: tuple[Choice, ...]

    def __repr__(self) -> str:
        return f"<Cascades {self.plans.pool.dataset}: {len(self.plans.plans)} plans, {len(self.choices)} budgets>"


class Sweep(Tabular, list[Cascades]):
    """Cascades by dataset; the frame has one row per dataset, budget and family of plans."""

    COLUMNS = (
        "dataset",
        "first_stage",  # score x 100 on the halves that judged
        "budget",  # FLOPs per query
        "family",  # single: one setting over all candidates; depth: over fewer; cascade
        "plan",  # chosen most often
        "times",  # of the splits
        "score",  # the metric x 100, mean over the halves that did not choose
        "flops_per_query",
    )

    def records(self) -> Iterator[tuple[Any, ...]]:
        """See `Tabular.records`; families without a plan within the budget are left out."""
        for one in self:
            pool = one.plans.pool
            for choice in one.choices:
                families = {"single": choice.single, "depth": choice.depth, "cascade": choice.cascade}
                for name, chosen in families.items():
                    if chosen is not None:
                        figures = chosen.plan.name(pool), chosen.times, chosen.score, chosen.flops
                        yield (pool.dataset, choice.first, choice.budget, name, *figures)


def sweep(
    cells: Sequence[Cell],
    metric: str = "nDCG@10",
    *,
    depths: Sequence[int] = DEPTHS,
    stages: int = 3,
    budgets: Callable[[float], Sequence[float]] = lambda most: (),
    splits: int = SPLITS,
    seed: int = 0,
) -> Iterator[Cascades]:
    """Cascades of one dataset after the other.

    `budgets` gives FLOPs per query for those of the most expensive setting; where it gives none, those of each setting
    are taken. Raises InputError as `options` and `pools` do.
    """
    for pool in pools(cells):
        plans = options(pool, metric, depths=depths, stages=stages)
        costs = sorted(plans.flops[families_of(plans)["single"]].mean(axis=1).tolist())
        limits = list(budgets(costs[-1])) or costs
        yield Cascades(plans, tuple(choose(plans, limits, splits=splits, seed=seed)))
