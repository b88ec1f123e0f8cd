from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from gate_cells import FakeCell, some_scores
from rerankbench.eval.gate import baseline as baselines
from rerankbench.eval.gate.baseline import Baseline, GatePolicy, accept, edit_policy, with_tolerances
from rerankbench.eval.gate.snapshot import changed_parts, flatten, snapshots
from rerankbench.rerankers.errors import InputError

DAY = date(2026, 1, 2)


@pytest.fixture
def cell() -> FakeCell:
    return FakeCell(some_scores(12, 20))


def taken(
    root: Path, *cells: FakeCell, old: Baseline | None = None, tolerances: dict | None = None, **options: object
) -> Baseline:
    for cell in cells:
        cell.write(root)
    new = accept(old, snapshots(root, ["nDCG@10"]), **{"reason": "first", "today": DAY, **options})
    return with_tolerances(new, tolerances or {})


def test_written_baseline_reads_back_and_diffs_by_line(tmp_path: Path, cell: FakeCell) -> None:
    baseline = taken(tmp_path / "a", cell, cell.but(dataset="beir/other"))
    file = tmp_path / "deep" / "baseline.json"
    baselines.write(file, baseline)
    assert baselines.read(file) == baseline
    text = file.read_text()
    raw = json.loads(text)
    assert list(raw["cells"]) == ["beir/other/small/L4", "toy/small/L4"]
    assert text.count('"q003":') == 2
    assert raw["cells"]["toy/small/L4"]["flops"] == {"full": 246913578000, "reference": 123456789000}
    assert raw["history"] == [
        {"cells": ["beir/other/small/L4", "toy/small/L4"], "date": "2026-01-02", "reason": "first", "removed": []}
    ]
    baselines.write(file, baseline)
    assert file.read_text() == text
    assert [p.name for p in file.parent.iterdir()] == ["baseline.json"]


def test_update_keeps_other_cells_tolerances_and_history(tmp_path: Path, cell: FakeCell) -> None:
    first = taken(tmp_path / "a", cell, cell.but(dataset="other"), tolerances={"toy/small/L4": 0.02})
    second = taken(tmp_path / "b", cell.but(flops=7), old=first, reason="smaller", today=date(2026, 2, 1))
    assert set(second.cells) == {"toy/small/L4", "other/small/L4"}
    toy = second.cells["toy/small/L4"]
    assert (toy.tolerance, toy.reason, toy.date) == (0.02, "smaller", "2026-02-01")
    assert toy.flops is not None
    assert toy.flops.reference == 7
    assert second.cells["other/small/L4"].reason == "first"
    assert [entry.reason for entry in second.history] == ["first", "smaller"]


def test_prune_removes_and_says_so(tmp_path: Path, cell: FakeCell) -> None:
    first = taken(tmp_path / "a", cell, cell.but(dataset="other"))
    second = taken(tmp_path / "b", cell, old=first, prune=True)
    assert set(second.cells) == {"toy/small/L4"}
    assert second.history[-1].removed == ("other/small/L4",)


def test_partial_runs_are_refused(tmp_path: Path, cell: FakeCell) -> None:
    with pytest.raises(InputError, match=r'toy/small/L4: is partial \(\{"limit": 3\}\).*--allow-partial'):
        taken(tmp_path / "a", cell.but(partial={"limit": 3}))
    assert taken(tmp_path / "b", cell.but(partial={"limit": 3}), allow_partial=True).cells["toy/small/L4"].partial


def test_nan_and_empty_reason_are_refused(tmp_path: Path, cell: FakeCell) -> None:
    with pytest.raises(InputError, match="holds NaN"):
        taken(tmp_path / "a", cell.but(nan=1))
    with pytest.raises(InputError, match="--reason is empty"):
        taken(tmp_path / "b", cell, reason=" ")


def test_tolerance_of_an_unknown_cell(tmp_path: Path, cell: FakeCell) -> None:
    with pytest.raises(InputError, match="no cell 'toy/small/L5'; did you mean 'toy/small/L4'"):
        taken(tmp_path, cell, tolerances={"toy/small/L5": 0.1})


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("judge", "expected KEY=VALUE"),
        ("jugde=exact", "did you mean 'judge'"),
        ("judge=strict", "--policy: judge:"),
        ("tolerance=-1", "--policy: tolerance:"),
        ("alpha=much", "--policy: alpha:"),
    ],
)
def test_bad_policy(line: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        edit_policy(GatePolicy(), [line])


def test_edit_policy() -> None:
    edited = edit_policy(GatePolicy(), ["judge=exact", "tolerance=0.002", "metrics=nDCG@10, RR@10"])
    assert edited == GatePolicy(judge="exact", tolerance=0.002, metrics=("nDCG@10", "RR@10"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        ("[]", "schema_version None"),
        ('{"schema_version": 99}', "schema_version 99, this release reads 1"),
        ('{"schema_version": 1, "cell": {}}', "cell: unknown key; did you mean 'cells'"),
        ('{"schema_version": 1, "policy": {"alpha": 3}}', "policy.alpha"),
    ],
)
def test_unusable_baseline_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "b.json"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        baselines.read(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such baseline; write one with `rerankbench accept`"):
        baselines.read(tmp_path / "absent.json")


def test_a_second_cell_of_the_same_name_is_refused(tmp_path: Path, cell: FakeCell) -> None:
    cell.write(tmp_path)
    (tmp_path / "cells" / "copy").mkdir()
    (tmp_path / "cells" / "toy" / "small" / "L4").rename(tmp_path / "cells" / "copy" / "L4")
    with pytest.raises(InputError, match="is the manifest of toy/small/L4, which is another folder"):
        snapshots(tmp_path, ["nDCG@10"])


def test_flatten_and_changed_parts() -> None:
    before = flatten({"a": {"b": 1, "c": {"d": 2}}, "e": [1], "f": {}})
    assert before == {"a.b": 1, "a.c.d": 2, "e": [1], "f": {}}
    assert changed_parts(before, {**before, "a.b": 3, "g": 0}) == {"a.b": (1, 3), "g": (None, 0)}


def test_the_projects_own_baseline_is_usable() -> None:
    own = baselines.read(Path(__file__).resolve().parents[3] / "results" / "baselines" / "quickstart.json")
    assert own.policy.judge == "exact"
    assert {cell.partial for cell in own.cells.values()} == {None}
    assert all(cell.per_query and cell.reason for cell in own.cells.values())
