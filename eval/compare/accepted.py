"""A baseline of the gate beside a run: paired differences by cell, from the values by query that were accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...rerankers.errors import InputError
from ..gate import baseline as baselines
from ..gate.changes import renamed
from ..gate.snapshot import Snapshot, changed_parts, snapshot
from ..metrics import statistics
from ..results import Cell
from .runs import Comparison, Difference


def compare_accepted(
    file: Path, cells: Sequence[Cell], metric: str, *, seed: int = 0, correction: str = "holm"
) -> Comparison:
    """Differences of a run minus the accepted cells; texts of queries are not in a baseline.

    Raises InputError where no cell of the run is in the baseline, or it holds no values of the metric by query.
    """
    known = baselines.read(file).cells
    run, names = renamed(known, {(s := snapshot(cell, [metric])).key: s for cell in cells})
    both = sorted(known.keys() & run.keys())
    if not both:
        raise InputError(f"nothing to compare: {file} has {', '.join(known)}; the run has {', '.join(run)}")
    differences = [_difference(file, known[key], run[key], names.get(key), metric, seed) for key in both]
    adjusted = statistics.CORRECTIONS[correction]([d.paired.p for d in differences])
    alone = [f"A: {key}" for key in known if key not in run] + [f"B: {key}" for key in run if key not in known]
    return Comparison(tuple(replace(d, p_adjusted=p) for d, p in zip(differences, adjusted)), tuple(alone), correction)


def _difference(file: Path, a: Snapshot, b: Snapshot, name: str | None, metric: str, seed: int) -> Difference:
    if metric not in (a.per_query or {}):
        raise InputError(f"{file}: {a.key} holds no {metric} by query; accept a run with --policy metrics={metric}")
    left, right = (a.per_query or {})[metric], (b.per_query or {})[metric]
    common = sorted(left.keys() & right.keys())
    if not common:
        raise InputError(f"{file}: {a.key} has no query in common with the run")
    before, after = np.array([left[q] for q in common]), np.array([right[q] for q in common])
    result = statistics.paired((after - before).round(6), seed=seed)
    return Difference(
        dataset=a.dataset,
        a=f"{a.model}@{a.setting}",
        b=f"{name or b.model}@{b.setting}",
        queries=len(common),
        only=len(left.keys() ^ right.keys()),
        mean_a=float(before.mean()),
        mean_b=float(after.mean()),
        paired=result,
        p_adjusted=result.p,
        parts=changed_parts(a.identity_parts, b.identity_parts),
        worst=(),
        note="a baseline holds no rankings, so no top 10s are shown",
    )
