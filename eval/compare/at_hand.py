"""What a program has at hand, compared: cells, or runs as dictionaries with the qrels that judge them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...rerankers.errors import InputError
from ..metrics import statistics
from ..metrics.measures import parse_metric
from ..metrics.trec import Qrels, Run, per_query
from ..results import Cell, with_metric
from .runs import Comparison, Difference


def with_values(cells: Cell | Sequence[Cell], metric: str) -> list[Cell]:
    """The cells with a metric. Raises InputError where there are none, or one cannot answer it."""
    listed = [cells] if isinstance(cells, Cell) else list(cells)
    judged = with_metric(listed, metric)
    if not judged:
        raise InputError("there are no cells to compare")
    for cell in judged:
        if metric not in cell.manifest.metrics:
            raise InputError(f"{cell!r} has no {metric}; give its first stage's cell as well, which has the judgements")
    return judged


def compare_runs(
    a: Run, b: Run, qrels: Qrels, *, metric: str, seed: int = 0, correction: str = "holm", name: str = "run"
) -> Comparison:
    """One difference, B minus A over all judged queries. Raises InputError for an unknown metric."""
    wanted = parse_metric(metric).name
    left, right = (per_query(run, qrels, [wanted])[wanted] for run in (a, b))
    before, after = (np.array([values[query] for query in sorted(qrels)]) for values in (left, right))
    result = statistics.paired((after - before).round(9), seed=seed)
    difference = Difference(
        dataset=name,
        a="A",
        b="B",
        queries=len(before),
        only=0,
        mean_a=float(before.mean()),
        mean_b=float(after.mean()),
        paired=result,
        p_adjusted=result.p,
        parts={},
        worst=(),
    )
    return Comparison((difference,), correction=correction)
