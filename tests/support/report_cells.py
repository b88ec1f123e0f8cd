"""Cells with rankings and texts for tests of the report: made up, but written and judged as a run's are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from rerankbench.eval.data import Policy
from rerankbench.eval.first_stage import Candidates
from rerankbench.eval.results import FIRST_STAGE, Cell, Cost, Flops, Tokens, digest
from rerankbench.eval.runner.cell_writer import CellWriter, Measured
from rerankbench.eval.runner.cells import Target
from rerankbench.eval.runner.inputs import Inputs

METRICS = ("nDCG@10", "R@100")


@dataclass
class MemoryDataset:
    """Queries and documents in memory; document `d0` is the relevant one of every query."""

    name: str
    queries: dict[str, str]
    documents: dict[str, str]
    policy: Policy = field(default_factory=Policy)
    warnings: list[str] = field(default_factory=list)
    excluded: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def qrels(self) -> dict[str, dict[str, int]]:
        return {query: {"d0": 1, "d1": 0} for query in self.queries}

    @property
    def checksum(self) -> str:
        return digest({"name": self.name, "queries": self.queries, "documents": self.documents})

    def texts(self, doc_ids: Sequence[str]) -> list[str]:
        return [self.documents[doc] for doc in doc_ids]

    def missing(self, doc_ids: Sequence[str]) -> list[str]:
        return [doc for doc in doc_ids if doc not in self.documents]

    def corpus(self) -> Iterator[tuple[str, str]]:
        return iter(self.documents.items())

    def __len__(self) -> int:
        return len(self.documents)


def dataset(name: str = "tea", queries: int = 30, documents: int = 20, **more: object) -> MemoryDataset:
    """A dataset with plain texts."""
    texts = {f"q{i:03d}": f"question {i}" for i in range(queries)}
    return MemoryDataset(name, texts, {f"d{i}": f"passage {i}" for i in range(documents)}, **more)  # type: ignore[arg-type]


def write(
    root: Path,
    data: MemoryDataset,
    model: str = "toy",
    setting: str = "full",
    *,
    strength: float = 1.0,
    flops: int | None = None,
    partial: dict[str, int] | None = None,
    warnings: tuple[str, ...] = (),
) -> Cell:
    """Writes a cell whose relevant document gets `strength` more than the others' noise. `flops` are per query."""
    seed = int(digest({"model": model, "setting": setting, "dataset": data.name})[:8], 16)
    noise = np.random.default_rng(seed).random((len(data.queries), len(data)))
    noise[:, 0] += strength
    docs = list(data.documents)
    run = {q: [(doc, float(s)) for doc, s in zip(docs, row)] for q, row in zip(data.queries, noise)}
    rows = [(q, doc, score) for q, ranked in run.items() for doc, score in ranked]
    pairs = pd.DataFrame(rows, columns=["query_id", "doc_id", "score"])
    spent = flops * len(data.queries) if flops else None
    candidates = Candidates(data.name, len(docs), run, "candidates of " + data.name, {}, root / "none")
    measured = Measured(
        flops=Flops(reference=spent, useful=spent, full=2 * spent, saved=0.5) if spent else None,
        tokens=Tokens(query=300, passage=3000) if spent else None,
        cost=Cost(forward_seconds=2.0, pairs_per_second=50.0) if spent else Cost(),
        warnings=warnings,
    )
    inputs = Inputs(data, candidates, partial)
    identity = {"reranker": {"model": model}, **inputs.identity(), "setting": setting}
    target = Target(root, "synthetic", model, setting, identity, METRICS)
    with CellWriter(target, inputs) as writer:
        writer.add(pairs)
        return writer.finish(measured, {"device": "cpu"}, {"experiment": {"datasets": [data.name]}})


def write_first_stage(root: Path, data: MemoryDataset, **more: object) -> Cell:
    """The cell of a weak first stage."""
    return write(root, data, "bm25", FIRST_STAGE, **{"strength": 0.2, **more})  # type: ignore[arg-type]
