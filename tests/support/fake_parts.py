"""A reranker and a dataset that cost nothing, for tests of the machinery around them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rerankbench.eval.data import Policy
from rerankbench.eval.first_stage import Candidates
from rerankbench.eval.results import digest
from rerankbench.rerankers.adapters.base import Reranker
from rerankbench.rerankers.api import Executed, Group, Prepared, Scored
from rerankbench.rerankers.errors import InputError, ScoreError
from rerankbench.rerankers.flops import LayerCost, Shape
from rerankbench.rerankers.options import LoadOptions, TextOptions
from rerankbench.rerankers.settings import Setting
from rerankbench.rerankers.spec import ModelSpec

SHAPE = Shape(
    layers=6,
    layer=LayerCost.of(hidden=8, queries=8, keys=8, mlp=2 * 8 * 16),
    cutoffs=range(1, 7),
    head_per_pair=16,
    head_needed=16,
    apart=True,
    pools=True,
)


class FakeReranker(Reranker):
    """Scores are hashes of the texts and the setting; every call is written to a log, one line per pair."""

    device, dtype = "cpu", "float32"

    def __init__(self, log: Path | None = None, *, seconds: float = 0.0, options: LoadOptions | None = None) -> None:
        self.spec = ModelSpec(name="fake", family="bi-encoder", source="nowhere")
        self.shape: Shape | None = SHAPE
        self.log, self.seconds, self.options = log, seconds, options or LoadOptions()
        self.broken_at: str | None = None

    def identity(self, text: TextOptions) -> dict[str, Any]:
        return {"family": "fake", "version": 1, "max_length": text.max_length, "dtype": self.options.dtype}

    def check(self, setting: Setting) -> list[str]:
        if setting.cutoff_layer and setting.cutoff_layer > SHAPE.layers:
            raise InputError(f"cutoff_layer {setting.cutoff_layer}: fake has 6 layers")
        return []

    def prepare(self, groups: Sequence[Group], text: TextOptions) -> Prepared:
        return Prepared(len(groups), 0.001)

    def score_distinct(
        self, groups: Sequence[Group], settings: Sequence[Setting], text: TextOptions, prepared: Prepared
    ) -> Scored:
        pairs = [(group.query, passage) for group in groups for passage in group.passages]
        if self.log:
            with self.log.open("a", encoding="utf-8") as file:
                file.writelines(f"{'+'.join(s.name for s in settings)}\t{q}\t{p}\n" for q, p in pairs)
        if self.broken_at is not None and any(self.broken_at == query for query, _ in pairs):
            raise ScoreError(f"score nan for query '{self.broken_at}'")
        time.sleep(self.seconds)
        scores = np.array([[_score(*pair, setting) for pair in pairs] for setting in settings], dtype=np.float32)
        words = np.array([[len(q.split()), len(p.split())] for q, p in pairs], dtype=np.int32).reshape(-1, 2)
        return Scored(
            scores.reshape(len(settings), len(pairs)),
            words[:, 0],
            words[:, 1],
            np.zeros(len(pairs), dtype=np.int32),
            words[:, 1] > 5,
            Executed(seconds={"tokenise": 0.001, "forward": 0.002}),
        )


def _score(query: str, passage: str, setting: Setting) -> float:
    number = int.from_bytes(hashlib.sha256(f"{query}|{passage}|{setting.name}".encode()).digest()[:4], "big")
    return number % 997 / 100


class FakeDataset:
    """`queries` queries over `documents` documents; every query judges three of them."""

    def __init__(self, name: str, queries: int = 12, documents: int = 20) -> None:
        self.name, self.policy = name, Policy(join="{title} {text}")
        self.queries = {f"q{i:03d}": f"question {i} of {name}" for i in range(queries)}
        self.qrels = {q: {f"d{(i * j) % documents}": j % 3 for j in (1, 2, 5)} for i, q in enumerate(self.queries)}
        self.checksum = digest({"name": name, "queries": queries, "documents": documents})
        self.warnings: list[str] = []
        self.excluded: dict[str, frozenset[str]] = {}
        self._documents = {f"d{i}": " ".join(["word"] * (1 + i % 7)) + f" {i}" for i in range(documents)}

    def texts(self, doc_ids: Sequence[str]) -> list[str]:
        return [self._documents[doc] for doc in doc_ids]

    def missing(self, doc_ids: Sequence[str]) -> list[str]:
        return [doc for doc in doc_ids if doc not in self._documents]

    def corpus(self):
        return iter(self._documents.items())

    def __len__(self) -> int:
        return len(self._documents)


def fake_retrieve(retriever: str, dataset: Any, k: int, folder: Path, **_: Any) -> Candidates:
    """The same k documents for every query, but none for the query q005."""
    docs = sorted(doc for doc, _ in dataset.corpus())[:k]
    run = {q: [(doc, float(k - i)) for i, doc in enumerate(docs)] for q in sorted(dataset.queries) if q != "q005"}
    ids = {query: [doc for doc, _ in ranked] for query, ranked in run.items()}
    return Candidates(dataset.name, k, run, digest(ids), {"retriever": retriever}, folder / "none.trec.gz")
