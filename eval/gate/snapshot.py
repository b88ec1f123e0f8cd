"""What the gate keeps of a cell: small enough for git, enough to judge a later run and to name what changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ...rerankers.errors import InputError, one_line, suggest
from ..results import Cell, Count, Counts, Manifest, load_cells

DECIMALS = 6
_OWN = "rerankbench"
_LONGEST = 120  # a longer part of an identity (a prompt, a config) is kept as its beginning and its hash


class Record(BaseModel):
    """Frozen, and closed against unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Work(Record):
    """Exact reference FLOPs of the cell, and of the same pairs at full depth without compression."""

    reference: Count
    full: Count


class Speed(Record):
    """Throughput and what it depends on: two speeds compare only when `device` and `versions` are equal."""

    model_config = ConfigDict(allow_inf_nan=False)

    pairs_per_second: float | None = None
    share_of_peak: float | None = None
    device: str | None = None
    versions: dict[str, str] = Field(default_factory=dict)


class Snapshot(Record):
    """One cell. `metrics` are means, `per_query` is metric -> query id -> value, both rounded to 6 decimals.

    `identity_parts` are flat: `{"model.prompt": "…"}`. `per_query` is None when only means were accepted.
    """

    dataset: str
    model: str
    setting: str
    identity: str
    identity_parts: dict[str, Any]
    partial: dict[str, Any] | None = None
    metrics: dict[str, float]
    per_query: dict[str, dict[str, float]] | None = None
    counts: Counts
    flops: Work | None = None
    speed: Speed = Field(default_factory=Speed)

    @property
    def key(self) -> str:
        """`dataset/model/setting`."""
        return f"{self.dataset}/{self.model}/{self.setting}"


def snapshots(folder: Path, metrics: Sequence[str]) -> dict[str, Snapshot]:
    """All cells of a run's folder by key, sorted. Raises InputError for what is missing, unreadable or double."""
    by_key: dict[str, Snapshot] = {}
    for cell in load_cells([folder]):
        one = snapshot(cell, metrics)
        by_key[one.key] = one
    return dict(sorted(by_key.items()))


def snapshot(cell: Cell, metrics: Sequence[str]) -> Snapshot:
    """What the gate keeps of one cell; `metrics` are those it judges."""
    m = cell.manifest
    return Snapshot(
        dataset=m.dataset,
        model=m.model,
        setting=m.setting,
        identity=m.identity,
        identity_parts={key: _short(value) for key, value in flatten(m.identity_parts).items()},
        partial=m.partial,
        metrics={name: round(value, DECIMALS) for name, value in m.metrics.items()},
        per_query=_per_query(cell, metrics),
        counts=m.counts,
        flops=Work(reference=m.flops.reference, full=m.flops.full) if m.flops else None,
        speed=_speed(m, cell.provenance),
    )


def flatten(parts: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one level: `{"model": {"dtype": "float32"}}` -> `{"model.dtype": "float32"}`."""
    flat: dict[str, Any] = {}
    for key, value in parts.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def changed_parts(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Part -> (before, after) for every part that differs; None stands for a part that is absent."""
    names = sorted({*before, *after})
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def _short(value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    if len(text) <= _LONGEST:
        return value
    return f"{text[: _LONGEST // 2]}… sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _per_query(cell: Cell, metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    try:
        frame = cell.per_query()
    except (OSError, ValueError) as err:
        raise InputError(f"{cell.path / 'per_query.parquet'}: cannot be read: {one_line(err)}") from err
    for name in metrics:
        if name not in frame.columns:
            known = [str(column) for column in frame.columns]
            raise InputError(f"{cell.path / 'per_query.parquet'}: has no metric '{name}'{suggest(name, known)}")
    queries = frame["query_id"].astype(str)
    if queries.duplicated().any():
        twice = queries[queries.duplicated()].iloc[0]
        raise InputError(f"{cell.path / 'per_query.parquet'}: query '{twice}' has two rows; run it again")
    return {name: dict(sorted(zip(queries, frame[name].round(DECIMALS).tolist()))) for name in metrics}


def _speed(m: Manifest, provenance: Mapping[str, Any]) -> Speed:
    versions = provenance.get("versions") or {}
    device, threads = provenance.get("device_name"), provenance.get("threads")
    if device and threads and provenance.get("device") == "cpu":
        device = f"{device}, {threads} threads"
    return Speed(
        pairs_per_second=m.cost.pairs_per_second,
        share_of_peak=m.cost.share_of_peak,
        device=device,
        versions={k: str(v) for k, v in versions.items() if k != _OWN},  # this code is what is judged
    )
