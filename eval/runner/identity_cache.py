"""What a model was when it was last loaded, so that a finished experiment is recognised without loading it again.

An identity follows from the files of the model, the options, the code that reads them and the devices; where all these
are as they were, it is as it was. Anything else, and the model is loaded.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ...configs import CONFIGS
from ...rerankers import __file__ as RERANKERS
from ...rerankers.checkpoint.hub import resolve
from ...rerankers.options import TextOptions
from ...rerankers.registry import family_of
from ...rerankers.settings import Setting
from ...rerankers.spec import ModelSpec
from ...rerankers.storage.atomic import write_whole
from ...rerankers.storage.cache import cache_folder
from ..experiment.schema import Experiment, RerankerEntry
from ..hardware.accelerators import accelerators
from ..results import Cell, digest, read_sealed, seal_json
from .cells import existing_cells, targets
from .inputs import Inputs
from .origin import plan_origins

log = logging.getLogger("rerankbench")

_LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "sentence-transformers", "peft", "numpy")
_OURS = __name__.partition(".eval.")[0] + ".rerankers."


def finished(
    experiment: Experiment,
    entry: RerankerEntry,
    spec: ModelSpec,
    settings: Sequence[Setting],
    inputs: Sequence[Inputs],
    out: Path,
) -> dict[str, list[Cell]] | None:
    """Return dataset -> cells of a model, when all are there under its cached identities; None: it must be loaded."""
    file = _cache_file(experiment, entry, spec, inputs)
    if file is None:
        return None
    texts, known = _list_texts(entry, inputs), (read_sealed(file) or {}).get("identities")
    if not isinstance(known, list) or len(known) != len(texts):
        return None
    identities = dict(zip(texts, known, strict=True))
    done: dict[str, list[Cell]] = {}
    for part in inputs:
        identity = identities[entry.text_options(part.dataset.policy.task)]
        wanted = targets(out, experiment, entry, settings, part, identity)
        cells: dict[Setting, Cell | None] = {}
        for origin in plan_origins(experiment, entry, settings, part, out, identity):
            mine = {setting: wanted[setting] for setting in origin.group.settings if setting in wanted}
            if origin.missing(partial(existing_cells, mine, part, origin)):
                return None
            cells |= existing_cells(mine, part, origin)
        if None in cells.values():
            return None
        done[part.dataset.name] = [cell for setting in settings if (cell := cells[setting]) is not None]
    log.info("%s: all cells are up to date; the model was not loaded", entry.label)
    return done


def remember(
    experiment: Experiment,
    entry: RerankerEntry,
    spec: ModelSpec,
    inputs: Sequence[Inputs],
    identities: Mapping[TextOptions, dict[str, Any]],
) -> None:
    """Keep the identities of a model that was loaded."""
    file = _cache_file(experiment, entry, spec, inputs)
    if file is not None:
        known = [identities[text] for text in _list_texts(entry, inputs)]
        write_whole(file, seal_json({"identities": known}))


def _list_texts(entry: RerankerEntry, inputs: Sequence[Inputs]) -> list[TextOptions]:
    return list(dict.fromkeys(entry.text_options(part.dataset.policy.task) for part in inputs))


def _cache_file(experiment: Experiment, entry: RerankerEntry, spec: ModelSpec, inputs: Sequence[Inputs]) -> Path | None:
    """Return its file; None for what has code of its own, no files, or runs elsewhere."""
    if experiment.engine.name != "local":
        return None
    family = family_of(spec)
    if not family.has_files or spec.trust_remote_code or not type(family).__module__.startswith(_OURS):
        return None
    parts = {
        "spec": asdict(spec),
        "files": resolve(spec.source, spec.revision).identity,
        "options": asdict(experiment.load_options(entry)),
        "texts": [asdict(text) for text in _list_texts(entry, inputs)],
        "code": _hash_code(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "devices": accelerators(),
    }
    return cache_folder() / "known" / f"{digest(json.loads(json.dumps(parts, default=str)))}.json"


@cache
def _hash_code() -> str:
    """Return SHA-256 of everything that makes an identity of files and options: this package's code and data."""
    sources = [*Path(RERANKERS).parent.rglob("*.py"), *CONFIGS.glob("*.yaml"), *CONFIGS.glob("*.py")]
    hashes = hashlib.sha256()
    for path in sorted(sources):
        hashes.update(hashlib.sha256(path.read_bytes()).digest())
    return hashes.hexdigest()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
