"""Ceiling, headroom, depths and cascades of a run of all-MiniLM-L6-v2, in plain Python and numpy from the run's files.

    python tests/support/replay_oracle.py RUN DATASET      checks every figure that the commands print about it

Nothing of the project is used to compute; what it prints is read as JSON.
"""

from __future__ import annotations

import gzip
import json
import math
import subprocess
import sys
from collections import defaultdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HIDDEN, MLP = 384, 1536  # of all-MiniLM-L6-v2's config.json
CUT = 10


class Files:
    """A run's folder, read as a stranger reads it."""

    def __init__(self, run: Path, dataset: str) -> None:
        self.run, self.cells = run, run / "cells" / dataset
        self.scores = run / "scores" / dataset / "all-minilm-l6-v2"

    def ranking(self, cell: str) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = defaultdict(dict)
        for line in gzip.decompress((self.cells / cell / "run.trec.gz").read_bytes()).decode().splitlines():
            query, _, doc, _, score, _ = line.split()
            found[query][doc] = float(score)
        return dict(found)

    @cached_property
    def qrels(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = defaultdict(dict)
        lines = gzip.decompress((self.cells / "bm25/first-stage/qrels.trec.gz").read_bytes()).decode().splitlines()
        for query, _, doc, grade in map(str.split, lines):
            found[query][doc] = int(grade)
        return dict(found)

    @cached_property
    def first(self) -> dict[str, list[str]]:
        return {query: list(docs) for query, docs in self.ranking("bm25/first-stage").items()}

    @cached_property
    def layers(self) -> dict[str, dict[str, dict[str, float]]]:
        return {f"L{n}": self.ranking(f"all-minilm-l6-v2/L{n}") for n in range(1, 7)}

    @cached_property
    def lengths(self) -> dict[tuple[str, str], tuple[int, int]]:
        tables = [pd.read_parquet(path) for path in sorted(self.scores.rglob("block-*.parquet"))]
        columns = ["query_id", "doc_id", "query_tokens", "passage_tokens"]
        rows = pd.concat(tables)[columns].itertuples(index=False)
        return {(q, d): (int(a), int(b)) for q, d, a, b in rows}


def ndcg(order: list[str], grades: dict[str, int]) -> float:
    gain = sum(max(grades.get(doc, 0), 0) / math.log2(place + 2) for place, doc in enumerate(order[:CUT]))
    best = sum(g / math.log2(p + 2) for p, g in enumerate(sorted(grades.values(), reverse=True)[:CUT]) if g > 0)
    return gain / best if best else 0.0


def put(order: list[str], depth: int, scores: dict[str, float]) -> list[str]:
    top = order[:depth]
    return [*sorted(top, key=lambda d: (np.float32(scores[d]), d), reverse=True), *order[depth:]]


def layer_flops(tokens: int) -> int:
    """2 per multiply-add: four projections, q.k and weights.v, two matrices of the MLP."""
    return 2 * tokens * (4 * HIDDEN * HIDDEN + 2 * HIDDEN * MLP) + 2 * 2 * tokens * tokens * HIDDEN


def pair_flops(lengths: tuple[int, int], layers: int) -> int:
    return layers * sum(layer_flops(tokens) for tokens in lengths)


def cascade(files: Files, query: str, stages: list[tuple[str, int]]) -> tuple[float, int]:
    """nDCG@10 and FLOPs of one query; each stage computes the layers that the stages before it have not."""
    order, spent, done = files.first.get(query, []), 0, 0
    for setting, depth in stages:
        layers = int(setting[1:])
        for doc in order[:depth]:
            spent += pair_flops(files.lengths[query, doc], layers - done) + 2 * HIDDEN
        order, done = put(order, depth, files.layers[setting].get(query, {})), layers
    return ndcg(order, files.qrels[query]), spent


def told(*arguments: str) -> Any:
    done = subprocess.run(["rerankbench", *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def check(run: Path, dataset: str) -> int:
    """Compare; raises AssertionError. The number of figures compared."""
    files, count = Files(run, dataset), 0
    queries = sorted(files.qrels)

    def same(figure: float, expected: float) -> None:
        nonlocal count
        assert math.isclose(figure, expected, rel_tol=1e-9, abs_tol=1e-7), (figure, expected)
        count += 1

    best = np.mean([ndcg(put(files.first.get(q, []), 10**6, _grades(files, q)), files.qrels[q]) for q in queries])
    start = np.mean([ndcg(files.first.get(q, []), files.qrels[q]) for q in queries])
    for row in (r for r in told("table", str(run), "--format", "json") if r["dataset"] == dataset):
        same(row["ceiling"], float(best))
        same(row["headroom_taken"], float((row["metrics"]["nDCG@10"] - start) / (best - start)))
        same(row["candidates_recall"], float(np.mean([_recall(files, q) for q in queries])))
    for row in told("depth", str(run), "--dataset", dataset, "--json"):
        # The first stage has no depth: its own order, and no reranker's FLOPs.
        stages = [(row["setting"], int(row["origin"].split()[1]))] if row["origin"] else []
        found = [cascade(files, q, stages) for q in queries]
        same(row["score"], 100 * float(np.mean([score for score, _ in found])))
        same(row["flops_per_query"], float(np.mean([flops for _, flops in found])))
    (record,) = told("cascade", str(run), "--dataset", dataset, "--json", "--splits", "3")
    for row in (r for r in record["frontier"] if "stop" not in r["plan"]):
        stages = [(part.split()[0], int(part.split()[2])) for part in row["plan"].split(" > ")]
        found = [cascade(files, q, stages) for q in queries]
        same(row["score"], 100 * float(np.mean([score for score, _ in found])))
        same(row["flops_per_query"], float(np.mean([flops for _, flops in found])))
    return count


def _grades(files: Files, query: str) -> dict[str, float]:
    return {doc: max(files.qrels[query].get(doc, 0), 0) for doc in files.first.get(query, [])}


def _recall(files: Files, query: str) -> float:
    relevant = {doc for doc, grade in files.qrels[query].items() if grade > 0}
    return len(relevant & set(files.first.get(query, []))) / len(relevant) if relevant else 0.0


if __name__ == "__main__":
    print(f"{check(Path(sys.argv[1]), sys.argv[2])} figures are the same")
