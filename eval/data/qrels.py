"""Judgements from a file."""

from __future__ import annotations

from pathlib import Path


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Query id -> document id -> grade, from TREC's four columns or BEIR's TSV (three, header or not)."""
    raise NotImplementedError
