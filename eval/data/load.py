"""Datasets by name."""

from __future__ import annotations

from pathlib import Path

from .dataset import Dataset, DatasetInfo, Policy


def load_dataset(name: str, *, cache: Path | None = None) -> Dataset:
    """The dataset called `name`: `beir/<name>`, `miracl/<language>`, `builtin/<name>` or a folder in BEIR layout.

    `cache` holds indices and fetched archives: by default `$RERANKBENCH_CACHE` or `~/.cache/rerankbench`.
    """
    raise NotImplementedError


def load_policy(name: str) -> Policy:
    """The policy of a dataset, without reading or fetching the dataset."""
    raise NotImplementedError


def list_datasets() -> list[DatasetInfo]:
    """All datasets that have a name, sorted."""
    raise NotImplementedError
