"""The ceiling of the candidates, the share of headroom taken and recall, against numpy on the files of a run."""

from __future__ import annotations

import gzip
import json
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from rerankbench.eval.board.pivot import Variant, pivot
from rerankbench.eval.data import load_dataset
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.report import render as report
from rerankbench.eval.results import FIRST_STAGE, Cell, load_cells
from rerankbench.eval.runner.run import run_experiment
from rerankbench.eval.tables import render

DATASETS = ("builtin/en", "builtin/de")


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Cell]:
    """Two first stages over collections with graded judgements, and one that is reranked by the first one's order."""
    root = tmp_path_factory.mktemp("run")
    raw = {"name": "limits", "datasets": DATASETS, "first_stage": {"retriever": "bm25", "k": 5}}
    run_experiment(parse_experiment(raw, "test"), root)
    return load_cells([root])


def lines(path: Path) -> list[list[str]]:
    return [line.split() for line in gzip.decompress(path.read_bytes()).decode().splitlines()]


def dcg(grades: list[int]) -> float:
    return sum(grade / math.log2(rank + 2) for rank, grade in enumerate(grades[:10]))


def test_ceiling_and_recall_are_those_of_the_files(cells: list[Cell]) -> None:
    board = pivot(cells, "nDCG@10")
    for cell in cells:
        qrels = load_dataset(cell.manifest.dataset).qrels
        docs = defaultdict(list)
        for query, _, doc, *_ in lines(cell.path / "run.trec.gz"):
            docs[query].append(doc)
        ceilings, recalls = [], []
        for query, grades in qrels.items():
            relevant = [grade for grade in grades.values() if grade > 0]
            best = sorted((max(grades.get(doc, 0), 0) for doc in docs[query]), reverse=True)
            ceilings.append(dcg(best) / dcg(sorted(relevant, reverse=True)))
            recalls.append(sum(grades.get(doc, 0) > 0 for doc in docs[query]) / len(relevant))
        limit = board.figure(cell.manifest.dataset, Variant("bm25", FIRST_STAGE)).limit
        assert limit is not None
        assert limit.ceiling == pytest.approx(100 * np.mean(ceilings), abs=1e-9)
        assert limit.recall == pytest.approx(100 * np.mean(recalls), abs=1e-9)
        assert limit.first < limit.ceiling


def test_stored_judgements_are_the_datasets(cells: list[Cell]) -> None:
    for cell in cells:
        found: dict[str, dict[str, int]] = {}
        for query, zero, doc, grade in lines(cell.path / "qrels.trec.gz"):
            assert zero == "0"
            found.setdefault(query, {})[doc] = int(grade)
        assert found == load_dataset(cell.manifest.dataset).qrels == cell.qrels()


def test_headroom_is_a_share_of_what_was_to_gain(cells: list[Cell]) -> None:
    first = next(cell for cell in cells if cell.manifest.dataset == "builtin/en")
    better = first.manifest.metrics["nDCG@10"] + 0.01
    parts = {**first.manifest.identity_parts, "setting": "full"}
    changed = {"model": "toy", "setting": "full", "identity": "x", "identity_parts": parts}
    manifest = first.manifest.model_copy(update={**changed, "metrics": {"nDCG@10": better}})
    mine = pivot([first, Cell(first.path, manifest)], "nDCG@10").figure("builtin/en", Variant("toy", "full"))
    assert mine.limit is not None
    assert mine.headroom == pytest.approx(100 * 1.0 / (mine.limit.ceiling - mine.limit.first))
    other = manifest.model_copy(update={"identity_parts": {**parts, "candidates": "others"}})
    assert pivot([first, Cell(first.path, other)], "nDCG@10").figure("builtin/en", Variant("toy", "full")).limit is None


def test_the_tables_the_report_and_json_have_them(cells: list[Cell]) -> None:
    ceiling = pivot(cells, "nDCG@10").mean(Variant("bm25", FIRST_STAGE)).limit
    assert ceiling is not None
    page = report(cells)
    for name in ("ceiling", "headroom taken"):
        assert name in page
    assert f"{ceiling.ceiling:.2f}" in page
    rows = json.loads(render(cells, format="json"))
    assert np.mean([row["ceiling"] for row in rows]) == pytest.approx(ceiling.ceiling / 100)
    assert [row["headroom_taken"] for row in rows] == [0.0, 0.0]
    head, *csv = render(cells, format="csv").splitlines()
    assert f"{ceiling.ceiling:.6f}" in csv[-1].split(",")[head.split(",").index("ceiling")]


def test_a_metric_of_a_stored_run_is_that_of_trec_eval(cells: list[Cell]) -> None:
    from rerankbench.eval.results import with_metric

    for cell, judged in zip(cells, with_metric(cells, "nDCG@3")):
        run: dict[str, dict[str, float]] = defaultdict(dict)
        for query, _, doc, _, score, _ in lines(cell.path / "run.trec.gz"):
            run[query][doc] = float(score)
        qrels = load_dataset(cell.manifest.dataset).qrels
        expected = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut_3"}).evaluate(dict(run))
        values = judged.per_query().set_index("query_id")["nDCG@3"].to_dict()
        assert values == pytest.approx({q: expected[q]["ndcg_cut_3"] if q in expected else 0.0 for q in qrels})
        assert judged.manifest.metrics["nDCG@3"] == pytest.approx(np.mean(list(values.values())))
        assert cell.manifest.metrics.items() <= judged.manifest.metrics.items()
    assert "nDCG@3 x 100" in render(with_metric(cells, "nDCG@3"), metric="nDCG@3")
