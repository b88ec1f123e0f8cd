"""What the gate must catch and what it must let pass, on cells that were written like a real run's."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from gate_cells import FakeCell, some_scores
from rerankbench.eval.gate import baseline as baselines
from rerankbench.eval.gate.baseline import Baseline, GatePolicy
from rerankbench.eval.gate.check import CellCheck, GateReport, check
from rerankbench.eval.gate.snapshot import snapshots
from rerankbench.rerankers.errors import InputError

EXACT = GatePolicy(judge="exact")
REFUSE = GatePolicy(identity="refuse")


class Gate:
    """Accepts one run, then judges others by it."""

    def __init__(self, root: Path, *cells: FakeCell, tolerances: dict | None = None, **accept: object) -> None:
        self.root, self.runs = root, 0
        new = baselines.accept(
            None, snapshots(self.write(*cells), GatePolicy().metrics), reason="start", today=date(2026, 1, 2), **accept
        )
        self.baseline: Baseline = baselines.with_tolerances(new, tolerances or {})

    def write(self, *cells: FakeCell, order: np.ndarray | None = None) -> Path:
        self.runs += 1
        root = self.root / f"run{self.runs}"
        for cell in cells:
            cell.write(root, order)
        return root

    def check(self, *cells: FakeCell, policy: GatePolicy | None = None, order: np.ndarray | None = None) -> GateReport:
        return check(self.baseline, snapshots(self.write(*cells, order=order), GatePolicy().metrics), policy)

    def one(self, cell: FakeCell, policy: GatePolicy | None = None) -> CellCheck:
        (verdict,) = self.check(cell, policy=policy).cells
        return verdict


def told(cell: CellCheck) -> str:
    return "\n".join(f.text for f in cell.findings)


@pytest.fixture
def cell() -> FakeCell:
    return FakeCell(some_scores())


@pytest.fixture
def gate(tmp_path: Path, cell: FakeCell) -> Gate:
    return Gate(tmp_path, cell)


@pytest.fixture
def pushed_out(cell: FakeCell) -> FakeCell:
    """One query whose relevant document, first before, is now the last."""
    scores = cell.scores.copy()
    query = int(np.argmax(scores[:, 0] - scores[:, 1:].max(1)))
    scores[query, 0] = -9
    return cell.but(scores=scores)


def test_same_run_is_ok(gate: Gate, cell: FakeCell) -> None:
    verdict = gate.one(cell, EXACT)
    assert (verdict.status, verdict.findings) == ("OK", ())


# --- the gate fails on


def test_one_query_pushed_out_of_the_top_10_is_reported_and_no_significance(gate: Gate, pushed_out: FakeCell) -> None:
    verdict = gate.one(pushed_out)
    assert verdict.status == "DRIFT"
    assert "not significant" in told(verdict)
    assert "nDCG@10 of 1 query fell by more than 0.001" in told(verdict)
    assert verdict.metrics[0].paired is not None
    assert verdict.metrics[0].paired.p == pytest.approx(0.5)


def test_one_query_pushed_out_of_the_top_10_fails_the_exact_gate(gate: Gate, pushed_out: FakeCell) -> None:
    verdict = gate.one(pushed_out, EXACT)
    assert verdict.status == "FAIL"
    (drop,) = verdict.metrics[0].drops
    assert drop.after == 0.0
    assert drop.query in told(verdict)


def test_exact_gate_fails_on_one_query_though_the_mean_rises(gate: Gate, pushed_out: FakeCell) -> None:
    scores = pushed_out.scores.copy()
    lifted = np.argsort(scores[:, 0] - scores[:, 1:].max(1))[1:4]
    scores[lifted, 0] = 99
    verdict = gate.one(pushed_out.but(scores=scores), EXACT)
    assert verdict.metrics[0].delta > 0
    assert verdict.status == "FAIL"


def test_negated_scores_fail(gate: Gate, cell: FakeCell) -> None:
    verdict = gate.one(cell.but(scores=-cell.scores))
    assert verdict.status == "FAIL"
    assert ": significant" in told(verdict)


def test_wrong_cutoff_layer_fails(gate: Gate, cell: FakeCell) -> None:
    """A head of an earlier layer: the same candidates and FLOPs, weaker scores."""
    shallow = some_scores(signal=0.5, seed=0) * 0.7 + 0.7 * some_scores(signal=0, seed=1)
    assert gate.one(cell.but(scores=shallow)).status == "FAIL"


def test_another_cutoff_layer_in_the_identity_is_named(gate: Gate, cell: FakeCell) -> None:
    verdict = gate.one(cell.with_part("setting.cutoff_layer", 3), REFUSE)
    assert verdict.status == "CHANGED"
    assert "setting.cutoff_layer: 4 -> 3" in told(verdict)


def test_changed_prompt_is_named(gate: Gate, cell: FakeCell) -> None:
    report = gate.check(cell.with_part("model.prompt", "Does it answer?"), policy=REFUSE)
    assert not report.passed
    assert report.cells[0].status == "CHANGED"
    assert report.cells[0].metrics[0].p_holm is None  # the figures stand there, untested
    assert "model.prompt: Is the passage relevant? -> Does it answer?" in told(report.cells[0])


@pytest.mark.parametrize("part", ["candidates", "checksum", "model.weights", "model.dtype"])
def test_each_changed_part_is_named_alone(gate: Gate, cell: FakeCell, part: str) -> None:
    verdict = gate.one(cell.with_part(part, "another"), REFUSE)
    assert verdict.status == "CHANGED"
    assert [f.text.split(":")[0] for f in verdict.findings[:-1]] == [part]


def test_long_prompts_that_differ_at_the_end_are_told_apart(tmp_path: Path, cell: FakeCell) -> None:
    long = cell.with_part("model.prompt", "x" * 500)
    verdict = Gate(tmp_path, long).one(long.with_part("model.prompt", "x" * 499 + "y"), REFUSE)
    assert verdict.status == "CHANGED"
    assert verdict.findings[0].text.count("sha256:") == 2


def test_partial_run_is_named(gate: Gate, cell: FakeCell) -> None:
    verdict = gate.one(cell.but(scores=cell.scores[:10], partial={"limit": 10}))
    assert verdict.status == "PARTIAL"
    assert verdict.failed
    assert '{"limit": 10}' in told(verdict)


def test_truncated_run_fails(gate: Gate, cell: FakeCell) -> None:
    """Half of the queries, and nothing that says so."""
    verdict = gate.one(cell.but(scores=cell.scores[:20]))
    assert verdict.status == "FAIL"
    assert "20 queries (q020, q021, q022, q023, q024, …) of the baseline missing in the run" in told(verdict)


def test_fewer_candidates_fail(gate: Gate, cell: FakeCell) -> None:
    verdict = gate.one(cell.but(scores=cell.scores[:, :29]))
    assert verdict.status == "FAIL"
    assert "pairs 1200 -> 1160" in told(verdict)


def test_missing_dataset_fails_and_new_one_passes(tmp_path: Path, cell: FakeCell) -> None:
    other = cell.but(dataset="other")
    report = Gate(tmp_path, cell, other).check(cell, cell.but(dataset="third"))
    assert {c.key: c.status for c in report.cells} == {
        "other/small/L4": "MISSING",
        "third/small/L4": "NEW",
        "toy/small/L4": "OK",
    }
    assert not report.passed
    assert Gate(tmp_path / "b", cell).check(cell, other).passed


def test_more_flops_fail_fewer_drift(gate: Gate, cell: FakeCell) -> None:
    more = gate.one(cell.but(flops=cell.flops * 101 // 100))
    assert more.status == "FAIL"
    assert "+1.000%" in told(more)
    assert gate.one(cell.but(flops=cell.flops + 1)).status == "FAIL"
    assert gate.one(cell.but(flops=cell.flops - 1)).status == "DRIFT"
    assert gate.one(cell.but(flops=cell.flops * 101 // 100), GatePolicy(flops_tolerance=0.02)).status == "OK"


def test_nan_fails(gate: Gate, cell: FakeCell) -> None:
    verdict = gate.one(cell.but(nan=2))
    assert verdict.status == "FAIL"
    assert "NaN scores 0 -> 2" in told(verdict)


def test_nan_metric_fails(gate: Gate, cell: FakeCell) -> None:
    run = snapshots(gate.write(cell), GatePolicy().metrics)
    (key, snap), *_ = run.items()
    values = {**(snap.per_query or {})["nDCG@10"], "q001": float("nan")}
    run[key] = snap.model_copy(
        update={"per_query": {"nDCG@10": values}, "metrics": {**snap.metrics, "nDCG@10": float("nan")}}
    )
    (verdict,) = check(gate.baseline, run).cells
    assert verdict.status == "FAIL"
    assert "nDCG@10 is nan" in told(verdict)
    assert "1 query (q001)" in told(verdict)


def test_truncation_and_ties(gate: Gate, cell: FakeCell) -> None:
    assert gate.one(cell.but(truncated=4)).status == "FAIL"
    assert gate.one(cell.but(truncated=2)).status == "DRIFT"
    assert gate.one(cell.but(truncated=4), GatePolicy(truncation_tolerance=0.001)).status == "OK"
    assert "tied pairs 0 ->" in told(gate.one(cell.but(scores=cell.scores.round(1))))


# --- the gate passes on


def test_reordered_queries_pass(gate: Gate, cell: FakeCell) -> None:
    report = gate.check(cell, policy=EXACT, order=np.random.default_rng(1).permutation(40))
    assert report.cells[0].status == "OK"


@pytest.mark.parametrize("seed", range(5))
def test_another_machines_rounding_passes(gate: Gate, cell: FakeCell, seed: int) -> None:
    noise = np.random.default_rng(seed).uniform(-1e-6, 1e-6, cell.scores.shape)
    report = gate.check(cell.but(scores=(cell.scores + noise).astype(np.float32)), policy=EXACT)
    assert report.cells[0].status == "OK"


def test_another_batch_size_passes(gate: Gate, cell: FakeCell) -> None:
    """Batch size is provenance; what it changes in the scores is the last bit or two."""
    last_bit = np.nextafter(cell.scores, np.where(np.arange(30) % 2, np.inf, -np.inf).astype(np.float32))
    assert (last_bit != cell.scores).all()
    other = cell.but(scores=last_bit, provenance={"token_budget": 64})
    assert gate.check(other, policy=EXACT).cells[0].status == "OK"


def test_a_gain_is_shown_and_passes(gate: Gate, cell: FakeCell) -> None:
    verdict = gate.one(cell.but(scores=some_scores(signal=4)))
    assert verdict.status == "DRIFT"
    assert "rose by" in told(verdict)


# --- the way it judges


def test_drop_within_the_cells_tolerance_passes(tmp_path: Path, cell: FakeCell, pushed_out: FakeCell) -> None:
    gate = Gate(tmp_path, cell, tolerances={"toy/small/L4": 0.1})
    verdict = gate.one(pushed_out, GatePolicy(query_tolerance=1.0))
    assert verdict.status == "OK"
    assert verdict.metrics[0].delta < -0.01


def test_means_only_is_judged_by_the_mean(tmp_path: Path, cell: FakeCell, pushed_out: FakeCell) -> None:
    verdict = Gate(tmp_path, cell, means_only=True).one(pushed_out)
    assert verdict.status == "FAIL"
    assert "judged by the mean alone" in told(verdict)


def test_holm_counts_the_cells_that_changed(tmp_path: Path, cell: FakeCell) -> None:
    """A drop that is significant alone, and beside thirty equal cells, is not the best of thirty that moved."""
    scores = cell.scores.copy()
    good = np.argsort(scores[:, 1:].max(1) - scores[:, 0])[:7]
    scores[good, 0] = -9
    worse = cell.but(scores=scores)
    others = [cell.but(dataset="u", setting=f"L{i + 10}") for i in range(30)]
    shuffled = [other.but(scores=some_scores(seed=i + 1)) for i, other in enumerate(others)]
    gate = Gate(tmp_path, cell, *others)
    alone = gate.check(worse, *others).cells[0]
    assert alone.status == "FAIL"
    assert alone.metrics[0].p_holm == alone.metrics[0].paired.p == pytest.approx(2**-7)  # pyright: ignore
    among = gate.check(worse, *shuffled).cells[0]
    assert among.status == "DRIFT"
    assert among.metrics[0].p_holm is None  # seven changed queries cannot prove anything among thirty-one tests


def test_wrong_layer_in_one_of_many_small_cells_fails(tmp_path: Path, cell: FakeCell) -> None:
    """Fourteen queries, 35 cells, one variant that scores by another layer."""
    cells = [
        cell.but(dataset=f"d{i}", setting=f"L{j}", scores=some_scores(14, 12, signal=2.5, seed=i))
        for i in range(5)
        for j in range(7)
    ]
    wrong = [
        c if c.setting != "L6" else c.but(scores=some_scores(14, 12, signal=0.3, seed=100 + i))
        for i, c in enumerate(cells)
    ]
    report = Gate(tmp_path, *cells).check(*wrong)
    assert {c.key for c in report.cells if c.failed} >= {"d0/small/L6", "d1/small/L6"}
    assert all(c.status == "OK" for c in report.cells if not c.key.endswith("L6"))


def test_a_loss_that_no_dataset_proves_alone_fails_in_the_mean(tmp_path: Path, cell: FakeCell) -> None:
    cells = [cell.but(dataset=f"d{i:02d}", scores=some_scores(30, 20, signal=2.0, seed=i)) for i in range(12)]
    noise = [some_scores(30, 20, signal=0, seed=50 + i) for i in range(12)]
    worse = [c.but(scores=c.scores + 0.3 * noise) for c, noise in zip(cells, noise)]
    report = Gate(tmp_path, *cells).check(*worse)
    *single, mean = report.cells
    assert mean.key == "mean of 12 datasets/small/L4"
    assert mean.status == "FAIL"
    assert {c.status for c in single} == {"DRIFT"}
    deltas = [c.metrics[0].delta for c in single]
    assert mean.metrics[0].delta == pytest.approx(np.mean(deltas))
    assert [c.key for c in Gate(tmp_path / "exact", *cells).check(*worse, policy=EXACT).cells] == [
        c.key for c in single
    ]


def test_a_mean_weighs_datasets_alike(tmp_path: Path, cell: FakeCell) -> None:
    small, large = FakeCell(some_scores(10, 20), dataset="small"), FakeCell(some_scores(90, 20), dataset="large")
    report = Gate(tmp_path, small, large).check(small.but(scores=-small.scores), large)
    by_key = {c.key: c.metrics[0] for c in report.cells}
    mean = by_key["mean of 2 datasets/small/L4"]
    assert mean.delta == pytest.approx(by_key["small/small/L4"].delta / 2)
    assert mean.after - mean.before == pytest.approx(mean.delta, abs=1e-5)


def test_speed_is_compared_only_on_the_same_device_and_versions(tmp_path: Path, cell: FakeCell) -> None:
    here = {"device_name": "GPU 1", "versions": {"torch": "2.9", "rerankbench": "0.1"}}
    fast = cell.but(share_of_peak=0.5, provenance=here)
    gate, fail = Gate(tmp_path, fast), GatePolicy(speed="fail")
    slow = fast.but(share_of_peak=0.4)
    assert (gate.one(slow).status, told(gate.one(slow)).partition(":")[0]) == ("OK", "slower by more than 10%")
    assert gate.one(slow, fail).status == "FAIL"
    assert "ratio 0.800" in told(gate.one(slow, fail))
    assert gate.one(fast.but(share_of_peak=0.46), fail).status == "OK"
    elsewhere = gate.one(slow.but(provenance={**here, "device_name": "GPU 2"}), fail)
    assert (elsewhere.status, told(elsewhere)) == ("OK", "speed not compared: device GPU 1 -> GPU 2")
    upgraded = gate.one(slow.but(provenance={**here, "versions": {"torch": "3.0", "rerankbench": "0.2"}}), fail)
    assert (upgraded.status, told(upgraded)) == ("OK", "speed not compared: torch 2.9 -> 3.0")


def test_unknown_metric_and_empty_baseline_are_bad_input(gate: Gate, cell: FakeCell) -> None:
    run = snapshots(gate.write(cell), ["nDCG@10", "RR@10"])
    with pytest.raises(InputError, match="holds no RR@10 by query"):
        check(gate.baseline, run, GatePolicy(metrics=("RR@10",)))
    with pytest.raises(InputError, match="holds no AP"):
        check(gate.baseline, run, GatePolicy(metrics=("AP",)))
    with pytest.raises(InputError, match="did you mean 'nDCG@10'"):
        snapshots(gate.write(cell), ["nDCG@1"])
    with pytest.raises(InputError, match="holds no cell"):
        check(Baseline(), run)
