"""Datasets by cost, groups together, and what a budget has room for."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from rerankbench.eval.experiment.file import load_experiment
from rerankbench.eval.plan.plan import make_plan
from rerankbench.eval.reproduce.order import Unit, units_of, within
from rerankbench.rerankers.errors import InputError


def unit(row: str, pflops: float | None) -> Unit:
    return Unit(row, (row,), 1, pflops)


def test_units_of_a_card_table_are_its_rows_and_add_up_to_its_plan():
    plan = make_plan(load_experiment("beir-bge-large"))
    units = units_of(plan)
    assert len(units) == 15
    assert [one.pflops for one in units] == sorted(one.pflops or 0 for one in units)
    (group,) = [one for one in units if one.row == "cqadupstack"]
    assert len(group.datasets) == 12
    assert sum(one.pflops or 0 for one in units) == pytest.approx(plan.pflops + plan.encoding_pflops)
    assert sum(one.pairs for one in units) == sum(one.pairs for one in plan.passes)


def test_budget_takes_the_cheapest_that_fit_and_what_is_there():
    units = [unit("a", 3.6), unit("b", 7.2), unit("c", 36.0)]  # 1, 2 and 10 hours at 1 TFLOP/s

    def rows(budget: float | None, done: Collection[str] = ()) -> str:
        return "".join(one.row for one in within(units, done, budget, 1.0))

    assert rows(None) == "abc"
    assert [rows(3.0), rows(2.9), rows(0.5)] == ["ab", "a", ""]
    assert [rows(2.0, {"a"}), rows(0.0, {"c"})] == ["ab", "c"]
    assert units[1].hours(2.0) == pytest.approx(1.0)


def test_budget_needs_costs():
    units = [unit("a", None)]
    assert within(units, (), None, 1.0) == units
    assert within(units, {"a"}, 1.0, 1.0) == units
    with pytest.raises(InputError, match="what 'a' costs is not known"):
        within(units, (), 1.0, 1.0)
