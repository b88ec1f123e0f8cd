"""An experiment from the words of a command line: models, datasets, and where candidates come from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...configs import names
from ...rerankers.errors import InputError
from ..first_stage.retriever import BM25
from .part import stem

_LONGEST = 80  # of a name that becomes a folder's


def from_arguments(
    models: Sequence[str],
    datasets: Sequence[str],
    retriever: str | None = None,
    k: int | None = None,
    *,
    candidates: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what a YAML file would state; its name comes from the models and the datasets.

    `models` may be empty, which judges the first stage alone. `candidates` is a run file, in whose path `{dataset}` is
    the dataset's name, or the name of a publisher's lists; `options` are keys of every model's entry.
    Raises InputError without a dataset.
    """
    if not datasets:
        raise InputError("name an experiment, or give --dataset (and --model); `rerankbench ls datasets` lists them")
    if candidates is not None and retriever is not None:
        raise InputError("--candidates and --retriever: give one of them")
    parts = [*map(stem, models), *map(_name_dataset, datasets)]
    name = re.sub(r"[^\w.+-]+", "-", "--".join(parts)).strip("-.")
    if len(name.encode()) > _LONGEST:
        name = f"{models[0] if models else BM25}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        name = re.sub(r"[^\w.+-]+", "-", stem(name)).strip("-.")
    kind = "candidates" if candidates in names("candidates") else "run"
    source = {"retriever": retriever or BM25} if candidates is None else {kind: candidates}
    first_stage: dict[str, Any] = {**source, **({} if k is None else {"k": k})}
    entries = [{"model": model, **options} if options else model for model in models]
    return {"name": name, "datasets": list(datasets), "first_stage": first_stage, "rerankers": entries}


def _name_dataset(dataset: str) -> str:
    """Return a dataset as it was given; the folder's own name for `.` and `..`."""
    if re.search(r"\w", dataset) is None:
        return Path(dataset).resolve().name
    return dataset.removesuffix("/")
