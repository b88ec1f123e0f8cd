"""Which variants are on the frontier, and what a PFLOP buys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_process import Command
from pareto_cells import CELLS, cell
from rerankbench.eval.board.frontier import Point, points, uncounted
from rerankbench.eval.board.pivot import pivot
from rerankbench.eval.results import Cell
from rerankbench.eval.tables import render
from rerankbench.eval.tables.pareto import to_json, to_text
from table_cells import write_cell


def test_flags_per_dataset_and_for_the_mean() -> None:
    found = {(p.dataset, p.variant.setting): p for p in points(CELLS)}
    dominated = {key: p.dominated_by.setting for key, p in found.items() if p.dominated_by}
    # L12 and the first stage have no mean: they were not run on b
    assert list(found) == [
        ("a", "first-stage"),
        ("a", "L8"), ("a", "L12"), ("a", "full"), ("b", "L8"), ("b", "full"), ("mean", "L8"), ("mean", "full")
    ]  # fmt: skip
    assert dominated == {("a", "L12"): "L8", ("b", "full"): "L8"}


def test_what_a_pflop_buys() -> None:
    best = next(p for p in points(CELLS) if (p.dataset, p.variant.setting) == ("a", "L8"))
    assert best.qpp == pytest.approx(10)
    assert best.rpp == pytest.approx(0.40 * 10)


def test_equal_points_do_not_dominate_each_other() -> None:
    assert not any(p.dominated_by for p in points([cell("a", "L8", 0.4, 100), cell("a", "L12", 0.4, 100)]))


def test_partial_cells_are_compared_with_their_like_only() -> None:
    mixed = [cell("a", "full", 0.5, 300), cell("a", "L8", 0.9, 100, partial={"limit": 3})]
    assert not any(p.dominated_by for p in points(mixed))
    assert "first 3 queries" in " ".join(to_text(points(mixed)).split())


def test_a_variant_below_the_first_stage_is_on_no_frontier() -> None:
    below = [cell("a", "first-stage", 0.66, None, model="bm25"), cell("a", "L1", 0.62, 5), cell("a", "L6", 0.89, 30)]
    found = {p.variant.setting: p for p in points(below)}
    assert (found["first-stage"].flops, found["first-stage"].rpp, found["first-stage"].dominated_by) == (0, None, None)
    assert found["L1"].dominated_by == found["first-stage"].variant
    assert found["L6"].dominated_by is None


def test_first_stages_of_other_names_stand_in_for_the_mean() -> None:
    mixed = [
        cell("a", "first-stage", 0.6, None, model="bm25"),
        cell("b", "first-stage", 0.8, None, model="dense"),
        *(cell(name, "full", 0.69, 10) for name in "ab"),
    ]
    mean = [p for p in points(mixed) if p.dataset == "mean"]
    assert [(p.score, p.flops, p.dominated_by is None) for p in mean] == [
        (pytest.approx(70), 0, True), (pytest.approx(69), 10, False)
    ]  # fmt: skip


def test_what_has_no_counted_flops_is_told() -> None:
    mixed = [
        cell("a", "first-stage", 0.66, None, model="bm25"),
        cell("a", "full", 0.7, 10),
        cell("a", "full", 0.9, None, model="better"),
        cell("a", "full", 0.5, None, model="worse"),
    ]
    found = {one.variant.model: one.dominated_by for one in uncounted(pivot(mixed, "nDCG@10"))}
    assert {model: first and first.model for model, first in found.items()} == {"better": None, "worse": "bm25"}
    text = to_text(points(mixed), unplaced=uncounted(pivot(mixed, "nDCG@10")))
    assert "FLOPs not counted: a: better full 90.00" in text
    shown = " ".join(render(mixed, layout="datasets").split())
    assert "FLOPs not counted: better, worse" in shown
    assert "Pareto frontier frontier – dominated" in shown


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=12))
def test_frontier_is_what_nothing_beats(pairs: list[tuple[int, int]]) -> None:
    found = points([cell("a", f"L{i + 1}", score / 10, flops) for i, (score, flops) in enumerate(pairs)])

    def beats(p: Point, q: Point) -> bool:
        return p.score >= q.score and p.flops <= q.flops and (p.score > q.score or p.flops < q.flops)

    assert len(found) == len(pairs)
    for q in found:
        assert (q.dominated_by is not None) == any(beats(p, q) for p in found)
    frontier = [p for p in found if p.dominated_by is None]
    assert [p.score for p in frontier] == sorted(p.score for p in frontier)


def test_text_and_json_agree() -> None:
    found = points(CELLS)
    text, rows = to_text(found), to_json(found)
    assert len(text.splitlines()) == 2 + len(rows)  # a head, and what RPP and QPP are
    assert "dominated by L8" in text
    assert json.loads(json.dumps(rows))[1] | {"rpp": 4, "qpp": 10} == {
        "dataset": "a", "model": "toy", "setting": "L8", "origin": None, "score": 40.0, "flops_per_query": 1e14,
        "rpp": 4, "qpp": 10, "frontier": True, "dominated_by": None, "partial": [],
    }  # fmt: skip


def test_command(tmp_path: Path, command: Command) -> None:
    for one in CELLS:
        write_cell(Cell(tmp_path / one.path, one.manifest))

    def run(*arguments: str) -> tuple[int, str, str]:
        return command("pareto", str(tmp_path / "run"), *arguments)

    status, out, _ = run("--plot", str(tmp_path / "pareto.svg"))
    assert status == 0
    assert "dominated by L8" in out
    assert (tmp_path / "pareto.svg").is_file()
    status, out, _ = run("--dataset", "mean", "--json")
    assert [(row["dataset"], row["setting"]) for row in json.loads(out)] == [("mean", "L8"), ("mean", "full")]
    status, out, err = run("--dataset", "A")
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
