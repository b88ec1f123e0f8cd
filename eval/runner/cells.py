"""Which cell: its inputs, its identity, where it came from."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...rerankers.errors import InputError
from ...rerankers.settings import Setting
from ..data import Dataset
from ..experiment.schema import Experiment, RerankerEntry
from ..first_stage import Candidates
from ..results import FIRST_STAGE, QRELS, SCHEMA_VERSION, Cell, check_place, digest, load_manifest, prove, recomputed

log = logging.getLogger("rerankbench")

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
        """The finished cell, if it is of the same identity, has the same metrics, and holds what it claims."""
        path = check_place(self.root, inputs.dataset.name, self.model, self.setting)
        if not path.exists():
            return None
        try:
            cell = Cell(path, load_manifest(path / "manifest.json"))
            prove(cell, self.root)
        except InputError as err:
            log.warning("%s", str(err).replace("; run the experiment again, which makes", "; made"))
            return None
        m = cell.manifest
        same = m.identity == digest(self.identity) and tuple(m.metrics) == self.metrics
        if not same or m.experiment != self.experiment or (self.setting == FIRST_STAGE and QRELS not in m.files):
            return None
        if not recomputed(cell, inputs.dataset.qrels):
            log.warning("%s: its metrics are not those of its run; made anew", path)
            return None
        return cell


def model_identity(reranker: Mapping[str, Any], inputs: Inputs) -> dict[str, Any]:
    """The identity of a model's results on a dataset, without the setting."""
    return {"schema": SCHEMA_VERSION, "reranker": reranker, **inputs.identity()}


def targets(
    out: Path,
    experiment: Experiment,
    entry: RerankerEntry,
    settings: Sequence[Setting],
    inputs: Inputs,
    reranker: Mapping[str, Any],
) -> dict[Setting, Target]:
    """The cells of a model on a dataset."""
    base, name, metrics = model_identity(reranker, inputs), experiment.name, experiment.metrics
    return {s: Target(out, name, entry.label, s.name, {**base, "setting": s.name}, metrics) for s in settings}


def remove_stale(root: Path, experiment: str, cells: Sequence[Cell]) -> None:
    """Removes cells that an earlier form of the experiment left, so that no table mixes the two. Scores stay.

    So go those that a killed run left unfinished.
    """
    for folder in root.glob(UNFINISHED):
        shutil.rmtree(folder)
    kept = {cell.path for cell in cells}
    for place in list(root.glob("cells/**/manifest.json")):
        try:
            stale = place.parent not in kept and load_manifest(place).experiment == experiment
        except InputError:
            continue  # nobody's: tables name it
        if stale:
            shutil.rmtree(place.parent)


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
