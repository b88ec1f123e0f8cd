"""Stored scores become a cell: run, metrics per query, manifest."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...rerankers.errors import InputError
from .. import metrics
from ..data import Dataset
from ..first_stage import Candidates, write_run
from ..gate.statistics import bootstrap_interval
from ..results import (
    PER_QUERY_COLUMNS,
    Cell,
    Cost,
    Counts,
    Flops,
    Manifest,
    Tokens,
    cell_path,
    load_cells,
    load_manifest,
)
from .identity import digest
from .store import write_atomically

_RESAMPLES = 1999  # enough for an interval that is printed with two digits


@dataclass(frozen=True)
class Inputs:
    """One dataset of a run with its candidates.

    `partial` is `{"limit": N}` or `{"sample": N, "seed": S}` when it was cut down.
    """

    dataset: Dataset
    candidates: Candidates
    partial: dict[str, int] | None
    source: str = ""

    def identity(self) -> dict[str, Any]:
        """What the data contribute to a result's identity: hashes of content, never paths."""
        return {
            "dataset": self.dataset.name,
            "checksum": self.dataset.checksum,
            "join": self.dataset.policy.join,
            "candidates": self.candidates.hash,
            "partial": self.partial,
        }


@dataclass(frozen=True)
class Measured:
    """What a cell reports beyond its ranking.

    `pairs` has one row per pair: query_id, doc_id, score, and for a reranker truncated, tokens, flops_reference.
    """

    pairs: pd.DataFrame
    flops: Flops | None = None
    tokens: Tokens | None = None
    cost: Cost = field(default_factory=Cost)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """Which cell: its place in the tables and its identity."""

    root: Path
    experiment: str
    model: str
    setting: str
    identity: dict[str, Any]
    metrics: tuple[str, ...]

    def existing(self, inputs: Inputs) -> Cell | None:
        """The finished cell, if it is of the same identity and has the same metrics."""
        path = cell_path(self.root, inputs.dataset.name, self.model, self.setting)
        try:
            manifest = load_manifest(path / "manifest.json")
        except InputError:
            return None
        same = manifest.identity == digest(self.identity) and tuple(manifest.metrics) == self.metrics
        return Cell(path, manifest) if same and manifest.experiment == self.experiment else None


def write_cell(target: Target, inputs: Inputs, measured: Measured, provenance: dict[str, Any]) -> Cell:
    """Judges the scores and writes the cell's folder, whole or not at all."""
    dataset, pairs = inputs.dataset, measured.pairs
    run = PairsRun(pairs)
    values = metrics.per_query(run, dataset.qrels, target.metrics)
    table = _per_query(pairs, dataset.qrels, values)
    manifest = Manifest(
        experiment=target.experiment,
        dataset=dataset.name,
        group=dataset.policy.group,
        model=target.model,
        setting=target.setting,
        identity=digest(target.identity),
        identity_parts=target.identity,
        partial=inputs.partial,
        metrics={name: metrics.mean(column.values()) for name, column in values.items()},
        intervals=_intervals(values, inputs.partial),
        counts=Counts(
            queries=len(table),
            missing=int((table["candidates"] == 0).sum()),
            pairs=len(pairs),
            truncated=int(table["truncated"].sum()),
            tied=int(table["tied"].sum()),
            nan=int(table["nan"].sum()),
        ),
        flops=measured.flops,
        tokens=measured.tokens,
        cost=measured.cost,
        warnings=(*dataset.warnings, *inputs.candidates.warnings, *measured.warnings),
        provenance=provenance,
    )
    path = cell_path(target.root, dataset.name, target.model, target.setting)
    temporary = target.root / ".cell.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    write_run(temporary / "run.trec.gz", run, f"{target.model}.{target.setting}")
    table.to_parquet(temporary / "per_query.parquet", index=False)
    write_atomically(temporary / "manifest.json", manifest.model_dump_json(indent=1).encode())
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(path, ignore_errors=True)
    temporary.replace(path)
    return Cell(path, manifest)


def _intervals(
    values: Mapping[str, Mapping[str, float]], partial: Mapping[str, int] | None
) -> dict[str, tuple[float, float]]:
    """Of every mean where the queries are a sample. Drawn as if the sample were a simple one, so none is too narrow."""
    if partial is None or "sample" not in partial:
        return {}
    return {
        name: bootstrap_interval(np.array([*column.values()]), resamples=_RESAMPLES, seed=partial["seed"])
        for name, column in values.items()
    }


def remove_stale(root: Path, experiment: str, cells: Sequence[Cell]) -> None:
    """Removes cells that an earlier form of the experiment left, so that no table mixes the two. Scores stay."""
    kept = {cell.path for cell in cells}
    for cell in load_cells([root]):
        if cell.path not in kept and cell.manifest.experiment == experiment:
            shutil.rmtree(cell.path)


class PairsRun(Mapping[str, dict[str, float]]):
    """Query id -> document id -> score, queries in the order of the pairs; made when asked for, and not kept."""

    def __init__(self, pairs: pd.DataFrame) -> None:
        self._docs, self._scores = pairs["doc_id"], pairs["score"].to_numpy(dtype=float)
        groups = pairs.groupby("query_id", sort=False).indices
        self._rows = {str(query): rows for query, rows in groups.items()}

    def __getitem__(self, query: str) -> dict[str, float]:
        rows = self._rows[query]
        return dict(zip(self._docs.iloc[rows], self._scores[rows]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _per_query(
    pairs: pd.DataFrame, qrels: Mapping[str, Mapping[str, int]], values: Mapping[str, Mapping[str, float]]
) -> pd.DataFrame:
    """One row per judged query: PER_QUERY_COLUMNS, then the metrics. `tied` counts candidates that share a score."""
    queries = sorted(qrels)
    rows = pd.DataFrame({"query_id": pairs["query_id"], "candidates": 1})
    rows["judged"] = [doc in qrels.get(query, ()) for query, doc in zip(pairs["query_id"], pairs["doc_id"])]
    rows["tied"] = pairs.duplicated(["query_id", "score"], keep=False)
    rows["nan"] = pairs["score"].isna()
    for name, absent in (("truncated", False), ("tokens", 0), ("flops_reference", 0)):
        rows[name] = pairs.get(name, absent)
    sums = pd.DataFrame(rows.groupby("query_id").sum()).reindex(queries, fill_value=0).astype("Int64")
    if "flops_reference" not in pairs:
        sums["flops_reference"] = pd.NA
    table = sums.rename_axis("query_id").reset_index()[list(PER_QUERY_COLUMNS)]
    for name, column in values.items():
        table[name] = [column[query] for query in table["query_id"]]
    return table


def data_provenance(out: Path, inputs: Inputs) -> dict[str, Any]:
    """Where the candidates and the texts of a cell came from."""
    candidates, dataset = inputs.candidates, inputs.dataset
    path = candidates.path
    return {
        "candidates": {
            "source": candidates.source,
            "hash": candidates.hash,
            "k": candidates.k,
            "path": str(path.relative_to(out) if path.is_relative_to(out) else path),
        },
        "data": {"policy": vars(dataset.policy), "documents": len(dataset), "warnings": list(dataset.warnings)},
    }
