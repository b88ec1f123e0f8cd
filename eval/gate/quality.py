"""Metrics of a cell against the accepted ones: paired by query where queries are known, else by their means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...rerankers.errors import InputError
from ..metrics import statistics
from ..metrics.drop_test import UNSEEN, drop_p_value, smallest_p_value
from .baseline import Accepted, GatePolicy
from .findings import Finding, Level
from .snapshot import DECIMALS, Snapshot

_NAMED = 5  # queries that a sentence names
_COLLAPSE = 0.1  # share of the accepted mean
_RESAMPLES = 999  # of an interval that is printed with four digits and decides nothing


@dataclass(frozen=True)
class QueryDrop:
    """One query whose metric fell by more than the query tolerance."""

    query: str
    before: float
    after: float


@dataclass(frozen=True)
class DropTest:
    """What the queries say about a drop of the mean.

    Attributes:
        mean: of the differences by query.
        p: is it worse? `drop_p_value`, uncorrected.
        smallest_p: what `p` would be if every change were a loss.
        wins, ties, losses: queries above, at and below zero.
        interval: a bootstrap interval of the mean that holds 1 - 2 alpha; None where the mean did not fall.
    """

    mean: float
    p: float
    smallest_p: float
    wins: int
    ties: int
    losses: int
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class MetricCheck:
    """One metric of one cell, or of the mean of several.

    `paired` is None when the baseline holds means only. `p_holm` is its p, corrected, and None where too few queries
    changed for any significance. `drops` are sorted, the deepest first.
    """

    metric: str
    before: float
    after: float
    tolerance: float
    paired: DropTest | None
    drops: tuple[QueryDrop, ...] = ()
    p_holm: float | None = None

    @property
    def delta(self) -> float:
        """After minus before: over the paired queries, or of the means."""
        return self.paired.mean if self.paired else self.after - self.before

    def significant(self, alpha: float) -> bool:
        """The corrected test rejects."""
        return self.p_holm is not None and self.p_holm <= alpha

    def collapsed(self, max_drop: float) -> bool:
        """The mean fell by more than `max_drop`, or below a tenth of what it was: no test is needed to see that."""
        return -self.delta > max_drop or abs(self.after) < _COLLAPSE * self.before


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
    old, new = (known.per_query or {})[metric], (now.per_query or {})[metric]
    fallen = [QueryDrop(q, old[q], new[q]) for q, d in changes.items() if d < -policy.query_tolerance]
    fallen.sort(key=lambda drop: (drop.after - drop.before, drop.query))
    check = MetricCheck(metric, before, after, tolerance, None, tuple(fallen))
    return with_test(check, values, UNSEEN, policy, seed)


def with_test(check: MetricCheck, values: np.ndarray, unseen: float, policy: GatePolicy, seed: int) -> MetricCheck:
    """The check with the test of its differences; `unseen` as in `drop_p_value`."""
    mean, wins, losses = float(values.mean()), int((values > 0).sum()), int((values < 0).sum())
    interval = None
    if mean < -check.tolerance:
        level = 1 - 2 * policy.alpha
        interval = statistics.bootstrap_interval(values, level=level, resamples=_RESAMPLES, seed=seed)
    smallest = smallest_p_value(values, unseen)
    ties = values.size - wins - losses
    return replace(check, paired=DropTest(mean, drop_p_value(values, unseen), smallest, wins, ties, losses, interval))


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
    """The same with `p_holm` filled in, corrected over all that could be significant among so many.

    A test whose smallest p, given the sizes of its differences, is above its share of `alpha` never rejects, so it
    costs the others nothing: k is the smallest number such that no more than k tests can reach alpha / k (Tarone 1990).
    The sizes say nothing of the signs, so that this does not bias the tests that remain.
    """
    able = mark_testable([c.paired.smallest_p if c.paired else 1.0 for c in checks], alpha)
    adjusted = iter(statistics.holm([c.paired.p for c, can in zip(checks, able) if can and c.paired]))
    return [replace(c, p_holm=next(adjusted)) if can else c for c, can in zip(checks, able)]


def mark_testable(smallest: Sequence[float], alpha: float) -> list[bool]:
    """Which of some tests can reject at all; see `correct`."""
    ordered = np.sort(np.asarray(smallest, dtype=np.float64))
    k = 1
    while int(np.searchsorted(ordered, alpha / k, side="right")) > k:
        k += 1
    return [p <= alpha / k for p in smallest]


def metric_findings(m: MetricCheck, policy: GatePolicy) -> list[Finding]:
    """What one metric has to say: nothing when it did not move."""
    if not math.isfinite(m.after):
        return [Finding("FAIL", "nan", f"{m.metric} is {m.after}")]
    findings: list[Finding] = []
    if abs(m.delta) > m.tolerance:
        findings.append(Finding(_mean_level(m, policy), "metric", _mean_text(m, policy)))
    if m.drops:
        level: Level = "FAIL" if policy.judge == "exact" else "DRIFT"
        findings.append(Finding(level, "queries", _drops_text(m, policy)))
    return findings


def _mean_level(m: MetricCheck, policy: GatePolicy) -> Level:
    if m.delta > 0:
        return "DRIFT"
    if m.paired is None or policy.judge == "exact" or m.significant(policy.alpha) or m.collapsed(policy.max_drop):
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
    if m.collapsed(policy.max_drop):
        joined = "and" if m.significant(policy.alpha) else "but"
        verdict = f"{verdict}, {joined} more than max_drop {policy.max_drop:g} or nine tenths"
    low, high = m.paired.interval or (m.delta, m.delta)
    level = f"{100 * (1 - 2 * policy.alpha):g} %"
    corrected = "too few queries changed" if m.p_holm is None else f"Holm {m.p_holm:.2g}"
    return f"{text}; {level} interval [{low:+.4f}, {high:+.4f}], p {m.paired.p:.2g}, {corrected}: {verdict}"


def _drops_text(m: MetricCheck, policy: GatePolicy) -> str:
    named = ", ".join(f"{d.query} {d.before:.4f} -> {d.after:.4f}" for d in m.drops[:_NAMED])
    more = f" and {len(m.drops) - _NAMED} more" if len(m.drops) > _NAMED else ""
    queries = "1 query" if len(m.drops) == 1 else f"{len(m.drops)} queries"
    return f"{m.metric} of {queries} fell by more than {policy.query_tolerance:g}: {named}{more}"
