"""beir itself as oracle: its evaluation gives our figures, its loaders our data. Its two differences are shown."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from beir_folder import write_beir
from rerankbench.eval.data import load_dataset, read_qrels
from rerankbench.eval.first_stage import bm25_candidates, read_run
from rerankbench.eval.metrics.trec import per_query

beir = pytest.importorskip("beir.retrieval.evaluation")
CUTS = (1, 10, 100)
OURS = {"nDCG": "nDCG@{}", "MAP": "AP@{}", "Recall": "R@{}"}

# it leaves files open
UNCLOSED = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

Run = Mapping[str, Mapping[str, float]]
Qrels = Mapping[str, Mapping[str, int]]


def theirs(qrels: Qrels, run: Run, **options: Any) -> dict[str, float]:
    """Figures of beir under our names; it changes what it is given."""
    plain = {query: dict(scores) for query, scores in run.items()}
    ndcg, average, recall, _ = beir.EvaluateRetrieval.evaluate(copy.deepcopy(dict(qrels)), plain, list(CUTS), **options)
    found = {f"nDCG@{k}": ndcg[f"NDCG@{k}"] for k in CUTS}
    found |= {f"AP@{k}": average[f"MAP@{k}"] for k in CUTS}
    return found | {f"R@{k}": recall[f"Recall@{k}"] for k in CUTS}


def ours(qrels: Qrels, run: Run) -> dict[str, float]:
    values = per_query(run, qrels, [name.format(k) for name in OURS.values() for k in CUTS])
    return {name: float(np.mean(list(found.values()))) for name, found in values.items()}


def made_up(seed: int, queries: int = 30, documents: int = 150) -> tuple[Qrels, Run]:
    """Judgements of grades 0 to 2 and runs with many ties; some query ids are document ids, too."""
    random = np.random.default_rng(seed)
    names = [f"d{i}" for i in range(documents)]
    asked = [f"d{i}" if i % 3 == 0 else f"q{i}" for i in range(queries)]
    qrels = {q: {str(d): int(random.integers(0, 3)) for d in random.choice(names, 8, replace=False)} for q in asked}
    run = {q: {str(d): float(random.integers(0, 40)) for d in random.choice(names, 120, replace=False)} for q in asked}
    for query in asked:
        if query.startswith("d"):
            run[query][query], qrels[query][query] = 50.0, 1  # first, and relevant
    return qrels, run


@pytest.mark.parametrize("seed", range(5))
def test_same_figures_with_its_two_differences_off(seed: int):
    qrels, run = made_up(seed)
    assert theirs(qrels, run, ignore_identical_ids=False) == pytest.approx(ours(qrels, run), abs=1e-5)


def test_it_drops_documents_with_the_querys_id():
    qrels, run = made_up(0)
    dropped = {query: {doc: s for doc, s in docs.items() if doc != query} for query, docs in run.items()}
    assert theirs(qrels, run) == pytest.approx(ours(qrels, dropped), abs=1e-5)
    assert theirs(qrels, run)["nDCG@10"] < ours(qrels, run)["nDCG@10"] - 0.01


def test_it_averages_over_the_queries_of_the_run():
    qrels, run = made_up(1)
    some = dict(list(run.items())[:20])
    whole, part = ours(qrels, some), ours({query: qrels[query] for query in some}, some)
    found = theirs(qrels, some, ignore_identical_ids=False)
    assert found == pytest.approx(part, abs=1e-5)
    assert found == pytest.approx({name: value * 30 / 20 for name, value in whole.items()}, abs=1e-5)


@pytest.mark.shared
def test_published_run_of_trec_covid(shared_data: Path):
    qrels = read_qrels(shared_data / "runs" / "qrels.beir-v1.0.0-trec-covid.test.txt")
    run = read_run(shared_data / "runs" / "covid.BM25.top100.trec")
    assert set(run) == set(qrels)  # so the second difference is off
    found = theirs(qrels, run, ignore_identical_ids=False)
    assert found == pytest.approx(ours(qrels, run), abs=1e-5)
    assert found["nDCG@10"] == pytest.approx(0.5947, abs=5e-5)


def loaders(folder: Path) -> dict[str, tuple[Any, dict[str, str], dict[str, dict[str, int]]]]:
    """Corpus, queries and judgements by each of beir's loaders, in one form."""
    from beir.datasets.data_loader import GenericDataLoader
    from beir.datasets.data_loader_hf import HFDataLoader

    corpus, queries, qrels = GenericDataLoader(str(folder)).load("test")
    theirs, asked, judged = HFDataLoader(data_folder=str(folder)).load("test")
    rows = {row["id"]: {"title": row["title"], "text": row["text"]} for row in theirs}
    return {
        "zip": (corpus, dict(queries), dict(qrels)),
        "hub": (rows, {row["id"]: row["text"] for row in asked}, {q: dict(grades) for q, grades in judged.items()}),
    }


def check_loaders(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf"))
    data = load_dataset(str(folder), cache=tmp_path / "cache")
    for corpus, queries, qrels in loaders(folder).values():
        joined = {doc: data.policy.passage(row["title"] or "", row["text"]) for doc, row in corpus.items()}
        assert joined == dict(data.corpus())
        assert {query: text.strip() for query, text in queries.items()} == data.queries
        assert qrels == data.qrels


@UNCLOSED
def test_its_loaders_give_our_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    check_loaders(write_beir(tmp_path / "toy"), tmp_path, monkeypatch)


@pytest.mark.shared
@pytest.mark.slow
@UNCLOSED
def test_scifact_by_its_loaders_and_its_evaluation(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The same data, so the same candidates and figures; nDCG@10 of BM25 is the known 0.6762."""
    folder = shared_data / "scifact"
    check_loaders(folder, tmp_path, monkeypatch)
    data = load_dataset(str(folder), cache=tmp_path)
    run = {query: dict(docs) for query, docs in bm25_candidates(data, 100, tmp_path).run.items()}
    assert set(run) == set(data.qrels)
    found = theirs(data.qrels, run, ignore_identical_ids=False)
    assert found == pytest.approx(ours(data.qrels, run), abs=1e-5)
    assert found["nDCG@10"] == pytest.approx(0.6762, abs=5e-5)
