"""The gate cannot be talked out of failing."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attack import cli, on_disk, together
from gate_cells import FakeCell, some_scores
from rerankbench.eval.gate.baseline import GatePolicy, accept
from rerankbench.eval.gate.check import GateReport
from rerankbench.eval.gate.check import check as judge
from rerankbench.eval.gate.reach import warn_of_untestable
from rerankbench.eval.gate.snapshot import Snapshot
from rerankbench.eval.gate.writers import summary
from rerankbench.eval.results import Counts
from scipy import stats

KEY = "toy/small/L4"
METRIC = "nDCG@10"


@pytest.fixture
def gate(tmp_path: Path) -> tuple[Path, Path]:
    """A baseline, and a run that is worse in every query."""
    good = some_scores(20, 12, signal=3.0)
    FakeCell(good).write(tmp_path / "good")
    FakeCell(-good).write(tmp_path / "bad")
    baseline = tmp_path / "baseline.json"
    cli("accept", "--run", tmp_path / "good", "--baseline", baseline, "--reason", "first").well()
    assert check(baseline, tmp_path / "good").status == 0
    assert check(baseline, tmp_path / "bad").status == 1
    return baseline, tmp_path / "bad"


def check(baseline: Path, run: Path, *more: object):
    return cli("check", "--baseline", baseline, "--run", run, *more)


def edit(baseline: Path, change: Any) -> None:
    raw = json.loads(baseline.read_text())
    change(raw)
    baseline.write_text(json.dumps(raw))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "-0.1", "1e999", "1.5", ""])
@pytest.mark.parametrize("key", ["tolerance", "query_tolerance", "alpha", "speed_tolerance"])
def test_policies_that_no_run_could_fail(gate: tuple[Path, Path], key: str, value: str) -> None:
    baseline, run = gate
    before = on_disk(baseline.parent)
    check(baseline, run, "--policy", f"{key}={value}").refused("--policy", key)
    cli("accept", "--run", run, "--baseline", baseline, "--reason", "x", "--policy", f"{key}={value}").refused(key)
    assert on_disk(baseline.parent) == before


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1", "1e400"])
def test_tolerances_of_a_cell(gate: tuple[Path, Path], value: str) -> None:
    baseline, run = gate
    before = on_disk(baseline.parent)
    accept = cli("accept", "--run", run, "--baseline", baseline, "--reason", "x", "--tolerance", f"{KEY}={value}")
    accept.refused("--tolerance", KEY)
    assert on_disk(baseline.parent) == before


NAN, INFINITY = float("nan"), float("inf")


def _lose_a_query(raw: dict[str, Any]) -> None:
    del raw["cells"][KEY]["per_query"]["nDCG@10"]["q000"]


def _rename(raw: dict[str, Any]) -> None:
    raw["cells"]["toy/other/L4"] = raw["cells"].pop(KEY)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda raw: raw["policy"].update(tolerance=NAN), "policy.tolerance"),
        (lambda raw: raw["policy"].update(tolerance=INFINITY), "policy.tolerance"),
        (lambda raw: raw["policy"].update(tolerance=-1), "policy.tolerance"),
        (lambda raw: raw["policy"].update(alpha=1e-300), "policy.alpha"),
        (lambda raw: raw["policy"].update(metrics=[]), "policy.metrics"),
        (lambda raw: raw["policy"].update(metrics=["nothing"]), "policy.metrics"),
        (lambda raw: raw["cells"][KEY].update(tolerance=NAN), "tolerance"),
        (lambda raw: raw["cells"][KEY].update(tolerance=5), "tolerance"),
        (lambda raw: raw["cells"][KEY]["metrics"].update({"nDCG@10": NAN}), "nDCG@10"),
        (lambda raw: raw["cells"][KEY]["metrics"].update({"nDCG@10": -INFINITY}), "nDCG@10"),
        (lambda raw: raw["cells"][KEY]["metrics"].update({"nDCG@10": 0.0}), "mean"),
        (lambda raw: raw["cells"][KEY]["metrics"].clear(), "nDCG@10"),
        (lambda raw: raw["cells"][KEY]["per_query"]["nDCG@10"].update(q000=NAN), "q000"),
        (lambda raw: raw["cells"][KEY]["per_query"]["nDCG@10"].update(q000=None), "q000"),
        (lambda raw: raw["cells"][KEY]["per_query"]["nDCG@10"].update(q000=0.0), "mean"),
        (lambda raw: raw["cells"][KEY]["per_query"].clear(), "nDCG@10"),
        (_lose_a_query, "counts.queries"),
        (_rename, KEY),
        (lambda raw: raw["cells"].clear(), "no cell"),
        (lambda raw: raw["cells"][KEY].pop("metrics"), "metrics"),
        (lambda raw: raw["cells"][KEY].pop("identity"), "identity"),
        (lambda raw: raw["cells"][KEY]["flops"].update(reference=-5), "flops"),
        (lambda raw: raw["cells"][KEY]["counts"].update(pairs=-5), "counts"),
        (lambda raw: raw["cells"][KEY]["identity_parts"].update({"\ud800": 1}), "surrogates"),
        (lambda raw: raw.update(schema_version=2), "schema_version"),
        (lambda raw: raw.update(cells=[]), "cells"),
    ],
)
def test_edited_baselines(gate: tuple[Path, Path], change: Any, word: str) -> None:
    baseline, run = gate
    edit(baseline, change)
    before = on_disk(baseline.parent)
    check(baseline, run).refused(str(baseline) if word not in ("no cell", "nDCG@10") else word, word)
    assert on_disk(baseline.parent) == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"schema_version": 1, "schema_version": 1}',
        b"[" * 100_000,
        b"\xff\xfe",
        b"9" * 5000,
    ],
)
def test_files_that_are_no_baseline(gate: tuple[Path, Path], content: bytes) -> None:
    baseline, run = gate
    baseline.write_bytes(content)
    check(baseline, run).refused(str(baseline))
    assert baseline.read_bytes() == content


def test_accepts_at_the_same_time_lose_no_history(gate: tuple[Path, Path], tmp_path: Path) -> None:
    baseline, run = gate
    accept = ("accept", "--run", run, "--baseline", baseline, "--reason")
    for done in together(*[(*accept, f"number {i}") for i in range(6)], folder=tmp_path / "told"):
        done.well()
    reasons = sorted(entry["reason"] for entry in json.loads(baseline.read_text())["history"])
    assert reasons == sorted(["first", *(f"number {i}" for i in range(6))])
    assert not list(baseline.parent.glob(".*")), "a lock or a temporary file was left"


def snapshot(model: str, values: np.ndarray) -> Snapshot:
    """A cell with these values by query, as a run would have it."""
    by_query = {f"q{i}": float(value) for i, value in enumerate(values)}
    return Snapshot(
        dataset="toy",
        model=model,
        setting="L4",
        identity="x",
        identity_parts={},
        metrics={METRIC: round(float(np.mean(values)), 6)},
        per_query={METRIC: by_query},
        counts=Counts(queries=len(values), pairs=10 * len(values)),
    )


def report(before: dict[str, np.ndarray], after: dict[str, np.ndarray], **policy: Any) -> GateReport:
    old, new = ({s.key: s for m, v in side.items() for s in [snapshot(m, v)]} for side in (before, after))
    return judge(accept(None, old, reason="x", today=date(2026, 1, 1), policy=GatePolicy(**policy)), new)


@pytest.mark.parametrize(("alpha", "count"), [(0.05, 1), (0.05, 21), (0.05, 1100), (0.001, 21)])
@pytest.mark.parametrize(("queries", "value"), [(30, 1.0), (14, 0.12)])
def test_a_collapse_fails_however_many_cells_there_are(alpha: float, count: int, queries: int, value: float) -> None:
    full, empty = np.full(queries, value), np.zeros(queries)
    before = {f"m{i}": full for i in range(count)}
    everywhere = report(before, dict.fromkeys(before, empty), alpha=alpha)
    assert {cell.status for cell in everywhere.cells} == {"FAIL"}
    one = report(before, {**before, "m0": empty}, alpha=alpha)
    assert [cell.key for cell in one.cells if cell.failed] == ["toy/m0/L4"]


def test_a_drop_of_every_query_is_significant_among_a_thousand_that_moved() -> None:
    """Well below `max_drop`: the test itself has no least p-value."""
    rng = np.random.default_rng(3)
    before = {f"m{i}": np.full(300, 0.5) for i in range(1100)}
    after = {m: values + np.abs(rng.normal(0, 0.1, 300)).round(6) for m, values in before.items()}
    after["m7"] = before["m7"] - 0.15 + rng.normal(0, 0.1, 300).round(6)
    found = report(before, after)
    assert [cell.key for cell in found.cells if cell.failed] == ["toy/m7/L4"]


def test_what_no_test_could_show_is_told_when_it_is_accepted() -> None:
    few = {f"m{i}": snapshot(f"m{i}", np.full(5, 0.9)) for i in range(40)}
    cells = {s.key: s for s in few.values()}
    told = warn_of_untestable(accept(None, cells, reason="x", today=date(2026, 1, 1)))
    assert told is not None
    assert told.startswith("40 of 40 cells")
    assert "max_drop 0.2" in told
    exact = accept(None, cells, reason="x", today=date(2026, 1, 1), policy=GatePolicy(judge="exact"))
    assert warn_of_untestable(exact) is None


@pytest.mark.parametrize("noise", ["exponential", "lognormal", "rare"])
@pytest.mark.parametrize(("datasets", "queries"), [(1, 50), (13, 50)])
def test_skewed_noise_of_equal_runs_raises_no_more_alarms_than_it_may(noise: str, datasets: int, queries: int) -> None:
    """Sign flips fail 14 % and 32 % of these; benchmarks/gate_simulation.py has more runs."""
    rng = np.random.default_rng(8)
    draws = {
        "exponential": lambda: rng.exponential(size=queries) - 1,
        "lognormal": lambda: (rng.lognormal(size=queries) - np.exp(0.5)) / 2.16,
        "rare": lambda: np.where(rng.random(queries) < 0.07, 0.93, -0.07) / 0.255,
    }
    before = {f"m{i}": np.full(queries, 0.5) for i in range(datasets)}
    runs = 150 if datasets == 1 else 40
    worse = [{m: 0.5 + 0.15 * draws[noise]().round(6) for m in before} for _ in range(runs)]
    alarms = sum(not report(before, run).passed for run in worse)
    assert alarms <= stats.binom.ppf(0.999, runs, 0.05)


def test_the_exact_judge_tells_what_it_lets_pass() -> None:
    before = {"m": np.full(20, 0.5)}
    after = {"m": np.array([0.49, *[0.5] * 19])}
    strict = report(before, after, judge="exact")
    assert not strict.passed
    assert "a query's drop beyond 0.001 or a mean's beyond 0.001 fails" in summary(strict)
    loose = report(before, after, judge="exact", query_tolerance=0.02, tolerance=0.01)
    assert loose.passed
    assert "a query's drop beyond 0.02 or a mean's beyond 0.01 fails" in summary(loose)
