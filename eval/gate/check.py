"""Judge a run against a baseline: snapshots in, a report out. Prints nothing, reads nothing, changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...rerankers.errors import InputError
from .baseline import Accepted, Baseline, Policy
from .counts import count_findings, speed_findings
from .findings import Finding, worst
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
class Report:
    """All cells in the order of their keys, and the policy they were judged by."""

    cells: tuple[CellCheck, ...]
    policy: Policy

    @property
    def passed(self) -> bool:
        """No cell failed."""
        return not any(cell.failed for cell in self.cells)


def check(baseline: Baseline, run: Mapping[str, Snapshot], policy: Policy | None = None, seed: int = 0) -> Report:
    """Judge every cell of the baseline and of the run by `policy` (default: the baseline's own).

    Raises InputError when the baseline holds no cell, or not a metric that the policy asks for.
    """
    policy = policy or baseline.policy
    if not baseline.cells:
        raise InputError("the baseline holds no cell; write some with `rerankbench accept`")
    verdicts: list[CellCheck] = []
    measured: list[tuple[Accepted, Snapshot, int]] = []
    tests: list[MetricCheck] = []
    for key in sorted({*baseline.cells, *run}):
        known, now = baseline.cells.get(key), run.get(key)
        if known is None or now is None:
            verdicts.append(_one_sided(key, known))
        elif apart := _incomparable(known, now):
            verdicts.append(apart)
        else:
            measured.append((known, now, len(tests)))
            tests.extend(measure(known, now, metric, policy, seed) for metric in policy.metrics)
    tests = correct(tests, policy.alpha)
    for known, now, first in measured:
        verdicts.append(_judge(known, now, tests[first : first + len(policy.metrics)], policy))
    return Report(tuple(sorted(verdicts, key=lambda cell: cell.key)), policy)


def _judge(known: Accepted, now: Snapshot, metrics: list[MetricCheck], policy: Policy) -> CellCheck:
    findings = [finding for m in metrics for finding in metric_findings(m, policy)]
    findings += count_findings(known, now, policy)
    findings += speed_findings(known.speed, now.speed, policy)
    return CellCheck(known.key, worst(findings), tuple(metrics), tuple(findings))


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
