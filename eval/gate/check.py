"""Judge a run against a baseline: snapshots in, a report out. Prints nothing, reads nothing, changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...rerankers.errors import InputError
from .baseline import Accepted, Baseline, GatePolicy
from .counts import count_findings, speed_findings
from .findings import Finding, worst
from .means import means
from .quality import MetricCheck, correct, measure, metric_findings
from .snapshot import Snapshot, changed_parts

Status = Literal["OK", "NEW", "DRIFT", "PARTIAL", "CHANGED", "MISSING", "FAIL"]
FAILING: frozenset[Status] = frozenset({"FAIL", "MISSING", "CHANGED", "PARTIAL"})


@dataclass(frozen=True)
class CellCheck:
    """The verdict on one cell (`dataset/model/setting`) and everything that led to it."""

    key: str
    status: Status
    metrics: tuple[MetricCheck, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def failed(self) -> bool:
        """The status fails the gate."""
        return self.status in FAILING


@dataclass(frozen=True)
class GateReport:
    """All cells in the order of their keys, means over datasets after them, and the policy they were judged by."""

    cells: tuple[CellCheck, ...]
    policy: GatePolicy

    @property
    def passed(self) -> bool:
        """No cell failed."""
        return not any(cell.failed for cell in self.cells)


def check(
    baseline: Baseline, run: Mapping[str, Snapshot], policy: GatePolicy | None = None, seed: int = 0
) -> GateReport:
    """Judge every cell of the baseline and of the run by `policy` (default: the baseline's own).

    Raises InputError when the baseline holds no cell, or not a metric that the policy asks for.
    """
    policy = policy or baseline.policy
    if not baseline.cells:
        raise InputError("the baseline holds no cell; write some with `rerankbench accept`")
    apart: list[CellCheck] = []
    comparable: dict[str, tuple[Accepted, Snapshot]] = {}
    for key in sorted({*baseline.cells, *run}):
        known, now = baseline.cells.get(key), run.get(key)
        if known is None or now is None:
            apart.append(_one_sided(key, known))
        elif verdict := _incomparable(known, now):
            apart.append(verdict)
        else:
            comparable[key] = known, now
    cells = {
        key: [measure(*pair, metric, policy, seed) for metric in policy.metrics] for key, pair in comparable.items()
    }
    over_datasets = means(list(comparable.values()), policy, seed) if policy.judge == "significance" else {}
    measured = _corrected({**cells, **over_datasets}, policy.alpha)
    judged = [_judge(key, measured[key], policy, *comparable[key]) for key in cells]
    judged_means = [_judge(key, measured[key], policy) for key in over_datasets]
    in_order = sorted([*apart, *judged], key=lambda cell: cell.key)
    return GateReport((*in_order, *judged_means), policy)


def _corrected(measured: Mapping[str, list[MetricCheck]], alpha: float) -> dict[str, list[MetricCheck]]:
    corrected = iter(correct([m for metrics in measured.values() for m in metrics], alpha))
    return {key: [next(corrected) for _ in metrics] for key, metrics in measured.items()}


def _judge(
    key: str,
    metrics: list[MetricCheck],
    policy: GatePolicy,
    known: Accepted | None = None,
    now: Snapshot | None = None,
) -> CellCheck:
    """A cell, or a mean over cells where `known` and `now` are left out."""
    findings = [finding for m in metrics for finding in metric_findings(m, policy)]
    if known and now:
        findings += count_findings(known, now, policy)
        findings += speed_findings(known.speed, now.speed, policy)
    return CellCheck(key, worst(findings), tuple(metrics), tuple(findings))


def _one_sided(key: str, known: Accepted | None) -> CellCheck:
    if known is None:
        text = "not in the baseline, nothing to compare with; accept the run to watch it"
        return CellCheck(key, "NEW", findings=(Finding("OK", "new", text),))
    text = "in the baseline, but not in the run; run it, or take it out with `rerankbench accept --prune`"
    return CellCheck(key, "MISSING", findings=(Finding("FAIL", "missing", text),))


def _incomparable(known: Accepted, now: Snapshot) -> CellCheck | None:
    """A named verdict when the two cells do not measure the same thing."""
    if known.partial != now.partial:
        text = f"partial: {_value(known.partial)} -> {_value(now.partial)}; not compared, run it like the baseline"
        return CellCheck(known.key, "PARTIAL", findings=(Finding("FAIL", "partial", text),))
    if known.identity != now.identity:
        parts = changed_parts(known.identity_parts, now.identity_parts)
        named = [Finding("FAIL", "identity", f"{name}: {_value(a)} -> {_value(b)}") for name, (a, b) in parts.items()]
        advice = Finding("FAIL", "identity", "another identity, not compared; accept it if intended")
        return CellCheck(known.key, "CHANGED", findings=(*named, advice))
    return None


def _value(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
