"""Cells as JSON: nothing rounded, nothing averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..board.figures import Limit, figure
from ..board.limits import candidates_of, limits_of
from ..board.training import knows
from ..published import PublishedTable, compare
from ..results import Cell
from ..text.sanitize import to_json


def write(cells: Sequence[Cell], metric: str, published: PublishedTable | None) -> str:
    """A list of cells in their order; metrics, ceiling and shares are fractions, `published` is x 100 as printed."""
    limits = limits_of(cells, metric)
    records = [_cell(cell, metric, published, limits.get(candidates_of(cell))) for cell in cells]
    return to_json(records, indent=2) + "\n"


def _cell(cell: Cell, metric: str, published: PublishedTable | None, limit: Limit | None) -> dict[str, Any]:
    m, judged = cell.manifest, figure(cell, metric, limit)
    record: dict[str, Any] = {
        "experiment": m.experiment,
        "dataset": m.dataset,
        "group": m.group,
        "model": m.model,
        "setting": m.setting,
        "metrics": m.metrics,
        "intervals": m.intervals,
        "flops": m.flops.model_dump() if m.flops else None,
        "ceiling": limit and limit.ceiling / 100,
        "headroom_taken": None if judged.headroom is None else judged.headroom / 100,
        "candidates_recall": limit and limit.recall / 100,
        "training": knows(cell),
        "partial": m.partial,
        "counts": m.counts.model_dump(),
        "identity": m.identity,
        "manifest": str(cell.path / "manifest.json"),
    }
    if published:
        value = 100 * m.metrics[metric] if metric in m.metrics else None
        result = compare(published, m.dataset, m.model, m.setting, value, partial=bool(m.partial))
        record["published"] = None
        if result:
            difference = {"difference": result.difference, "verdict": result.verdict}
            record["published"] = {"table": published.name, "value": result.published, **difference}
    return record
