"""Candidates from a run file."""

from __future__ import annotations

from pathlib import Path

from ..data import Dataset
from .candidates import Candidates


def imported_candidates(dataset: Dataset, run_file: Path, k: int, folder: Path) -> Candidates:
    """Top-k of a run that somebody else made, kept in `folder`."""
    raise NotImplementedError
