"""Where every figure comes from, and what there is no figure for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..board.figures import reason
from ..board.frontier import label
from ..board.pivot import Board
from ..gate.snapshot import flatten
from ..published import PublishedTable
from ..results import Cell

_LONGEST = 300  # characters of a value; a longer one (a prompt, a configuration) is cut
_PROVENANCE = (
    "command", "commit", "versions", "device", "device_name", "dtype", "os", "model", "candidates", "options",
    "started", "finished",
)  # fmt: skip


def records(cells: Sequence[Cell], metric: str) -> dict[str, Any]:
    """Cells in JSON values. `facts` holds each (part, value) once; the cells refer to them by index."""
    pool: dict[tuple[str, str], int] = {}

    def facts(parts: Mapping[str, Any]) -> list[int]:
        pairs = [(key, _short(value)) for key, value in flatten(parts).items() if value not in (None, "", [], {})]
        return [pool.setdefault(pair, len(pool)) for pair in pairs]

    found = [_record(cell, metric) for cell in cells]
    for record, cell in zip(found, cells):
        m, known = cell.manifest, cell.provenance
        record["identity_parts"] = facts(m.identity_parts)
        record["counts"] = facts(m.counts.model_dump())
        record["provenance"] = facts({key: known[key] for key in _PROVENANCE if key in known})
    return {"facts": [list(pair) for pair in pool], "cells": found}


def _record(cell: Cell, metric: str) -> dict[str, Any]:
    m = cell.manifest
    return {
        "dataset": m.dataset,
        "model": m.model,
        "setting": m.setting,
        "score": round(100 * m.metrics[metric], 4) if metric in m.metrics else None,
        "experiment": m.experiment,
        "identity": m.identity,
        "partial": reason(m.partial) if m.partial else None,
        "warnings": list(m.warnings),
        "path": str(cell.path),
    }


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def warnings(cells: Sequence[Cell]) -> list[tuple[str, int]]:
    """Each warning with the number of cells that have it, the most frequent first."""
    counts: dict[str, int] = {}
    for cell in cells:
        for text in cell.manifest.warnings:
            counts[text] = counts.get(text, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def not_run(board: Board, cells: Sequence[Cell], published: PublishedTable | None) -> list[tuple[str, str]]:
    """(what, where) there is no figure for: planned datasets without a cell, and gaps of the table by variant."""
    present = {cell.manifest.dataset for cell in cells}
    planned = {name: cell.manifest.experiment for cell in cells for name in _planned(cell)}
    gaps = [(f"the dataset {name}", f"planned in {exp}") for name, exp in planned.items() if name not in present]
    names = [name for row in board.rows for name in (row.members or (row.name,))]
    for variant in board.variants:
        absent = [name for name in names if board.figure(name, variant).score is None]
        gaps += [(label(variant), ", ".join(absent))] if absent else []
    if published:
        rows, columns = {row.name for row in board.rows}, {(v.model, v.setting) for v in board.variants}
        gaps += [
            (f"{c.model} {c.setting}", f"published in {published.name}")
            for c in published.columns
            if c.key not in columns
        ]
        gaps += [(f"the row {row}", f"published in {published.name}") for row in published.rows if row not in rows]
    return gaps


def _planned(cell: Cell) -> list[str]:
    experiment = cell.provenance.get("experiment")
    return list(experiment.get("datasets", [])) if isinstance(experiment, dict) else []
