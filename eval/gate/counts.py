"""What must hardly differ between two runs of one identity: queries, pairs, FLOPs, truncation, ties, NaN, speed."""

from __future__ import annotations

import math

from .baseline import GatePolicy
from .findings import Finding
from .snapshot import Snapshot, Speed, changed_parts

_NAMED = 5


def count_findings(known: Snapshot, now: Snapshot, policy: GatePolicy) -> list[Finding]:
    """Everything that is counted."""
    return [
        *_queries(known, now),
        *_exact(known, now),
        *_rate("truncated", known, now, policy.truncation_tolerance),
        *_rate("tied", known, now, policy.tie_tolerance),
        *_nan(known, now),
        *_flops(known, now, policy),
    ]


def speed_findings(known: Speed, now: Speed, policy: GatePolicy) -> list[Finding]:
    """The share of the device's measured peak, as a ratio, when device and versions are the same."""
    if known.share_of_peak is None or now.share_of_peak is None or known.share_of_peak <= 0:
        return []
    if known.device is None or known.device != now.device:
        return [Finding("OK", "speed", f"speed not compared: device {known.device} -> {now.device}")]
    if versions := changed_parts(known.versions, now.versions):
        named = ", ".join(f"{name} {a} -> {b}" for name, (a, b) in versions.items())
        return [Finding("OK", "speed", f"speed not compared: {named}")]
    ratio = now.share_of_peak / known.share_of_peak
    if ratio >= 1 - policy.speed_tolerance:
        return []
    text = f"slower by more than {policy.speed_tolerance:.0%}: share of peak {known.share_of_peak:.1%} -> "
    level = "FAIL" if policy.speed == "fail" else "OK"
    return [Finding(level, "speed", f"{text}{now.share_of_peak:.1%}, ratio {ratio:.3f}")]


def _queries(known: Snapshot, now: Snapshot) -> list[Finding]:
    for metric, old in (known.per_query or {}).items():
        new = (now.per_query or {}).get(metric, {})
        lost, added = sorted(old.keys() - new.keys()), sorted(new.keys() - old.keys())
        findings = []
        if lost:
            findings.append(Finding("FAIL", "queries", f"{_some(lost)} of the baseline missing in the run"))
        if added:
            findings.append(Finding("FAIL", "queries", f"{_some(added)} unknown to the baseline"))
        return findings  # every metric has the same queries
    return []


def _exact(known: Snapshot, now: Snapshot) -> list[Finding]:
    findings = []
    for name in ("queries", "pairs", "missing"):
        before, after = getattr(known.counts, name), getattr(now.counts, name)
        if before != after:
            findings.append(Finding("FAIL", name, f"{name} {before} -> {after}, must be equal under one identity"))
    return findings


def _rate(name: str, known: Snapshot, now: Snapshot, tolerance: float) -> list[Finding]:
    before, after = getattr(known.counts, name), getattr(now.counts, name)
    if before is None or after is None:  # nobody counts them
        return []
    change = after / max(now.counts.pairs, 1) - before / max(known.counts.pairs, 1)
    if before == after or abs(change) <= tolerance:
        return []
    text = f"{name} pairs {before} -> {after} ({change:+.3%} of the pairs, tolerance {tolerance:.3%})"
    return [Finding("FAIL" if change > 0 else "DRIFT", name, text)]


def _nan(known: Snapshot, now: Snapshot) -> list[Finding]:
    findings = []
    if now.counts.nan > known.counts.nan:
        findings.append(Finding("FAIL", "nan", f"NaN scores {known.counts.nan} -> {now.counts.nan}"))
    for metric, values in (now.per_query or {}).items():
        if bad := [query for query, value in values.items() if not math.isfinite(value)]:
            findings.append(Finding("FAIL", "nan", f"{metric} is NaN for {_some(bad)}"))
    return findings


def _flops(known: Snapshot, now: Snapshot, policy: GatePolicy) -> list[Finding]:
    if known.flops is None:
        return []
    if now.flops is None:
        return [Finding("FAIL", "flops", "FLOPs are in the baseline, but the run did not measure them")]
    findings = []
    for name in ("reference", "full"):
        before, after = getattr(known.flops, name), getattr(now.flops, name)
        change = (after - before) / before if before else float(after != before)
        if before == after or abs(change) <= policy.flops_tolerance:
            continue
        text = f"{name} FLOPs {before} -> {after} ({change:+.3%}, tolerance {policy.flops_tolerance:.3%})"
        findings.append(Finding("FAIL" if after > before else "DRIFT", "flops", text))
    return findings


def _some(names: list[str]) -> str:
    noun = "query" if len(names) == 1 else "queries"
    more = ", …" if len(names) > _NAMED else ""
    return f"{len(names)} {noun} ({', '.join(names[:_NAMED])}{more})"
