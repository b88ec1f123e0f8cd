"""Cells for tests of tables: figures without meaning, in the real records."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pandas as pd
from rerankbench.eval.results import PER_QUERY_COLUMNS, Cell, Counts, Flops, Manifest, cell_path, digest, seal

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
    parts = {"seed": f"{dataset} {model} {setting} {score} {more}"}
    manifest = Manifest(
        experiment=experiment,
        dataset=dataset,
        model=model,
        setting=setting,
        identity=digest(parts),
        identity_parts=parts,
        metrics={"nDCG@10": score, "R@100": 1.0},
        counts=Counts(queries=QUERIES, pairs=100 * QUERIES),
        flops=Flops(reference=flops * QUERIES, full=(full or flops) * QUERIES, saved=0.0) if flops else None,
        **more,
    )
    return Cell(cell_path(root, dataset, model, setting), manifest)


def write_cell(cell: Cell) -> None:
    """The cell on disk: every query with the means, and a run of one line."""
    cell.path.mkdir(parents=True)
    count = cell.manifest.counts.queries
    rows = dict.fromkeys(PER_QUERY_COLUMNS, 0) | cell.manifest.metrics
    table = pd.DataFrame({name: [value] * count for name, value in rows.items()})
    table["query_id"] = [f"q{i}" for i in range(count)]
    table.to_parquet(cell.path / "per_query.parquet", index=False)
    (cell.path / "run.trec.gz").write_bytes(gzip.compress(b"q0 Q0 d0 1 1.0 toy\n"))
    (cell.path / "manifest.json").write_text(seal(cell.path, cell.manifest).model_dump_json(), encoding="utf-8")
