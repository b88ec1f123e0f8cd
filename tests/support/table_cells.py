"""Cells for tests of tables: figures without meaning, in the real records."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from rerankbench.eval.results import Cell, Counts, Flops, Manifest, cell_path

QUERIES = 10


def make_cell(
    dataset: str,
    score: float,
    model: str = "toy",
    setting: str = "full",
    *,
    root: Path = Path("run"),
    experiment: str = "synthetic",
    flops: int | None = None,
    full: int | None = None,
    **more: Any,
) -> Cell:
    """A cell with nDCG@10 `score`; `flops` and `full` are per query."""
    identity = hashlib.sha256(f"{dataset} {model} {setting} {score} {more}".encode()).hexdigest()
    manifest = Manifest(
        experiment=experiment,
        dataset=dataset,
        model=model,
        setting=setting,
        identity=identity,
        identity_parts={},
        metrics={"nDCG@10": score, "R@100": 1.0},
        counts=Counts(queries=QUERIES, pairs=100 * QUERIES),
        flops=Flops(reference=flops * QUERIES, full=(full or flops) * QUERIES, saved=0.0) if flops else None,
        **more,
    )
    return Cell(cell_path(root, dataset, model, setting), manifest)


def write_cell(cell: Cell) -> None:
    """The cell's manifest on disk."""
    cell.path.mkdir(parents=True)
    (cell.path / "manifest.json").write_text(cell.manifest.model_dump_json(), encoding="utf-8")
