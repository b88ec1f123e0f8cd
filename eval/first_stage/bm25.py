"""BM25 candidates."""

from __future__ import annotations

from pathlib import Path

from ..data import Dataset
from .candidates import Candidates


def bm25_candidates(dataset: Dataset, k: int, folder: Path, *, progress: bool | None = None) -> Candidates:
    """Top-k by BM25, reused from `folder` when they are there. `progress` None shows bars on a terminal only."""
    raise NotImplementedError
