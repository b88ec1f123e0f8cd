"""Run files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def trec_order(scores: Mapping[str, float]) -> list[tuple[str, float]]:
    """(document id, score) by score descending, ties by id descending, as trec_eval orders them."""
    raise NotImplementedError


def read_run(path: Path) -> dict[str, dict[str, float]]:
    """Query id -> document id -> score, from TREC's six columns or a JSON dictionary, plain or gz."""
    raise NotImplementedError


def write_run(path: Path, run: Mapping[str, Mapping[str, float]], tag: str) -> None:
    """TREC's six columns, gz, in TREC order; the same run gives the same bytes."""
    raise NotImplementedError
