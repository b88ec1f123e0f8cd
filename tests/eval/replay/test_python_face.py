"""What Python programs call, on one real run: frames, comparisons of what is at hand, and short texts."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from replay_run import qrels_file, run_file
from rerankbench.eval.results import FIRST_STAGE
from rerankbench.rerankers.errors import InputError

import rerankbench


def test_cells_are_a_frame_and_short_to_look_at(root: Path) -> None:
    cells = rerankbench.load_cells(root / "run")
    frame = cells.to_frame()
    assert tuple(frame.columns) == cells.COLUMNS
    assert len(frame) == sum(len(cell.manifest.metrics) for cell in cells)
    for cell in cells:
        m = cell.manifest
        of_cell = frame[(frame["model"] == m.model) & (frame["setting"] == m.setting)].set_index("metric")
        assert dict(of_cell["value"]) == m.metrics
    assert len(repr(cells)) < 200
    assert len(repr(cells[0])) < 100
    assert "<table" in cells._repr_html_()


def test_a_table_is_its_text_and_the_frame_of_its_csv(root: Path) -> None:
    table = rerankbench.table(root / "run", layout="variants")
    assert isinstance(table, str)
    assert table._repr_html_().startswith("<table>")
    assert "<style" not in table._repr_html_()
    rows = list(csv.DictReader(io.StringIO(rerankbench.table(root / "run", format="csv"))))
    frame = table.to_frame()
    assert list(frame.columns) == list(rows[0])
    assert [f"{value:.6f}" for value in frame["value"]] == [row["value"] for row in rows]


def test_depth_pareto_cascade_and_significance_have_the_figures_of_their_commands(root: Path) -> None:
    depth = rerankbench.depth(root / "run", depths=[5])
    frame = depth.to_frame()
    full = frame[(frame["setting"] == "full") & (frame["run"] == "top 20")]["score"].item()
    cells = {cell.manifest.setting: cell for cell in rerankbench.load_cells(root / "run")}
    assert full == pytest.approx(100 * cells["full"].manifest.metrics["nDCG@10"])
    points = rerankbench.pareto(root / "run")
    assert list(points.to_frame()["score"]) == [p.score for p in points]
    cascades = rerankbench.cascade(root / "run", stages=2, splits=3)
    chosen = cascades.to_frame()
    assert set(chosen["family"]) == {"single", "depth", "cascade"}
    assert (chosen["flops_per_query"] <= chosen["budget"] * 1.05).all()
    one = rerankbench.cascade(root / "run", stages=2, splits=3, budgets=[1e9])[0].choices
    assert [choice.budget for choice in one] == [1e9]
    standings = rerankbench.significance(root / "run")
    assert list(standings.to_frame()["score"]) == sorted((s.score for s in standings), reverse=True)
    with pytest.raises(InputError, match="dataset 'word': is not among the results; did you mean 'words'"):
        rerankbench.significance(root / "run", dataset="word")
    assert rerankbench.decide(root / "run")[0].about == "If only the score counts"
    for shown in (depth, points, cascades, standings):
        assert tuple(shown.to_frame().columns) == shown.COLUMNS
        assert "<table" in shown._repr_html_()


def test_cells_and_runs_are_compared_as_folders_are(root: Path) -> None:
    cells = {cell.manifest.setting: cell for cell in rerankbench.load_cells(root / "run")}
    told = rerankbench.compare(f"{root / 'run'}#@L1", f"{root / 'run'}#@full")
    at_hand = rerankbench.compare(cells["L1"], [cells["full"]])
    assert at_hand == told
    runs = [run_file(cells[name]) for name in ("L1", "full")]
    of_runs = rerankbench.compare(*runs, qrels=qrels_file(root))
    assert of_runs.differences[0].paired == told.differences[0].paired
    assert list(of_runs.to_frame()["difference"]) == [told.differences[0].paired.mean]
    assert len(repr(told)) < 100
    for wrong in ((runs[0], cells["L1"]), tuple(runs)):
        with pytest.raises(InputError, match="with qrels="):
            rerankbench.compare(*wrong)
    with pytest.raises(InputError, match="give its first stage's cell"):
        rerankbench.compare(cells["L1"], cells["full"], metric="nDCG@3")
    stage = cells[FIRST_STAGE]
    assert rerankbench.compare([stage], cells["full"]).differences[0].parts == {}


def test_evaluate_gives_every_query(root: Path) -> None:
    cell = next(cell for cell in rerankbench.load_cells(root / "run") if cell.manifest.setting == "full")
    values = rerankbench.evaluate(run_file(cell), qrels_file(root), ["nDCG@10"], per_query=True)["nDCG@10"]
    means = rerankbench.evaluate(run_file(cell), qrels_file(root), ["nDCG@10"])
    assert sum(values.values()) / len(values) == pytest.approx(means["nDCG@10"])
    assert set(values) == set(qrels_file(root))
