"""Cells of a run as a list that also is a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..text.tabular import Tabular
from .records import Cell


class Cells(Tabular, list[Cell]):
    """A list of cells; its frame has one row per cell and metric."""

    COLUMNS = (
        "dataset",
        "group",  # the macro group of the dataset
        "model",
        "setting",
        "metric",
        "value",  # a fraction
        "low",  # 95 % interval, where queries were sampled
        "high",
        "queries",
        "pairs",
        "flops_per_query",  # reference
        "flops_saved",  # a fraction of the full model's
        "forward_seconds",  # of the passes that served the cell
        "partial",  # the part of the dataset, `limit 5`
        "experiment",
        "path",
    )

    def records(self) -> Iterator[tuple[Any, ...]]:
        """See `Tabular.records`."""
        for cell in self:
            m, queries = cell.manifest, cell.manifest.counts.queries
            flops = m.flops.reference / queries if m.flops and queries else None
            partial = ", ".join(f"{key} {value}" for key, value in (m.partial or {}).items()) or None
            for metric, value in m.metrics.items():
                yield (
                    *(m.dataset, m.group, m.model, m.setting, metric, value),
                    *m.intervals.get(metric, (None, None)),
                    *(queries, m.counts.pairs, flops, m.flops and m.flops.saved, m.cost.forward_seconds),
                    *(partial, m.experiment, str(cell.path)),
                )

    def __repr__(self) -> str:
        names = [f"{c.manifest.dataset} {c.manifest.model} {c.manifest.setting}" for c in self[:3]]
        return f"<{len(self)} cells: {', '.join(names)}{', …' if len(self) > 3 else ''}>"
