"""Retrievers by name. One more is a function like `bm25_candidates` and a line in the table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...rerankers.errors import InputError, suggest
from ..data import Dataset
from .bm25 import bm25_candidates
from .candidates import Candidates

RETRIEVERS: dict[str, Callable[..., Candidates]] = {"bm25": bm25_candidates}


def retrieve(retriever: str, dataset: Dataset, k: int, folder: Path, *, progress: bool | None = None) -> Candidates:
    """Candidates by the retriever of that name, reused from `folder` when they are there.

    `progress` None shows bars on a terminal only. Raises InputError for an unknown name.
    """
    if retriever not in RETRIEVERS:
        raise InputError(f"first_stage.retriever '{retriever}' is unknown{suggest(retriever, RETRIEVERS)}")
    return RETRIEVERS[retriever](dataset, k, folder, progress=progress)
