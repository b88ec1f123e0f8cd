"""Candidates: what the first stage hands to every reranker; written once, hashed, reused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Candidates:
    """Top-k documents of every judged query that has any.

    Attributes:
        dataset: name of the dataset.
        k: most candidates of one query.
        run: query id -> (document id, first-stage score) in TREC order: score descending, ties by id descending.
        hash: SHA-256 of the canonical JSON of query ids and their document ids in order; the scores do not enter.
        source: how they were made: `{"retriever": "bm25", "k1": 0.9, ...}` or `{"run": NAME, "sha256": ...}`.
        path: the TREC run (gz) they are kept in.
        warnings: what was odd but allowed, one line each.
    """

    dataset: str
    k: int
    run: dict[str, list[tuple[str, float]]]
    hash: str
    source: dict[str, Any]
    path: Path
    warnings: tuple[str, ...] = ()
