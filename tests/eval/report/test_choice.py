"""What to choose, the charts over depth and the rows of all queries, against the cells' own files."""

from __future__ import annotations

from pathlib import Path

import pytest
from replay_run import replay_run
from report_cells import dataset, write, write_first_stage
from rerankbench.eval.board.evidence import Evidence
from rerankbench.eval.board.pivot import pivot
from rerankbench.eval.report.choice import advise
from rerankbench.eval.report.depths import depths
from rerankbench.eval.report.every_query import every_query
from rerankbench.eval.report.options import Option, bargain, best_of
from rerankbench.eval.report.queries import Finder
from rerankbench.eval.results import Cell, load_cells


def advice(cells: list[Cell]) -> dict[str, str]:
    return {one.about: one.text for one in advise(Evidence(pivot(cells, "nDCG@10")), ())}


@pytest.fixture
def cells(tmp_path: Path) -> list[Cell]:
    data = dataset("tea", queries=60)
    first = write_first_stage(tmp_path, data)
    settings = [("L2", 1.0, 100), ("L4", 1.0, 200), ("full", 1.01, 400)]
    return [first, *(write(tmp_path, data, setting=s, strength=x, flops=f) for s, x, f in settings)]


def test_the_best_the_cheapest_not_told_apart_and_the_headroom(cells: list[Cell]) -> None:
    said = advice(cells)
    scores = {c.manifest.setting: c.manifest.metrics["nDCG@10"] for c in cells}
    top = max(("L2", "L4", "full"), key=lambda s: scores[s])
    assert f"toy {top}: {100 * scores[top]:.2f}" in said["If only the score counts"]
    if top != "L2":  # these three differ by noise alone
        flops = {"L2": 100, "L4": 200, "full": 400}
        assert "toy L2" in said["If cost counts, too"]
        assert f"for {100 * (1 - 100 / flops[top]):.0f} % fewer FLOPs" in said["If cost counts, too"]
    share = 100 * (scores[top] - scores["first-stage"]) / (1 - scores["first-stage"])
    assert f"takes {share:.0f} % of what these candidates offer" in said["What is left"]
    assert "the best order of the candidates has 100.00" in said["What is left"]


BOARDS = [
    # no reranking 66, depth 5 keeps 81 % of the gain for 29 % of the FLOPs
    ([("first", 66.31, 0), ("top 5", 85.0, 8.5), ("top 100", 89.4, 29.4), ("weak", 61.7, 4.9)], "top 100", "top 5"),
    ([("first", 66.0, 0), ("a", 60.0, 1), ("b", 65.9, 9)], "first", None),  # do not rerank
    ([("first", 50.0, 0), ("only", 60.0, 10)], "only", None),
    ([("first", 50.0, 0), ("a", 54.0, 1), ("b", 60.0, 10)], "b", None),  # cheap, but less than half of the gain
    ([("first", 50.0, 0), ("a", 60.0, 10), ("b", 60.0, 2)], "b", None),  # of equal ones the cheaper
    ([("first", 50.0, 0), ("a", 70.0, None), ("b", 60.0, 10)], "a", None),  # not counted, and the best
]


@pytest.mark.parametrize(("rows", "top", "knee"), BOARDS)
def test_boards_whose_right_answer_is_known(rows: list[tuple], top: str, knee: str | None) -> None:
    options = [Option(*row) for row in rows]
    found = bargain(options)
    assert best_of(options).name == top
    assert (found and found.name) == knee


def test_a_depth_is_advised_where_every_whole_run_is_below_the_first_stage(tmp_path: Path) -> None:
    data = dataset("tea", queries=60)
    bad = [write_first_stage(tmp_path, data, strength=0.8), write(tmp_path, data, strength=-1.0)]
    start = 100 * bad[0].manifest.metrics["nDCG@10"]
    evidence = Evidence(pivot(bad, "nDCG@10"))
    sure = Option("toy full top 5", start + 2.4, None, 0.01, 0.001)
    said = {one.about: one.text for one in advise(evidence, [Option("bm25", start, 0.0), sure])}
    assert said["If only the score counts"].startswith(f"toy full top 5: {start + 2.4:.2f}")
    assert "significantly above the first stage (corrected p = 0.001)" in said["If only the score counts"]
    assert "Do not rerank" not in " ".join(said.values())
    assert "toy full top 5" in said["Not placed by cost"]


def test_no_reranker_is_advised_where_the_first_stage_is_best(tmp_path: Path) -> None:
    data = dataset("tea", queries=60)
    bad = [write_first_stage(tmp_path, data, strength=0.8), write(tmp_path, data, strength=-1.0, flops=5)]
    said = advice(bad)
    assert said["If only the score counts"].startswith("Do not rerank with these models")
    assert "loses against the first stage" in said["What is left"]


def test_a_model_that_knows_the_test_is_named(tmp_path: Path) -> None:
    data = dataset("beir/nq", queries=60)
    known = [write_first_stage(tmp_path, data), write(tmp_path, data, "bge-reranker-large", strength=1.0, flops=5)]
    assert "was trained on data of 1 of these 1 datasets" in advice(known)["Trained on the test?"]


def test_every_query_is_there_with_both_values(cells: list[Cell]) -> None:
    found = every_query(Finder(Evidence(pivot(cells, "nDCG@10")), lambda name: dataset("tea", queries=60)))
    best = max(cells[1:], key=lambda c: c.manifest.metrics["nDCG@10"])
    before = dict(zip(cells[0].per_query()["query_id"], cells[0].per_query()["nDCG@10"]))
    after = dict(zip(best.per_query()["query_id"], best.per_query()["nDCG@10"]))
    assert found.rows == 60
    for place, query, text, old, new in found.data["rows"]:
        assert found.data["datasets"][place] == "tea"
        assert (old, new) == (round(100 * before[query], 1), round(100 * after[query], 1))
        assert text == dataset("tea", queries=60).queries[query]


def test_charts_over_depth_have_the_points_of_the_sweep(tmp_path: Path, cells: list[Cell]) -> None:
    (tmp_path / "real").mkdir()
    replay_run(tmp_path / "real")
    drawn = depths(load_cells([tmp_path / "real/run"]), "nDCG@10")
    assert drawn.wide is not None
    assert sorted((m.dot.y, m.dot.x) for m in drawn.wide.marks) == sorted((p.score, p.flops) for p in drawn.points[1:])
    assert [name for name, _ in drawn.cascades] == ["words"]
    assert depths(load_cells([tmp_path / "real/run"]), "RR@10").cascades == ()
    absent = depths(cells, "nDCG@10")  # cells without stored scores
    assert absent.wide is None
    assert "scores of" in absent.absent
