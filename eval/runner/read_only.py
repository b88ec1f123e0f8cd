"""A finished run in a folder that cannot be written: its cells, as they are stored."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from ...rerankers.errors import InputError
from ..experiment.schema import Experiment
from ..results import Cells, load_cells
from .subset import Part

log = logging.getLogger("rerankbench")


def is_read_only(out: Path) -> bool:
    """Return whether a folder holds cells and nothing can be written into it."""
    return (out / "cells").is_dir() and not os.access(out, os.W_OK)


def stored_cells(experiment: Experiment, out: Path, part: Part) -> Cells:
    """Return the cells of an experiment from a folder that cannot be written.

    Raises InputError where the folder lacks one, or holds another state of the experiment.
    """
    wanted = experiment.model_dump(mode="json")
    cells = Cells(cell for cell in load_cells([out]) if cell.manifest.experiment == experiment.name)
    variants = {(entry.label, s.name) for entry, settings in experiment.variants().items() for s in settings}
    have = {(cell.manifest.model, cell.manifest.setting) for cell in cells}
    names = {cell.manifest.dataset for cell in cells}
    same = all(dict(cell.provenance.get("experiment") or {}) == wanted for cell in cells)
    same = same and all(cell.manifest.partial == (part.as_json() or None) for cell in cells)
    if not cells or not same or variants - have or len(names) < len(experiment.datasets):
        raise InputError(f"{out}: cannot be written, and does not hold this experiment finished; choose another --out")
    log.warning("%s: cannot be written; its stored results are shown, data and models were not looked at", out)
    return cells
