"""Which cell: its inputs, its identity, where it came from."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...rerankers.errors import InputError
from ..data import Dataset
from ..first_stage import Candidates
from ..results import Cell, cell_path, load_cells, load_manifest
from .identity import digest

UNFINISHED = ".cell-*.tmp"  # folders of cells that are being written


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


@dataclass(frozen=True)
class Target:
    """Which cell: its place in the tables and its identity."""

    root: Path
    experiment: str
    model: str
    setting: str
    identity: dict[str, Any]
    metrics: tuple[str, ...]

    def existing(self, inputs: Inputs) -> Cell | None:
        """The finished cell, if it is of the same identity and has the same metrics."""
        path = cell_path(self.root, inputs.dataset.name, self.model, self.setting)
        try:
            manifest = load_manifest(path / "manifest.json")
        except InputError:
            return None
        same = manifest.identity == digest(self.identity) and tuple(manifest.metrics) == self.metrics
        return Cell(path, manifest) if same and manifest.experiment == self.experiment else None


def remove_stale(root: Path, experiment: str, cells: Sequence[Cell]) -> None:
    """Removes cells that an earlier form of the experiment left, so that no table mixes the two. Scores stay.

    So go those that a killed run left unfinished.
    """
    for folder in root.glob(UNFINISHED):
        shutil.rmtree(folder)
    kept = {cell.path for cell in cells}
    for cell in load_cells([root]):
        if cell.path not in kept and cell.manifest.experiment == experiment:
            shutil.rmtree(cell.path)


def data_provenance(out: Path, inputs: Inputs) -> dict[str, Any]:
    """Where the candidates and the texts of a cell came from."""
    candidates, dataset = inputs.candidates, inputs.dataset
    path = candidates.path
    return {
        "candidates": {
            "source": candidates.source,
            "hash": candidates.hash,
            "k": candidates.k,
            "path": str(path.relative_to(out) if path.is_relative_to(out) else path),
        },
        "data": {"policy": vars(dataset.policy), "documents": len(dataset), "warnings": list(dataset.warnings)},
    }
