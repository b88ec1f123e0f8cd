"""Cells that an experiment has and a folder lacks: reported by whatever reads the folder.

A run writes what it is going to make into `expected.json` of its folder: experiment -> its datasets and variants.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...rerankers.storage.atomic import write_whole
from .records import Cell
from .sealed import read_sealed, seal_json

log = logging.getLogger("rerankbench")

EXPECTED = "expected.json"
_NAMED = 3
_MOST_BYTES = 1 << 26
Place = tuple[str, str, str]  # dataset, model, setting


def write_expected(root: Path, experiment: str, datasets: Sequence[str], variants: Sequence[tuple[str, str]]) -> None:
    """Keep what cells an experiment has: each dataset under each variant, a model and a setting."""
    content = {
        **_read_expected(root),
        experiment: {"datasets": list(datasets), "variants": [list(pair) for pair in variants]},
    }
    text = seal_json({"experiments": content})
    path = root / EXPECTED
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_whole(path, text)


def warn_of_missing(root: Path, cells: Sequence[Cell], present: set[Place]) -> None:
    """Warn where a folder lacks cells; `present` are all that it has, `cells` those of them that were read."""
    missing = find_missing(root, cells, present)
    if missing:
        named = ", ".join(missing[:_NAMED]) + (", …" if len(missing) > _NAMED else "")
        log.warning("%s: is not complete: it lacks %s; run it again, which adds what is missing", root, named)


def find_missing(root: Path, cells: Sequence[Cell], present: set[Place]) -> list[str]:
    """Find `DATASET: MODEL SETTING`, or `the dataset DATASET`, that a folder's experiment has and the folder lacks."""
    missing: dict[str, None] = {}
    have = {dataset for dataset, *_ in present}
    for dataset, variants in _find_absent(root, cells, present):
        if dataset not in have:
            missing[f"the dataset {dataset}"] = None
        missing |= {
            f"{dataset}: {model} {setting}": None
            for model, setting in variants
            if dataset in have and (dataset, model, setting) not in present
        }
    return list(missing)


def _find_absent(root: Path, cells: Sequence[Cell], present: set[Place]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield (dataset, its variants).

    Of a run that did not write it: its datasets under whatever variant one of them has.
    """
    expected = _read_expected(root)
    for content in expected.values():
        variants = [(str(model), str(setting)) for model, setting in content["variants"]]
        yield from ((str(dataset), variants) for dataset in content["datasets"])
    older = {cell.manifest.experiment: cell for cell in cells if cell.manifest.experiment not in expected}
    for cell in older.values():
        experiment = cell.provenance.get("experiment")
        names = {dataset for dataset, *_ in present}
        variants = sorted({present_cell[1:] for present_cell in present})
        for given in map(str, experiment.get("datasets", ()) if isinstance(experiment, dict) else ()):
            yield (given if given in names else Path(given).name), variants


def _read_expected(root: Path) -> Mapping[str, Any]:
    path = root / EXPECTED
    if not path.is_file():
        return {}
    content = read_sealed(path, _MOST_BYTES)
    if content is not None and isinstance(content.get("experiments"), dict):
        return content["experiments"]
    log.warning("%s: was damaged or edited, so that missing cells may not be reported; run it again", path)
    return {}
