"""How long one query takes under a variant, kept beside the cells of a run: `DIR/latency/<model>/<setting>.json`."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ...rerankers.errors import InputError
from ...rerankers.storage.atomic import write_whole
from ...rerankers.validate import read_json, validated
from .identity import digest
from .proof import check_place
from .records import Amount, Cell, Count
from .sealed import hash_record

LATENCY_VERSION = 1


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Spread(_Record):
    """Seconds of one query. A percentile is a measured value, the smallest that so many do not exceed; None where there
    are too few queries to have it: 20 for p95, 100 for p99.
    """

    mean: Amount
    p50: Amount
    p95: Amount | None
    p99: Amount | None
    longest: Amount


class Served(_Record):
    """With so many clients, each of which sends its next query after an answer. The model answers one at a time, so
    `wait` is among the phases; what is left of `total` is spent between them. `tokens` is the mean number of a query's
    and its passages' tokens over all of its pairs, `kept` the share of them that did not have to be computed, because
    the model had them: a shared prefix, a vector.
    """

    clients: Count
    queries: Count
    queries_per_second: Amount
    tokens: Amount
    kept: Amount
    total: Spread
    phases: dict[str, Spread]


class Latency(_Record):
    """One measurement.

    Attributes:
        identity: SHA-256 of what identifies the model and its text, as in the cells of a run.
        candidates: most of a query; `source` states which texts.
        load_seconds, first_seconds: until the model was there, and until its first answer after that, compilation
            included.
        warmup: queries before those that count.
    """

    schema_version: int = LATENCY_VERSION
    model: str
    setting: str
    identity: str
    device: str
    device_name: str
    dtype: str
    threads: int | None = None
    candidates: Count
    source: str
    load_seconds: Amount
    first_seconds: Amount
    warmup: Count
    served: tuple[Served, ...]
    made: str = ""
    command: str | None = None
    proof: str = ""


def write_latency(root: Path, latency: Latency) -> Path:
    """Store a measurement in a run's folder, in the place of the last one of this variant."""
    check_place(root, "latency", latency.model, latency.setting)
    path = latency_path(root, latency.model, latency.setting)
    path.parent.mkdir(parents=True, exist_ok=True)
    sealed = latency.model_copy(update={"proof": hash_record(latency)})
    write_whole(path, sealed.model_dump_json(indent=1))
    return path


def latency_of(cell: Cell) -> Latency | None:
    """Return the measurement of a cell's variant, if its run has one of this very model and text.

    Raises InputError when the file cannot be read, or was damaged or edited.
    """
    path = latency_path(cell.root, cell.manifest.model, cell.manifest.setting)
    if not os.path.isfile(path):  # noqa: PTH113 - called for every cell of a table
        return None
    latency = _read_measurement(path, path.stat().st_mtime_ns)
    return latency if latency.identity == digest(cell.manifest.identity_parts.get("reranker", {})) else None


def latency_path(root: Path, model: str, setting: str) -> Path:
    """Return the path of a measurement."""
    return root.joinpath("latency", model, f"{setting}.json")


@lru_cache(maxsize=512)
def _read_measurement(path: Path, changed: int) -> Latency:
    latency = validated(Latency, read_json(path), str(path), as_json=True)
    if latency.proof != hash_record(latency):
        raise InputError(f"{path}: was damaged or edited; measure it again with `rerankbench latency`")
    return latency
