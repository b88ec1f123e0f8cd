"""What a run takes in: a dataset with its candidates, and what they contribute to an identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...rerankers.errors import InputError
from ..data import Dataset
from ..first_stage import Candidates
from ..results import SCHEMA_VERSION


@dataclass(frozen=True)
class Inputs:
    """One dataset of a run with its candidates.

    `partial` is `{"limit": N}` or `{"sample": N, "seed": S}` when it was cut down.
    """

    dataset: Dataset
    candidates: Candidates
    partial: dict[str, int] | None
    source: str = ""

    def identity(self) -> dict[str, Any]:
        """Return what the data contribute to a result's identity: hashes of content, never paths."""
        return {
            "dataset": self.dataset.name,
            "checksum": self.dataset.checksum,
            "join": self.dataset.policy.join,
            "candidates": self.candidates.hash,
            "partial": self.partial,
        }


def model_identity(reranker: Mapping[str, Any], inputs: Inputs) -> dict[str, Any]:
    """Return the identity of a model's results on a dataset, without the setting."""
    return {"schema": SCHEMA_VERSION, "reranker": reranker, **inputs.identity()}


_MEAN = "mean"  # the row of a table that no dataset may be called like


def check_row_names(datasets: Sequence[tuple[str, str | None]]) -> None:
    """Raise InputError for (name, group) of datasets whose rows would look the same in a table."""
    names = [name for name, _ in datasets]
    for name, group in datasets:
        if names.count(name) > 1:
            raise InputError(f"datasets: two of them are called '{name}'; rename one folder")
        if name.casefold() == _MEAN:
            raise InputError(f"datasets: '{name}' is what tables call the mean; rename the folder")
        if group is not None and group in names:
            raise InputError(f"datasets: '{group}' is a dataset and the group of '{name}'; rename one of them")
