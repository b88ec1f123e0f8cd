"""Reciprocal rank fusion: by hand, by ranx, and as a first stage."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from beir_folder import write_beir
from hypothesis import given, settings
from hypothesis import strategies as st
from rerankbench.eval.data import load_dataset
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.first_stage import bm25_candidates, fused_candidates, imported_candidates, read_run, trec_order
from rerankbench.eval.first_stage.fusion import fuse_by_rank
from rerankbench.eval.plan.plan import make_plan
from rerankbench.eval.runner.run import run_experiment
from rerankbench.rerankers.errors import InputError

RANKINGS = st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True), min_size=1, max_size=4)


def ranked(*docs: str) -> list[tuple[str, float]]:
    return [(doc, -float(i)) for i, doc in enumerate(docs)]


def test_by_hand():
    """The constant 60: first of both 2/61; second and third 1/62 + 1/63, whatever the scores are."""
    fused = fuse_by_rank([[("a", 9.0), ("b", 8.9), ("c", 0.0)], ranked("a", "c", "d")])
    assert fused == pytest.approx({"a": 2 / 61, "b": 1 / 62, "c": 1 / 63 + 1 / 62, "d": 1 / 63}, rel=1e-15)
    assert fuse_by_rank([ranked("a"), []], 0) == {"a": 1.0}


@settings(deadline=None)
@given(rankings=RANKINGS, constant=st.integers(0, 100))
def test_a_sum_of_exact_fractions_in_any_order(rankings: list[list[str]], constant: int):
    fused = fuse_by_rank([ranked(*docs) for docs in rankings], constant)
    expected: dict[str, Fraction] = {}
    for docs in rankings:
        for rank, doc in enumerate(docs, 1):
            expected[doc] = expected.get(doc, Fraction()) + Fraction(1, constant + rank)
    assert fused.keys() == expected.keys()
    assert all(abs(Fraction(fused[doc]) - score) < Fraction(1, 10**14) for doc, score in expected.items())
    assert fuse_by_rank([ranked(*docs) for docs in reversed(rankings)], constant) == fused


def by_rank(run: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {
        query: {doc: -float(i) for i, (doc, _) in enumerate(trec_order(docs))} for query, docs in run.items() if docs
    }


def compare_with_ranx(runs: list[dict[str, dict[str, float]]]) -> None:
    """Equal scores of a run are in trec_eval's order here and in another one there, so ranx gets the ranks."""
    ranx = pytest.importorskip("ranx", reason="a fusion that is not ours")
    theirs = ranx.fuse(runs=[ranx.Run(by_rank(run)) for run in runs], method="rrf", params={"k": 60}).to_dict()
    queries = sorted({query for run in runs for query in run})
    assert sorted(theirs) == queries
    for query in queries:
        ours = fuse_by_rank([trec_order(run[query]) for run in runs])
        assert ours == pytest.approx(theirs[query], abs=1e-12, rel=0)


@pytest.mark.filterwarnings("ignore")
def test_equals_ranx():
    docs = [f"d{i}" for i in range(40)]
    runs = [
        {f"q{q}": {doc: float((7 * i + 3 * q + n) * (2 * n + 3) % 41) for i, doc in enumerate(docs)} for q in range(3)}
        for n in range(3)
    ]
    compare_with_ranx(runs)


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore")
def test_equals_ranx_on_a_published_run(shared_data: Path):
    """TREC-COVID's published BM25 top 100, and two runs that rank its documents by other figures of theirs."""
    run = {query: dict(docs) for query, docs in read_run(shared_data / "runs" / "covid.BM25.top100.trec").items()}
    by_id = {query: {doc: float(i) for i, doc in enumerate(sorted(docs))} for query, docs in run.items()}
    half = {query: dict(trec_order(docs)[::2]) for query, docs in run.items()}
    compare_with_ranx([run, by_id, half])


def write_run(path: Path, run: dict[str, dict[str, float]]) -> Path:
    path.write_text(json.dumps(run))
    return path


def test_fused_candidates_are_kept_and_cut(tmp_path: Path):
    data = load_dataset(str(write_beir(tmp_path / "toy")), cache=tmp_path / "cache")
    bm25 = bm25_candidates(data, 2, tmp_path)  # q1: d1 d3, q2: d2
    run = write_run(tmp_path / "other.json", {"q1": {"d4": 3.0, "d3": 2.0, "d2": 1.0}})
    other = imported_candidates(data, run, 2, tmp_path)
    fused = fused_candidates(data, [bm25, other], 2, tmp_path)
    assert [doc for doc, _ in fused.run["q1"]] == ["d3", "d4"]  # d1 and d4 tie at 1/61: ids descending
    assert [doc for doc, _ in fused.run["q2"]] == ["d2"]
    assert fused.source["fuse"] == [bm25.source, other.source]
    assert fused_candidates(data, [bm25, other], 2, tmp_path) == fused
    assert fused_candidates(data, [other, bm25], 2, tmp_path).hash == fused.hash
    assert fused_candidates(data, [bm25, other], 2, tmp_path, 0).path != fused.path


def experiment(**stage: Any) -> Any:
    return parse_experiment({"name": "x", "datasets": ["builtin/en"], "first_stage": stage}, "here")


def test_an_experiment_fuses(tmp_path: Path):
    parts = ["bm25", {"retriever": "bm25", "stemmer": "none"}]
    (cell,) = run_experiment(experiment(fuse=parts, k=5, depth=20), tmp_path / "out")
    assert cell.manifest.model == "rrf-bm25-bm25"
    (run,) = (tmp_path / "out" / "candidates").glob("*-top5-*.trec.gz")
    assert len(list((tmp_path / "out" / "candidates").glob("*-top20-*.trec.gz"))) == 2
    assert read_run(run).keys() == cell.run().keys()
    again = experiment(fuse=[{"run": str(run)}, "bm25"], k=5)
    (cell,) = run_experiment(again, tmp_path / "again")
    assert cell.manifest.model == f"rrf-{run.name.removesuffix('.trec.gz')}-bm25"


def test_plan_counts_each_retriever():
    plan = make_plan(experiment(fuse=["bm25", "bge-m3", "all-minilm-l6-v2"], k=10))
    alone = [make_plan(experiment(retriever=name, k=10)) for name in ("bge-m3", "all-minilm-l6-v2")]
    assert plan.encodings == tuple(encoding for one in alone for encoding in one.encodings)
    assert plan.encoding_pflops == sum(one.encoding_pflops for one in alone)


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"fuse": ["bm25"]}, "first_stage.fuse: "),
        ({"fuse": ["bm25", "bm25"]}, "part 1 is there before"),
        ({"fuse": ["bm25", "bge-m3"], "method": "sum"}, "first_stage.method: must be 'rrf'"),
        ({"fuse": ["bm25", "bge-m3"], "retriever": "bm25"}, "give either"),
        ({"fuse": ["bm25", {"k1": 2.0}]}, "give either"),
        ({"fuse": ["bm25", {"fuse": ["bm25", "bge-m3"]}]}, "fuse"),
        ({"fuse": ["bm25", {"retriever": "bge-m3", "k": 5}]}, "first_stage.fuse.1.k: "),
        ({"retriever": "bm25", "rank_constant": 5}, "first_stage.rank_constant: has no place here"),
        ({"fuse": ["bm25", {"run": {"other": "x.trec"}}]}, "names no run for dataset 'builtin/en'"),
    ],
)
def test_unusable_fusions_are_one_line(stage: dict[str, Any], message: str):
    with pytest.raises(InputError) as caught:
        experiment(**stage)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
