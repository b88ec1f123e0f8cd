"""Which cells of a baseline a test of significance could never fail, told before anybody relies on it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..metrics.drop_test import smallest_p_value
from .baseline import Accepted, Baseline
from .quality import mark_testable


def find_untestable(baseline: Baseline) -> list[str]:
    """Keys of the cells of which no drop can be significant, were all metrics of all queries to fall to zero.

    Every cell of such a loss is counted in Holm's correction. None under the policy `exact`, nor for cells that hold
    means only, which need no test.
    """
    policy = baseline.policy
    if policy.judge == "exact":
        return []
    cells = {key: cell for key, cell in baseline.cells.items() if cell.per_query}
    smallest = {key: min(_smallest(cell, policy.metrics)) for key, cell in cells.items()}
    tests = [p for p in smallest.values() for _ in policy.metrics]
    able = dict(zip((key for key in smallest for _ in policy.metrics), mark_testable(tests, policy.alpha)))
    return [key for key in smallest if not able[key]]


def _smallest(cell: Accepted, metrics: tuple[str, ...]) -> list[float]:
    values: Mapping[str, Mapping[str, float]] = cell.per_query or {}
    return [smallest_p_value(np.array(list(values[name].values()))) for name in metrics if name in values] or [1.0]


def warn_of_untestable(baseline: Baseline) -> str | None:
    """One line for people; None where every cell can be tested."""
    keys = find_untestable(baseline)
    if not keys:
        return None
    named = ", ".join(keys[:3]) + (", …" if len(keys) > 3 else "")
    return (
        f"{len(keys)} of {len(baseline.cells)} cells have too few queries, or too low figures, for a drop to be "
        f"significant at alpha {baseline.policy.alpha:g} among so many ({named}): there only a drop beyond max_drop "
        f"{baseline.policy.max_drop:g} fails; judge=exact sees every drop"
    )
