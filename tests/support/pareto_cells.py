"""Cells with a score and FLOPs, for frontiers and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rerankbench.eval.results import Cell, Counts, Flops, Manifest, cell_path, digest

QUERIES = 10


def cell(dataset: str, setting: str, score: float, flops: int | None, model: str = "toy", **more: Any) -> Cell:
    """A cell of ten queries; `flops` is per query."""
    count = Flops(reference=flops * QUERIES, full=10**16, saved=0.0) if flops else None
    manifest = Manifest(
        experiment="synthetic",
        dataset=dataset,
        model=model,
        setting=setting,
        identity=digest({"setting": setting}),
        identity_parts={"setting": setting},
        metrics={"nDCG@10": score},
        counts=Counts(queries=QUERIES, pairs=QUERIES),
        flops=count,
        **more,
    )
    return Cell(cell_path(Path("run"), dataset, model, setting), manifest)


CELLS = [
    cell("a", "first-stage", 0.30, None, model="bm25"),
    cell("a", "full", 0.50, 4 * 10**14),
    cell("a", "L8", 0.40, 10**14),
    cell("a", "L12", 0.39, 2 * 10**14),
    cell("b", "full", 0.60, 4 * 10**14),
    cell("b", "L8", 0.60, 10**14),
]
