"""Retrievers by name."""

from __future__ import annotations

from pathlib import Path

from ..data import Dataset
from .candidates import Candidates


def retrieve(retriever: str, dataset: Dataset, k: int, folder: Path, *, progress: bool | None = None) -> Candidates:
    """Candidates by the retriever of that name (`bm25`). Raises InputError for an unknown one."""
    raise NotImplementedError
