"""Which cell: its inputs, its identity, where it came from."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...rerankers.errors import InputError
from ...rerankers.settings import Setting
from ..experiment.schema import Experiment, RerankerEntry
from ..results import (
    CONTEXTS,
    FIRST_STAGE,
    MANIFEST,
    QRELS,
    Cell,
    check_place,
    digest,
    find_cell,
    find_cells,
    load_manifest,
    memo_of,
    prove,
    recomputed,
)
from .inputs import Inputs, model_identity
from .origin import Origin

log = logging.getLogger("rerankbench")

UNFINISHED = ".cell-*.tmp"  # folders of cells that are being written


@dataclass(frozen=True)
class Target:
    """Which cell: its place in the tables and its identity."""

    root: Path
    experiment: str
    model: str
    setting: str
    identity: dict[str, Any]
    metrics: tuple[str, ...]

    def existing(self, inputs: Inputs, origin: Origin | None = None) -> Cell | None:
        """Return the finished cell, if it is of the same identity, has the same metrics, and what it claims.

        `origin` has the stored scores that it must have been made from. What was found so before, and has not been
        touched since, is not computed again.
        """
        path = check_place(self.root, inputs.dataset.name, self.model, self.setting)
        if not path.exists():
            return None
        memo, files_of = memo_of(self.root), self._list_proven_files(path, inputs, origin)
        known = memo.knows(*files_of[-1])
        try:
            cell = Cell(path, load_manifest(path / MANIFEST, known))
            if not known:
                prove(cell, self.root)
        except InputError as err:
            log.warning("%s", str(err).replace("; run the experiment again, which makes", "; made"))
            return None
        m = cell.manifest
        same = m.identity == digest(self.identity) and tuple(m.metrics) == self.metrics
        if not same or m.experiment != self.experiment or (self.setting == FIRST_STAGE and QRELS not in m.files):
            return None
        if known:
            return cell
        if not recomputed(cell, inputs.dataset.qrels):
            log.warning("%s: its metrics are not those of its run; made again", path)
            return None
        if origin and not origin.made(cell):
            log.warning("%s: its ranking is not that of the stored scores; made again", path)
            return None
        for name, files in files_of:
            memo.add(name, files)
        return cell

    def remember(self, cell: Cell, inputs: Inputs, origin: Origin | None = None) -> None:
        """Record a cell that was made just now, which the next command need not prove."""
        for name, files in self._list_proven_files(cell.path, inputs, origin):
            memo_of(self.root).add(name, files)

    def _list_proven_files(
        self, path: Path, inputs: Inputs, origin: Origin | None
    ) -> list[tuple[str, list[os.stat_result]]]:
        """Return what there is to prove, with its files: the cell; and that it is judged so, and of these scores."""
        folder = find_cell(self.root, path)
        name = f"{folder.name} of {inputs.dataset.checksum} by {origin.group.digest if origin else None}"
        return [
            (folder.name, folder.states),
            (name, [*folder.states, *(origin.group.files() if origin else ())]),
        ]


def targets(
    out: Path,
    experiment: Experiment,
    entry: RerankerEntry,
    settings: Sequence[Setting],
    inputs: Inputs,
    reranker: Mapping[str, Any],
) -> dict[Setting, Target]:
    """Return the cells of a model on a dataset."""
    base, name, metrics = model_identity(reranker, inputs), experiment.name, experiment.metrics
    return {s: Target(out, name, entry.label, s.name, {**base, "setting": s.name}, metrics) for s in settings}


def existing_cells(targets: Mapping[Setting, Target], inputs: Inputs, origin: Origin) -> dict[Setting, Cell | None]:
    """Return the finished cells of a pass; see `Target.existing`."""
    return {setting: target.existing(inputs, origin) for setting, target in targets.items()}


def remove_stale(root: Path, experiment: str, cells: Sequence[Cell]) -> None:
    """Remove cells that an earlier form of the experiment left, so that no table mixes the two. Scores stay.

    So go those that a killed run left unfinished, and contexts that no cell names.
    """
    for unfinished in root.glob(UNFINISHED):
        shutil.rmtree(unfinished)
    current = {cell.path for cell in cells}
    named = {cell.manifest.context for cell in cells}
    for folder in find_cells(root):
        if folder.path in current or MANIFEST not in folder.files:
            continue
        try:
            manifest = load_manifest(folder.path / MANIFEST)
        except InputError:
            continue  # nobody's: tables name it
        if manifest.experiment == experiment:
            shutil.rmtree(folder.path)
        else:
            named.add(manifest.context)
    for path in (root / CONTEXTS).glob("*.json"):
        if path.stem not in named:
            path.unlink()


def data_provenance(out: Path, inputs: Inputs) -> dict[str, Any]:
    """Return where the candidates and the texts of a cell came from."""
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
