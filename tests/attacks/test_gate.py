"""The gate cannot be talked out of failing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from attack import cli, on_disk, together
from gate_cells import FakeCell, some_scores

KEY = "toy/small/L4"


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
