"""Judge a run against a baseline: snapshots in, a report out. Prints nothing, reads nothing, changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ...rerankers.errors import InputError
from .baseline import Accepted, Baseline, GatePolicy
from .changes import change_of, changed_data, named_changes, renamed, soften, written
from .counts import count_findings, speed_findings
from .findings import Finding, worst
from .means import means
from .quality import MetricCheck, correct, measure, metric_findings
from .snapshot import Snapshot

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
    run, names = renamed(baseline.cells, run) if policy.identity != "refuse" else (run, {})
    apart: list[CellCheck] = []
    comparable: dict[str, tuple[Accepted, Snapshot]] = {}
    for key in sorted({*baseline.cells, *run}):
        known, now = baseline.cells.get(key), run.get(key)
        if known is None or now is None:
            apart.append(_one_sided(key, known))
        elif verdict := _incomparable(known, now, policy, names.get(key)):
            apart.append(verdict)
        else:
            comparable[key] = known, now
    cells = {
        key: [measure(*pair, metric, policy, seed) for metric in policy.metrics] for key, pair in comparable.items()
    }
    over_datasets = means(list(comparable.values()), policy, seed) if policy.judge == "significance" else {}
    measured = _corrected({**cells, **over_datasets}, policy.alpha)
    judged = [_judge(key, measured[key], policy, *comparable[key], names.get(key)) for key in cells]
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
    name: str | None = None,
) -> CellCheck:
    """A cell, or a mean over cells where `known` and `now` are left out. `name`: what the run calls its model."""
    findings = [finding for m in metrics for finding in metric_findings(m, policy)]
    if known and now:
        findings += count_findings(known, now, policy)
        findings += speed_findings(known.speed, now.speed, policy)
        if change := change_of(known, now, name):
            findings = soften(findings) if policy.identity == "accept" else findings
            findings.append(Finding("OK", "identity", change))
    return CellCheck(key, worst(findings), tuple(metrics), tuple(findings))


def _one_sided(key: str, known: Accepted | None) -> CellCheck:
    if known is None:
        text = "not in the baseline, nothing to compare with; accept the run to watch it"
        return CellCheck(key, "NEW", findings=(Finding("OK", "new", text),))
    text = "in the baseline, but not in the run; run it, or take it out with `rerankbench accept --prune`"
    return CellCheck(key, "MISSING", findings=(Finding("FAIL", "missing", text),))


def _incomparable(known: Accepted, now: Snapshot, policy: GatePolicy, name: str | None) -> CellCheck | None:
    """A named verdict when the two cells do not measure the same thing; their means stand beside it, untested."""
    means = tuple(
        MetricCheck(metric, known.metrics[metric], now.metrics[metric], policy.tolerance, None)
        for metric in policy.metrics
        if metric in known.metrics and metric in now.metrics
    )
    if known.partial != now.partial:
        text = f"partial: {written(known.partial)} -> {written(now.partial)}; not tested, run it like the baseline"
        return CellCheck(known.key, "PARTIAL", means, (Finding("FAIL", "partial", text),))
    data = changed_data(known, now)
    if not data and (policy.identity != "refuse" or (known.identity == now.identity and name is None)):
        return None
    named = [Finding("FAIL", "identity", text) for text in named_changes(known, now)]
    why = f"other data ({', '.join(data)})" if data else "another identity (policy identity: refuse)"
    advice = Finding("FAIL", "identity", f"{why}, not tested; accept it if intended")
    return CellCheck(known.key, "CHANGED", means, (*named, advice))
