"""The baseline: accepted snapshots, the policy they are judged by, and why each was accepted. One JSON file in git."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from ...rerankers.errors import InputError, suggest
from ...rerankers.storage.atomic import write_whole
from ...rerankers.validate import read_json, validated
from ..metrics.measures import parse_metric
from .snapshot import Record, Snapshot

BASELINE_VERSION = 1
_SMALLEST_ALPHA = 1e-4  # below, twelve queries that all lose everything would prove nothing
_ROUNDED = 2e-6  # how far a mean of rounded values may be from a rounded mean


class Stated(Record):
    """What a file says: numbers are finite."""

    model_config = ConfigDict(allow_inf_nan=False)


class GatePolicy(Stated):
    """When the gate fails; docs/regression-gate.md explains each line.

    Tolerances of metrics are absolute (0.001 is a tenth of a point of nDCG), `flops_tolerance` and
    `speed_tolerance` are shares of the accepted figure, those of truncation and ties are shares of the pairs.
    """

    judge: Literal["significance", "exact"] = "significance"
    alpha: float = Field(default=0.05, ge=_SMALLEST_ALPHA, lt=1)
    metrics: tuple[str, ...] = Field(default=("nDCG@10",), min_length=1)
    tolerance: float = Field(default=0.001, ge=0, lt=1)
    max_drop: float = Field(default=0.2, gt=0, lt=1)
    query_tolerance: float = Field(default=0.001, ge=0, le=1)
    flops_tolerance: float = Field(default=0.0, ge=0)
    truncation_tolerance: float = Field(default=0.0, ge=0)
    tie_tolerance: float = Field(default=0.001, ge=0)
    identity: Literal["scores", "refuse", "accept"] = "scores"
    speed: Literal["report", "fail"] = "report"
    speed_tolerance: float = Field(default=0.1, ge=0, lt=1)

    @field_validator("metrics")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(parse_metric(name).name for name in names))


class Accepted(Snapshot):
    """A snapshot in the baseline; `tolerance` overrides the policy's for this cell.

    Its means are those of its values by query, and every judged query has one.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    tolerance: float | None = Field(default=None, ge=0, lt=1)
    date: str
    reason: str

    @model_validator(mode="after")
    def _consistent(self) -> Accepted:
        for name, values in (self.per_query or {}).items():
            if len(values) != self.counts.queries:
                raise ValueError(f"{name} has {len(values)} values by query, counts.queries is {self.counts.queries}")
            mean = sum(values.values()) / max(len(values), 1)
            if name not in self.metrics or abs(self.metrics[name] - mean) > _ROUNDED:
                raise ValueError(f"{name} is {self.metrics.get(name)}, its values by query have the mean {mean:.6f}")
        return self


class Acceptance(Stated):
    """One call of `accept`: when, why, and the keys of the cells it wrote or took out."""

    date: str
    reason: str
    cells: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Baseline(Stated):
    """Cells by `dataset/model/setting`, and the history of accepts, oldest first."""

    schema_version: int = BASELINE_VERSION
    policy: GatePolicy = GatePolicy()
    cells: dict[str, Accepted] = Field(default_factory=dict)
    history: tuple[Acceptance, ...] = ()

    @model_validator(mode="after")
    def _keys(self) -> Baseline:
        for key, cell in self.cells.items():
            if key != cell.key:
                raise ValueError(f"cells: '{key}' holds the cell {cell.key}")
        return self


def read(path: Path) -> Baseline:
    """A baseline from its file. Raises InputError naming the file and the key."""
    if not path.exists():
        raise InputError(f"{path}: no such baseline; write one with `rerankbench accept`")
    raw = read_json(path)
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if version != BASELINE_VERSION:
        raise InputError(f"{path}: schema_version {version}, this release reads {BASELINE_VERSION}; accept a run anew")
    return validated(Baseline, raw, str(path))


def write(path: Path, baseline: Baseline) -> None:
    """Sorted keys, one value a line, so that git shows what changed; the file is replaced whole or not at all."""
    body = baseline.model_dump(mode="json")
    for cell in body["cells"].values():
        for name in ("partial", "tolerance", "flops", "per_query"):
            if cell[name] is None:
                del cell[name]
    text = json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(path, text)


def accept(
    old: Baseline | None,
    run: Mapping[str, Snapshot],
    *,
    reason: str,
    today: date,
    policy: GatePolicy | None = None,
    means_only: bool = False,
    allow_partial: bool = False,
    prune: bool = False,
) -> Baseline:
    """The baseline after taking over every cell of a run; cells that the run lacks stay, unless `prune`.

    Per-cell tolerances stay too. Raises InputError for an empty reason, a partial cell without `allow_partial`, a NaN.
    """
    if not reason.strip():
        raise InputError("--reason is empty: say in one sentence why this run is the new baseline")
    old = old or Baseline()
    cells: dict[str, Accepted] = {} if prune else dict(old.cells)
    for key, snap in run.items():
        _refuse_unfit(snap, allow_partial)
        fields = snap.model_dump()
        if means_only:
            fields["per_query"] = None
        before = old.cells.get(key)
        cells[key] = Accepted(
            **fields, tolerance=before.tolerance if before else None, date=today.isoformat(), reason=reason.strip()
        )
    entry = Acceptance(
        date=today.isoformat(),
        reason=reason.strip(),
        cells=tuple(sorted(run)),
        removed=tuple(sorted(set(old.cells) - set(cells))),
    )
    return Baseline(policy=policy or old.policy, cells=dict(sorted(cells.items())), history=(*old.history, entry))


def with_tolerances(baseline: Baseline, tolerances: Mapping[str, float]) -> Baseline:
    """The baseline with other tolerances of some cells. Raises InputError for a cell that is not there."""
    cells = dict(baseline.cells)
    for key, tolerance in tolerances.items():
        if key not in cells:
            raise InputError(f"--tolerance: no cell '{key}'{suggest(key, cells)}")
        if not 0 <= tolerance < 1:
            raise InputError(f"--tolerance {key}={tolerance:g}: must be at least 0 and less than 1")
        cells[key] = cells[key].model_copy(update={"tolerance": tolerance})
    return baseline.model_copy(update={"cells": cells})


def edit_policy(policy: GatePolicy, assignments: Sequence[str]) -> GatePolicy:
    """A copy with `KEY=VALUE` lines applied (`metrics` takes a comma list). Raises InputError naming the key."""
    changes: dict[str, Any] = {}
    for text in assignments:
        key, sign, value = text.partition("=")
        if not sign:
            raise InputError(f"--policy '{text}': expected KEY=VALUE, for example judge=exact")
        if key not in GatePolicy.model_fields:
            raise InputError(f"--policy: unknown key '{key}'{suggest(key, GatePolicy.model_fields)}")
        changes[key] = tuple(v.strip() for v in value.split(",")) if key == "metrics" else value
    return validated(GatePolicy, {**policy.model_dump(), **changes}, "--policy")


def _refuse_unfit(snap: Snapshot, allow_partial: bool) -> None:
    if snap.partial is not None and not allow_partial:
        raise InputError(
            f"{snap.key}: is partial ({json.dumps(snap.partial)}) and does not stand for its dataset; "
            "run it whole, or accept it with --allow-partial"
        )
    values = [*snap.metrics.values(), *(v for q in (snap.per_query or {}).values() for v in q.values())]
    if snap.counts.nan or not all(map(math.isfinite, values)):
        raise InputError(f"{snap.key}: holds NaN, which cannot be a baseline; find its cause first")
