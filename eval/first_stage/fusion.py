"""Hybrid first stages: the lists of several sources become one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..data import Dataset
from .candidates import Candidates, kept_candidates

RANK_CONSTANT = 60  # of Cormack, Clarke and Buettcher 2009, and the default of Elasticsearch and ranx

Ranking = Sequence[tuple[str, float]]


def fuse_by_rank(rankings: Sequence[Ranking], rank_constant: int = RANK_CONSTANT) -> dict[str, float]:
    """Return document id -> score of one query by reciprocal rank fusion (Cormack et al. 2009).

    A document at rank r (from 1) of a ranking gains 1 / (rank_constant + r); where it is absent, nothing. Rankings are
    (document id, score), best first; their scores do not matter, nor does the order of the rankings.
    """
    gains: dict[str, list[float]] = {}
    for ranking in rankings:
        for rank, (doc, _) in enumerate(ranking, 1):
            gains.setdefault(doc, []).append(1 / (rank_constant + rank))
    return {doc: math.fsum(parts) for doc, parts in gains.items()}


def fused_name(method: str, names: Sequence[str]) -> str:
    """Return what tables call a fusion: `rrf-bm25-bge-m3`."""
    return "-".join([method, *names])


def fused_candidates(
    dataset: Dataset, parts: Sequence[Candidates], k: int, folder: Path, rank_constant: int = RANK_CONSTANT
) -> Candidates:
    """Return the top k of candidates fused by reciprocal rank, kept in `folder`; every part's whole list enters."""
    source: dict[str, Any] = {
        "fuse": [part.source for part in parts],
        "depths": [part.k for part in parts],
        "lists": [part.hash for part in parts],
        "method": "rrf",
        "rank_constant": rank_constant,
    }
    runs = [part.run for part in parts]
    return kept_candidates(dataset, k, folder, source, lambda: _Fused(list(dataset.queries), runs, rank_constant))


class _Fused(Mapping[str, Mapping[str, float]]):
    """A fused run; a query's dictionary is made when it is needed."""

    def __init__(self, queries: Sequence[str], runs: Sequence[Mapping[str, Ranking]], rank_constant: int) -> None:
        self._queries, self._runs, self._constant = queries, runs, rank_constant

    def __getitem__(self, query: str) -> dict[str, float]:
        return fuse_by_rank([run[query] for run in self._runs if query in run], self._constant)

    def __iter__(self) -> Iterator[str]:
        return iter(self._queries)

    def __len__(self) -> int:
        return len(self._queries)
