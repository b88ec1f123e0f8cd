"""Cells as JSON: nothing rounded, nothing averaged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..published import PublishedTable, compare
from ..results import Cell


def write(cells: Sequence[Cell], metric: str, published: PublishedTable | None) -> str:
    """A list of cells in their order; metrics are fractions, `published` is x 100 as printed."""
    return json.dumps([_cell(cell, metric, published) for cell in cells], indent=2, ensure_ascii=False) + "\n"


def _cell(cell: Cell, metric: str, published: PublishedTable | None) -> dict[str, Any]:
    m = cell.manifest
    record: dict[str, Any] = {
        "experiment": m.experiment,
        "dataset": m.dataset,
        "group": m.group,
        "model": m.model,
        "setting": m.setting,
        "metrics": m.metrics,
        "intervals": m.intervals,
        "flops": m.flops.model_dump() if m.flops else None,
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
