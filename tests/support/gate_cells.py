"""Synthetic run folders: scores become a run, metrics, a manifest, all by the same metrics as in a real run."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rerankbench.eval.metrics.trec import mean, per_query, rank
from rerankbench.eval.results import Cost, Counts, Flops, Manifest, cell_path, digest, seal

METRICS = ("nDCG@10", "RR@10")


@dataclass(frozen=True)
class FakeCell:
    """A cell to be written. `scores` is float, shape (queries, documents); document `d0` is relevant, graded 1."""

    scores: np.ndarray
    dataset: str = "toy"
    model: str = "small"
    setting: str = "L4"
    parts: dict[str, Any] = field(
        default_factory=lambda: {
            "model": {"adapter": "1", "prompt": "Is the passage relevant?", "dtype": "float32", "weights": "sha256:aa"},
            "setting": {"cutoff_layer": 4},
            "checksum": "sha256:bb",
            "candidates": "sha256:cc",
        }
    )
    partial: dict[str, Any] | None = None
    truncated: int = 3
    nan: int = 0
    flops: int = 123_456_789_000
    share_of_peak: float | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def but(self, **changes: Any) -> FakeCell:
        return replace(self, **changes)

    def with_part(self, name: str, value: Any) -> FakeCell:
        outer, _, inner = name.partition(".")
        new = {**self.parts[outer], inner: value} if inner else value
        return self.but(parts={**self.parts, outer: new})

    def write(self, root: Path, order: np.ndarray | None = None) -> Path:
        n, docs = self.scores.shape
        run = {f"q{i:03d}": {f"d{j}": float(s) for j, s in enumerate(row)} for i, row in enumerate(self.scores)}
        values = per_query(run, {q: {"d0": 1} for q in run}, METRICS)
        tied = int(sum(docs - len(np.unique(row)) for row in self.scores.astype(np.float32)))
        folder = cell_path(root, self.dataset, self.model, self.setting)
        folder.mkdir(parents=True)
        frame = pd.DataFrame(
            {
                "query_id": list(run),
                **{"candidates": docs, "judged": 1, "truncated": 0, "tied": 0, "nan": 0, "tokens": 10},
                "flops_reference": self.flops // n,
                **{metric: [values[metric][q] for q in run] for metric in METRICS},
            }
        )
        (frame if order is None else frame.iloc[order]).to_parquet(folder / "per_query.parquet")
        with gzip.open(folder / "run.trec.gz", "wt", encoding="utf-8") as file:
            for query in run if order is None else np.array(list(run))[order]:
                for place, doc in enumerate(rank(run[query]), 1):
                    file.write(f"{query} Q0 {doc} {place} {run[query][doc]!r} fake\n")
        manifest = Manifest(
            experiment="fake",
            dataset=self.dataset,
            model=self.model,
            setting=self.setting,
            identity=digest(self.parts),
            identity_parts=self.parts,
            partial=self.partial,
            metrics={metric: mean(values[metric].values()) for metric in METRICS},
            counts=Counts(queries=n, pairs=n * docs, truncated=self.truncated, tied=tied, nan=self.nan),
            flops=Flops(reference=self.flops, full=2 * self.flops, saved=0.5),
            cost=Cost(share_of_peak=self.share_of_peak),
            provenance=self.provenance,
        )
        (folder / "manifest.json").write_text(seal(folder, manifest).model_dump_json(indent=1), encoding="utf-8")
        return root


def some_scores(queries: int = 40, docs: int = 30, *, signal: float = 1.5, seed: int = 0) -> np.ndarray:
    """Noise, with the relevant first document lifted by `signal`; as float32, like a model's logits."""
    scores = np.random.default_rng(seed).normal(size=(queries, docs))
    scores[:, 0] += signal
    return scores.astype(np.float32)
