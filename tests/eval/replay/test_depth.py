"""A sweep over depths against trec_eval on the files of the run, and against a run at that depth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from in_process import Command
from replay_run import qrels_file, replay_run, run_file
from rerankbench.eval.board.pivot import Variant
from rerankbench.eval.replay.depth import depth_board, depth_points
from rerankbench.eval.results import Cell, load_cells
from rerankbench.rerankers.errors import InputError


@pytest.fixture(scope="module")
def cells(root: Path) -> list[Cell]:
    return load_cells([root / "run"])


def by_setting(cells: list[Cell]) -> dict[str, Cell]:
    return {cell.manifest.setting: cell for cell in cells}


@pytest.mark.parametrize(
    ("metric", "trec"), [("nDCG@10", "ndcg_cut_10"), ("RR", "recip_rank"), ("nDCG@3", "ndcg_cut_3")]
)
def test_every_figure_is_that_of_trec_eval(root: Path, cells: list[Cell], metric: str, trec: str) -> None:
    from rerankbench.eval.results import with_metric

    board = depth_board(with_metric(cells, metric), metric, [5, 10])
    first, qrels = run_file(by_setting(cells)["first-stage"]), qrels_file(root)
    for setting in ("L1", "L2", "full"):
        scores = run_file(by_setting(cells)[setting])
        for depth in (5, 10, 20):
            run = {}
            for query, docs in first.items():
                top = sorted(list(docs)[:depth], key=lambda d, of=scores[query]: (of[d], d), reverse=True)
                run[query] = {doc: -float(rank) for rank, doc in enumerate([*top, *list(docs)[depth:]])}
            found = pytrec_eval.RelevanceEvaluator(qrels, {trec}).evaluate(run)
            mean = np.mean([found[query][trec] if query in found else 0.0 for query in qrels])
            figure = board.figure("words", Variant("encoder", setting, f"top {depth}"))
            assert figure.score == pytest.approx(100 * mean, abs=1e-6)


def test_a_run_at_that_depth_scores_and_costs_the_same(
    cells: list[Cell], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """FLOPs are those of the manifest of a run that reranked five; its top 5 are in the same order."""
    board = depth_board(cells, "nDCG@5", [5])
    for cell in replay_run(tmp_path, k=5):
        m = cell.manifest
        if m.setting != "first-stage":
            figure = board.figure("words", Variant("encoder", m.setting, "top 5"))
            assert m.flops is not None
            assert figure.flops == pytest.approx(m.flops.reference / m.counts.queries)


def test_the_whole_depth_is_the_run_itself(cells: list[Cell]) -> None:
    board = depth_board(cells, "nDCG@10")
    for name, cell in by_setting(cells).items():
        if name != "first-stage":
            figure = board.figure("words", Variant("encoder", name, "top 20"))
            assert figure.score == pytest.approx(100 * cell.manifest.metrics["nDCG@10"], abs=1e-9)
            assert cell.manifest.flops is not None
            assert figure.flops == pytest.approx(cell.manifest.flops.reference / cell.manifest.counts.queries)


def test_the_frontier_is_over_setting_and_depth(cells: list[Cell]) -> None:
    found = depth_points(cells, "nDCG@10", [5, 10])
    assert len(found) == 10  # the first stage, and three settings at three depths
    assert (found[0].variant.setting, found[0].flops) == ("first-stage", 0)
    for p in found:
        beaten = any(
            q.score >= p.score and q.flops <= p.flops and (q.score > p.score or q.flops < p.flops) for q in found
        )
        assert beaten == (p.dominated_by is not None)


def test_what_is_gone_is_said(root: Path, cells: list[Cell], tmp_path: Path) -> None:
    import shutil

    shutil.copytree(root / "run", tmp_path / "run")
    shutil.rmtree(tmp_path / "run/scores")
    with pytest.raises(InputError, match=r"scores of .* are gone; run the experiment again"):
        depth_board(load_cells([tmp_path / "run"]), "nDCG@10")
    with pytest.raises(InputError, match="no reranker"):
        depth_board([by_setting(cells)["first-stage"]], "nDCG@10")
    with pytest.raises(InputError, match="first stage"):
        depth_board([by_setting(cells)["L1"]], "nDCG@10")


def test_command(root: Path, command: Command) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        return command("depth", str(root / "run"), *arguments)

    status, text, _ = run("--depths", "5,10")
    assert status == 0
    assert text.startswith("words: first stage ")
    assert "top 5" in text
    assert "frontier over setting x depth" in text
    status, out, _ = run("--depths", "5", "--json")
    rows = [(row["setting"], row["origin"]) for row in json.loads(out)]
    assert rows[:2] == [("first-stage", None), ("L1", "top 5")]
    for wrong in ("0", "five", "1,,2", "-3"):
        status, out, err = run("--depths", wrong)
        assert (status, out, err.count("\n")) == (2, "", 1)
