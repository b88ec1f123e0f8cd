"""Metrics of a cell against the accepted ones: paired by query where queries are known, else by their means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...rerankers.errors import InputError
from ..metrics import statistics
from .baseline import Accepted, GatePolicy
from .findings import Finding, Level
from .snapshot import DECIMALS, Snapshot

_NAMED = 5  # queries that a sentence names


@dataclass(frozen=True)
class QueryDrop:
    """One query whose metric fell by more than the query tolerance."""

    query: str
    before: float
    after: float


@dataclass(frozen=True)
class MetricCheck:
    """One metric of one cell, or of the mean of several.

    `paired` is None when the baseline holds means only. Its `p` is one-sided (is it worse?) and uncorrected, its
    interval holds 1 - 2 alpha, so that the upper end is the one-sided bound; `p_holm` is corrected, and None where too
    few queries changed for any significance. `drops` are sorted, the deepest first.
    """

    metric: str
    before: float
    after: float
    tolerance: float
    paired: statistics.Paired | None
    drops: tuple[QueryDrop, ...] = ()
    p_holm: float | None = None

    @property
    def delta(self) -> float:
        """After minus before: over the paired queries, or of the means."""
        return self.paired.mean if self.paired else self.after - self.before

    def significant(self, alpha: float) -> bool:
        """Zero lies outside the interval and the corrected test rejects."""
        return self.paired is not None and self.p_holm is not None and self.p_holm <= alpha and self.paired.high < 0


def measure(known: Accepted, now: Snapshot, metric: str, policy: GatePolicy, seed: int) -> MetricCheck:
    """Compare one metric; `p_holm` is still open. Raises InputError when the baseline does not hold the metric."""
    tolerance = policy.tolerance if known.tolerance is None else known.tolerance
    for name, snap in (("the baseline", known), ("the run", now)):
        if metric not in snap.metrics:
            raise InputError(f"{known.key}: {name} holds no {metric}; accept or run it with this metric")
    before, after = known.metrics[metric], now.metrics[metric]
    changes = differences(known, now, metric)
    if not changes:
        return MetricCheck(metric, before, after, tolerance, None)
    values = np.array(list(changes.values()))
    result = statistics.paired(values, level=1 - 2 * policy.alpha, alternative="less", seed=seed)
    old, new = (known.per_query or {})[metric], (now.per_query or {})[metric]
    fallen = [QueryDrop(q, old[q], new[q]) for q, d in changes.items() if d < -policy.query_tolerance]
    fallen.sort(key=lambda drop: (drop.after - drop.before, drop.query))
    return MetricCheck(metric, before, after, tolerance, result, tuple(fallen))


def differences(known: Accepted, now: Snapshot, metric: str) -> dict[str, float]:
    """Query -> now minus accepted, for queries that both have; empty when the baseline holds means only.

    Both sides are rounded, so one step of the last decimal is no change. Raises InputError when the baseline holds
    values by query, but not of this metric.
    """
    if known.per_query is None:
        return {}
    if metric not in known.per_query:
        raise InputError(f"{known.key}: the baseline holds no {metric} by query; accept a run with this policy")
    old, new = known.per_query[metric], (now.per_query or {}).get(metric, {})
    moved = {q: round(new[q] - old[q], DECIMALS) for q in old if q in new and math.isfinite(new[q])}
    return {q: d if abs(d) > 1.5 * 10**-DECIMALS else 0.0 for q, d in moved.items()}


def correct(checks: Sequence[MetricCheck], alpha: float) -> list[MetricCheck]:
    """The same with `p_holm` filled in, corrected over all that could be significant by themselves.

    With k changed queries the smallest p of the randomisation test is 2^-k. A test that cannot reach `alpha` never
    rejects, so it costs the others nothing (Tarone 1990); k depends on the sizes of the differences only, not on their
    signs, and so does not bias the tests that remain.
    """
    able = [c.paired is not None and 0.5 ** (c.paired.wins + c.paired.losses) <= alpha for c in checks]
    adjusted = iter(statistics.holm([c.paired.p for c, can in zip(checks, able) if can and c.paired]))
    return [replace(c, p_holm=next(adjusted)) if can else c for c, can in zip(checks, able)]


def metric_findings(m: MetricCheck, policy: GatePolicy) -> list[Finding]:
    """What one metric has to say: nothing when it did not move."""
    if not math.isfinite(m.after):
        return [Finding("FAIL", "nan", f"{m.metric} is {m.after}")]
    found: list[Finding] = []
    if abs(m.delta) > m.tolerance:
        found.append(Finding(_mean_level(m, policy), "metric", _mean_text(m, policy)))
    if m.drops:
        level: Level = "FAIL" if policy.judge == "exact" else "DRIFT"
        found.append(Finding(level, "queries", _drops_text(m, policy)))
    return found


def _mean_level(m: MetricCheck, policy: GatePolicy) -> Level:
    if m.delta > 0:
        return "DRIFT"
    if m.paired is None or policy.judge == "exact" or m.significant(policy.alpha):
        return "FAIL"
    return "DRIFT"


def _mean_text(m: MetricCheck, policy: GatePolicy) -> str:
    moved = "fell" if m.delta < 0 else "rose"
    text = f"{m.metric} {moved} by {abs(m.delta):.4f} ({m.before:.4f} -> {m.after:.4f}), tolerance {m.tolerance:g}"
    if m.paired is None:
        return f"{text}; no values by query, judged by the mean alone"
    if m.delta > 0:
        return f"{text}; accept it if intended"
    verdict = "significant" if m.significant(policy.alpha) else "not significant"
    level = f"{100 * (1 - 2 * policy.alpha):g} %"
    corrected = "too few queries changed" if m.p_holm is None else f"Holm {m.p_holm:.2g}"
    return (
        f"{text}; {level} interval [{m.paired.low:+.4f}, {m.paired.high:+.4f}], "
        f"p {m.paired.p:.2g}, {corrected}: {verdict}"
    )


def _drops_text(m: MetricCheck, policy: GatePolicy) -> str:
    named = ", ".join(f"{d.query} {d.before:.4f} -> {d.after:.4f}" for d in m.drops[:_NAMED])
    more = f" and {len(m.drops) - _NAMED} more" if len(m.drops) > _NAMED else ""
    queries = "1 query" if len(m.drops) == 1 else f"{len(m.drops)} queries"
    return f"{m.metric} of {queries} fell by more than {policy.query_tolerance:g}: {named}{more}"
