"""What a run takes in: a dataset with its candidates, and what they contribute to an identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
        """What the data contribute to a result's identity: hashes of content, never paths."""
        return {
            "dataset": self.dataset.name,
            "checksum": self.dataset.checksum,
            "join": self.dataset.policy.join,
            "candidates": self.candidates.hash,
            "partial": self.partial,
        }


def model_identity(reranker: Mapping[str, Any], inputs: Inputs) -> dict[str, Any]:
    """The identity of a model's results on a dataset, without the setting."""
    return {"schema": SCHEMA_VERSION, "reranker": reranker, **inputs.identity()}
