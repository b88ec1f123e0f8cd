"""A fine-tuned checkpoint: another identity over the same data is judged by its scores."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from gate_cells import FakeCell, some_scores
from in_process import Command
from rerankbench.eval.gate import baseline as baselines
from rerankbench.eval.gate import writers
from rerankbench.eval.gate.baseline import GatePolicy
from rerankbench.eval.gate.check import GateReport, check
from rerankbench.eval.gate.snapshot import snapshots

METRICS = GatePolicy().metrics


@pytest.fixture
def cell() -> FakeCell:
    return FakeCell(some_scores(80))


def tuned(cell: FakeCell, model: str = "small", drop: float = 0.0) -> FakeCell:
    scores = cell.scores.copy()
    scores[:, 0] -= drop
    return cell.but(scores=scores, model=model).with_part("model.weights", "sha256:tuned")


def judge(root: Path, before: FakeCell, *after: FakeCell, **policy: str) -> GateReport:
    old = baselines.accept(None, snapshots(before.write(root / "a"), METRICS), reason="start", today=date(2026, 1, 2))
    for cell in after:
        cell.write(root / "b")
    return check(old, snapshots(root / "b", METRICS), GatePolicy(**policy))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["small", "small-tuned"])
def test_an_equal_checkpoint_passes_and_a_worse_one_fails_with_figures(
    tmp_path: Path, cell: FakeCell, name: str
) -> None:
    same, worse = judge(tmp_path / "1", cell, tuned(cell, name)), judge(tmp_path / "2", cell, tuned(cell, name, 1.5))
    assert [c.status for c in same.cells] == ["OK"]
    (verdict,) = worse.cells
    assert verdict.status == "FAIL"
    (metric,) = verdict.metrics
    assert metric.after < metric.before
    assert metric.p_holm is not None
    assert metric.p_holm < 0.05
    figures = f"{metric.before:.4f} -> {metric.after:.4f}"
    for write in (writers.to_text, writers.to_markdown, writers.to_junit):
        assert figures in write(worse).replace("-&gt;", "->")
        for shown in (write(same), write(worse)):
            assert "another model identity, compared by its scores" in shown
            assert "sha256:tuned" in shown


def test_other_policies_refuse_or_accept_it_with_its_figures(tmp_path: Path, cell: FakeCell) -> None:
    refused = judge(tmp_path / "1", cell, tuned(cell), identity="refuse")
    assert [c.status for c in refused.cells] == ["CHANGED"]
    assert refused.cells[0].metrics[0].before == refused.cells[0].metrics[0].after
    taken = judge(tmp_path / "2", cell, tuned(cell, drop=1.5), identity="accept")
    assert [c.status for c in taken.cells] == ["DRIFT"]
    assert taken.cells[0].metrics[0].after < taken.cells[0].metrics[0].before
    renamed = judge(tmp_path / "3", cell, tuned(cell, "other"), identity="refuse")
    assert [c.status for c in renamed.cells] == ["NEW", "MISSING"]


@pytest.mark.parametrize("part", ["candidates", "checksum"])
@pytest.mark.parametrize("identity", ["scores", "accept"])
def test_other_data_are_never_judged_and_their_figures_are_shown(
    tmp_path: Path, cell: FakeCell, part: str, identity: str
) -> None:
    report = judge(tmp_path, cell, tuned(cell, drop=1.5).with_part(part, "another"), identity=identity)
    assert [c.status for c in report.cells] == ["CHANGED"]
    assert not report.passed
    metric = report.cells[0].metrics[0]
    assert f"{metric.after:.4f}" in writers.to_text(report)


def test_two_new_names_are_not_guessed(tmp_path: Path, cell: FakeCell) -> None:
    report = judge(tmp_path, cell, tuned(cell, "one"), tuned(cell, "two"))
    assert sorted(c.status for c in report.cells) == ["MISSING", "NEW", "NEW"]


def test_the_command_ends_with_the_verdict(tmp_path: Path, cell: FakeCell, command: Command) -> None:
    cell.write(tmp_path / "a")
    tuned(cell, "resaved").write(tmp_path / "same")
    tuned(cell, "perturbed", 1.5).write(tmp_path / "worse")
    file = str(tmp_path / "base.json")
    assert command("accept", "--run", str(tmp_path / "a"), "--baseline", file, "--reason", "start")[0] == 0
    for folder, expected in (("same", 0), ("worse", 1)):
        status, out, _ = command("check", "--run", str(tmp_path / folder), "--baseline", file)
        assert status == expected
        assert "called small -> " in out
    status, out, _ = command("compare", file, str(tmp_path / "worse"))
    assert status == 0
    assert "small" in out
    assert "perturbed" in out
