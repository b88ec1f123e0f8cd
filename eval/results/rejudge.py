"""Metrics of stored runs that the experiment did not have: judged now, from the cell's run and the qrels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..metrics import trec
from ..metrics.measures import parse_metric
from .records import FIRST_STAGE, Cell


def with_metric(cells: Sequence[Cell], metric: str) -> list[Cell]:
    """Return the cells, each with `metric` where its qrels are stored with a first stage of the same data among them.

    A cell that has the metric stays as it is; nothing is written. Raises InputError for an unknown metric.
    """
    if all(metric in cell.manifest.metrics for cell in cells):
        return list(cells)
    name = parse_metric(metric).name
    judged = {_identify_data(cell): cell for cell in cells if cell.manifest.setting == FIRST_STAGE}
    qrels = {key: stored for key, cell in judged.items() if (stored := cell.qrels()) is not None}
    return [
        cell
        if name in cell.manifest.metrics or _identify_data(cell) not in qrels
        else _judge_cell(cell, name, qrels[_identify_data(cell)])
        for cell in cells
    ]


def _identify_data(cell: Cell) -> tuple[str, object, str]:
    parts = cell.manifest.identity_parts
    return cell.manifest.dataset, parts.get("checksum"), str(parts.get("partial"))


def _judge_cell(cell: Cell, name: str, qrels: trec.Qrels) -> Cell:
    values = trec.per_query(cell.run(), qrels, [name])[name]
    means = {**cell.manifest.metrics, name: trec.mean(values.values())}
    return replace(
        cell, manifest=cell.manifest.model_copy(update={"metrics": means}), computed={**cell.computed, name: values}
    )
