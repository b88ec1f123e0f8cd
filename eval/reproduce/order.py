"""Datasets in the order of what they cost, and those that a budget has room for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ...rerankers.errors import InputError
from ..data import load_policy
from ..plan.plan import Plan, hours


@dataclass(frozen=True)
class Unit:
    """A row of the table: one dataset, or the members of a macro group, which are run together or not at all.

    `pflops` is None where a model's or retriever's shape is not known; `pairs` counts all passes.
    """

    row: str
    datasets: tuple[str, ...]
    pairs: int
    pflops: float | None

    def hours(self, tflops: float) -> float | None:
        """Return hours at a sustained speed; None where the cost is not known."""
        return None if self.pflops is None else hours(self.pflops, tflops)


def units_of(plan: Plan) -> list[Unit]:
    """Return rows of a plan, the cheapest first; those of unknown cost last, by their pairs."""
    members: dict[str, list[str]] = {}
    for size in plan.sizes:
        members.setdefault(load_policy(size.dataset).group or size.dataset, []).append(size.dataset)
    costs: Mapping[str, list[float | None]] = {size.dataset: [] for size in plan.sizes}
    pairs = dict.fromkeys(costs, 0)
    for pass_ in plan.passes:
        costs[pass_.dataset].append(pass_.pflops)
        pairs[pass_.dataset] += pass_.pairs
    for encoding in plan.encodings:
        costs[encoding.dataset].append(encoding.pflops)
    units = []
    for row, datasets in members.items():
        known = [cost for dataset in datasets for cost in costs[dataset]]
        total = None if None in known else sum(cost for cost in known if cost is not None)
        units.append(Unit(row, tuple(datasets), sum(pairs[dataset] for dataset in datasets), total))
    return sorted(units, key=lambda unit: (unit.pflops is None, unit.pflops or 0.0, unit.pairs))


def within(units: Sequence[Unit], done: Collection[str], budget: float | None, tflops: float) -> list[Unit]:
    """Return the units to run: what is there already costs nothing, the rest in order until the next one does not fit.

    Raises InputError for a budget that cannot be kept because a cost is not known.
    """
    if budget is None:
        return list(units)
    chosen, spent = [], 0.0
    for unit in units:
        if unit.row in done:
            chosen.append(unit)
            continue
        cost = unit.hours(tflops)
        if cost is None:
            raise InputError(f"--budget: what '{unit.row}' costs is not known, as a model's shape is not; leave it out")
        spent += cost
        if spent <= budget:
            chosen.append(unit)
    return chosen
