"""Candidates by the name of a retriever: BM25, or one of `configs/retrievers/`."""

from __future__ import annotations

from pathlib import Path

from ..data import Dataset
from .bm25 import bm25_candidates
from .candidates import Candidates
from .dense import dense_candidates
from .retriever import BM25, load_retriever


def retrieve(
    retriever: str, dataset: Dataset, k: int, folder: Path, *, device: str = "auto", progress: bool | None = None
) -> Candidates:
    """Candidates by the retriever of that name (or YAML file), reused from `folder` when they are there.

    `device` encodes and searches; BM25 needs none. `progress` None shows bars on a terminal only.
    Raises InputError for an unknown name.
    """
    if retriever == BM25:
        return bm25_candidates(dataset, k, folder, progress=progress)
    return dense_candidates(load_retriever(retriever), dataset, k, folder, device=device, progress=progress)
