"""Ranks, power, condensed lists and corrections, against scipy, pytrec_eval and plain numpy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from in_process import Command
from report_cells import dataset, write, write_first_stage
from rerankbench.eval.board.evidence import Evidence
from rerankbench.eval.board.pivot import Variant, pivot
from rerankbench.eval.board.ranking import Standing, condensed_name, standings, warnings
from rerankbench.eval.metrics.statistics import benjamini_hochberg, detectable, ranks
from rerankbench.eval.metrics.trec import per_query
from rerankbench.eval.results import FIRST_STAGE, Cell
from scipy import stats


@pytest.fixture
def cells(tmp_path: Path) -> list[Cell]:
    """Three variants over two datasets; d1 is judged not relevant everywhere, most passages are unjudged."""
    found = []
    for name in ("tea", "salt"):
        data = dataset(name, queries=60)
        found.append(write_first_stage(tmp_path, data))
        found += [write(tmp_path, data, setting=s, strength=x) for s, x in (("L1", 0.25), ("L2", 0.5), ("full", 1.5))]
    return found


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_benjamini_hochberg_is_scipys(p: list[float]) -> None:
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p, method="bh"), abs=1e-12)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8))
def test_ranks_are_scipys(scores: list[int]) -> None:
    assert ranks(np.array(scores)).tolist() == stats.rankdata(-np.array(scores), method="min").tolist()


@pytest.mark.parametrize("n", [50, 300])
def test_a_detectable_difference_is_found_in_four_of_five_sets(n: int) -> None:
    """By scipy's noncentral t, which is exact for normal differences."""
    d = stats.norm.ppf((np.arange(n) + 0.5) / n) * 0.3
    least = detectable([d / n])
    sd = np.std(d, ddof=1)
    critical = stats.t.ppf(0.975, n - 1)
    power = stats.nct.sf(critical, n - 1, least * np.sqrt(n) / sd)
    assert power == pytest.approx(0.8, abs=0.02)


def test_ranks_of_variants_against_a_bootstrap_of_ones_own(cells: list[Cell]) -> None:
    mine = [c for c in cells if c.manifest.dataset == "tea"]
    found = Evidence(pivot(mine, "nDCG@10")).ranks("tea")
    values = np.array([c.per_query()["nDCG@10"] for c in mine])
    rng = np.random.default_rng(99)
    drawn = [stats.rankdata(-values[:, rng.integers(0, 60, 60)].mean(1), method="min") for _ in range(4000)]
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    for cell, a, b, mean in zip(mine, low, high, values.mean(1)):
        rank = found[Variant(cell.manifest.model, cell.manifest.setting)]
        assert rank.place == 1 + (values.mean(1) > mean).sum()
        assert abs(rank.low - a) <= 1
        assert abs(rank.high - b) <= 1
    assert (found[Variant("toy", "full")].low, found[Variant("toy", "full")].high) == (1, 1)


@pytest.mark.parametrize(
    ("metric", "trec"),
    [("nDCG(judged_only=True)@10", "ndcg_cut_10"), ("AP(judged_only=True)", "map"), ("P(judged_only=True)@5", "P_5")],
)
def test_condensed_lists_are_those_of_pytrec_eval(metric: str, trec: str) -> None:
    draw = np.random.default_rng(5)
    docs = [f"d{i}" for i in range(30)]
    qrels = {f"q{i}": {d: int(draw.integers(0, 3)) for d in draw.choice(docs, 6, replace=False)} for i in range(9)}
    run = {q: {d: float(draw.random()) for d in draw.choice(docs, 12, replace=False)} for q in qrels}
    run["q3"] = {d: 1.0 for d in docs if d not in qrels["q3"]}  # nothing judged at all
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {trec}, judged_docs_only_flag=True).evaluate(run)
    assert per_query(run, qrels, [metric])[metric] == pytest.approx(
        {q: theirs[q][trec] if q in theirs else 0.0 for q in qrels}
    )


def test_the_table_holds_what_the_parts_say(cells: list[Cell]) -> None:
    row, found = standings(cells, "nDCG@10", None, "bh")
    assert row == "mean"
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert found[0].best is None
    for one in found:
        mine = [c for c in cells if (c.manifest.model, c.manifest.setting) == (one.variant.model, one.variant.setting)]
        assert one.score == pytest.approx(100 * np.mean([c.manifest.metrics["nDCG@10"] for c in mine]))
        condensed = [per_query(c.run(), _qrels(), [str(condensed_name("nDCG@10"))]) for c in mine]
        assert one.condensed == pytest.approx(
            100 * np.mean([list(v.values()) for each in condensed for v in each.values()])
        )
    others = [one.best.p for one in found[1:] if one.best]
    assert others == pytest.approx(stats.false_discovery_control(_raw(cells)), abs=0.003)


def _qrels() -> dict[str, dict[str, int]]:
    return dataset("tea", queries=60).qrels


def _raw(cells: list[Cell]) -> list[float]:
    """Uncorrected p-values against the best, in the order of the means."""
    evidence = Evidence(pivot(cells, "nDCG@10"), "bh")
    top = evidence.best("mean")
    assert top is not None
    scores = {v: evidence.board.mean(v).score or 0 for v in evidence.comparable("mean")}
    order = sorted((v for v in scores if v != top), key=lambda v: -scores[v])
    found = []
    for v in order:
        d = np.concatenate(
            [
                evidence.board.figure(name, v).cells[0].per_query()["nDCG@10"]
                - evidence.board.figure(name, top).cells[0].per_query()["nDCG@10"]
                for name in ("tea", "salt")
            ]
        )
        flips = np.random.default_rng(1).choice([-1, 1], (4999, d.size)) @ d
        found.append((1 + (np.abs(flips) >= abs(d.sum()) - 1e-9).sum()) / 5000)
    return found


def test_a_gain_that_unjudged_passages_hide_is_told() -> None:
    def one(setting: str, score: float, judged: float, condensed: float | None) -> Standing:
        return Standing(Variant("m", setting), score, None, None, None, None, judged, condensed)

    first = one(FIRST_STAGE, 40.0, 80.0, 45.0)
    assert warnings([first, one("full", 39.0, 60.0, 50.0)], "nDCG@10")[0].startswith("m full: 60 % of its first")
    assert not warnings([first, one("full", 39.0, 78.0, 50.0)], "nDCG@10")
    assert not warnings([first, one("full", 44.0, 60.0, 45.0)], "nDCG@10")
    assert not warnings([first, one("full", 39.0, 60.0, None)], "nDCG@10")


def test_command(cells: list[Cell], tmp_path: Path, command: Command) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        return command("significance", str(tmp_path), *arguments)

    status, text, _ = run("--correction", "bh")
    assert status == 0
    assert "p (Benjamini-Hochberg)" in text
    status, out, _ = run("--dataset", "tea", "--json", "--metric", "RR@5")
    record = json.loads(out)
    assert (record["row"], record["metric"], len(record["variants"])) == ("tea", "RR@5", 4)
    status, out, err = run("--dataset", "teas")
    assert (status, out, err.count("\n")) == (2, "", 1)


def test_the_old_name_works_and_names_the_new_one(
    cells: list[Cell], tmp_path: Path, command: Command, caplog: pytest.LogCaptureFixture
) -> None:
    new, old = command("significance", str(tmp_path)), command("rank", str(tmp_path))
    assert old[:2] == new[:2]
    assert "rerankbench significance" in f"{caplog.text}{old[2]}"
