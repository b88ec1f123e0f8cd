"""Ids of any kind through the writers of other libraries, the import, a run and its export, and back.

The oracle is pytrec_eval on the very objects that were written.
"""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import pytrec_eval
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from pyarrow import parquet
from rerankbench.eval.api import evaluate
from rerankbench.eval.data import load_dataset, read_qrels
from rerankbench.eval.data.importing import import_data
from rerankbench.eval.first_stage import read_run, run_writer

ODD = st.text(st.sampled_from("ab1é#{}[]\"'|,:;\u0301\u200dé😀-_/\\%&<>"), min_size=1, max_size=6)
IDS = st.lists(ODD.filter(lambda name: name.split() == [name]), min_size=2, max_size=5, unique=True)
Grades = dict[str, dict[str, int]]


def write_beir(folder: Path, rows: list[tuple[str, str, int]]) -> Path:
    """As beir's own writers do it: Python's csv with tabs."""
    with (folder / "qrels.tsv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_MINIMAL)
        writer.writerow(("query-id", "corpus-id", "score"))
        writer.writerows(rows)
    return folder / "qrels.tsv"


def write_frame(folder: Path, rows: list[tuple[str, str, int]]) -> Path:
    """As pandas writes CSV."""
    pd.DataFrame(rows, columns=["query-id", "corpus-id", "score"]).to_csv(folder / "qrels.csv", index=False)
    return folder / "qrels.csv"


def write_parquet(folder: Path, rows: list[tuple[str, str, int]]) -> Path:
    """As the hub keeps it, grades as floats."""
    queries, documents, grades = zip(*rows)
    table = pa.table({"query-id": queries, "corpus-id": documents, "score": [float(grade) for grade in grades]})
    parquet.write_table(table, folder / "qrels.parquet")
    return folder / "qrels.parquet"


def write_lines(folder: Path, rows: list[tuple[str, str, int]]) -> Path:
    """As ir_datasets' exports and `datasets` write JSON lines."""
    lines = [json.dumps({"query_id": q, "doc_id": d, "relevance": grade}) for q, d, grade in rows]
    (folder / "qrels.jsonl").write_text("\n".join(lines))
    return folder / "qrels.jsonl"


@pytest.fixture(scope="module")
def place() -> Any:
    folder = Path(tempfile.mkdtemp())
    yield folder
    shutil.rmtree(folder)


@seed(20261130)
@settings(
    max_examples=500,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    queries=IDS,
    documents=IDS,
    write=st.sampled_from([write_beir, write_frame, write_parquet, write_lines]),
    grades=st.lists(st.integers(0, 3), min_size=25, max_size=25),
)
def test_ids_and_figures_survive(
    place: Path,
    queries: list[str],
    documents: list[str],
    write: Callable[[Path, list[tuple[str, str, int]]], Path],
    grades: list[int],
) -> None:
    shutil.rmtree(place)
    place.mkdir()
    pairs = [(query, document) for query in queries for document in documents]
    judged = [(*pair, grade) for pair, grade in zip(pairs, grades)]
    judged[0] = (*judged[0][:2], 1)  # something is relevant
    qrels: Grades = {}
    for query, document, grade in judged:
        qrels.setdefault(query, {})[document] = grade
    for name, ids in (("corpus", documents), ("queries", queries)):
        lines = [json.dumps({"_id": one, "text": f"text {n}"}, ensure_ascii=False) for n, one in enumerate(ids)]
        (place / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    tables = {"corpus": place / "corpus.jsonl", "queries": place / "queries.jsonl", "qrels": write(place, judged)}
    import_data(place / "out", tables, {})
    dataset = load_dataset(str(place / "out"), cache=place / "cache")
    assert (dataset.qrels, sorted(dataset.queries)) == (qrels, sorted(queries))
    assert dataset.missing(documents) == []

    run = {query: {doc: float(len(documents) - n) for n, doc in enumerate(documents)} for query in queries}
    with run_writer(place / "run.trec.gz", "x") as add:
        for query, scores in run.items():
            add(query, scores)
    assert {query: dict(scores) for query, scores in read_run(place / "run.trec.gz").items()} == run
    oracle = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10"}).evaluate(run)
    expected = sum(values["ndcg_cut_10"] for values in oracle.values()) / len(qrels)
    figure = evaluate(place / "run.trec.gz", place / "out/qrels/test.tsv", ["nDCG@10"])["nDCG@10"]
    assert figure == pytest.approx(expected, abs=1e-12)
    assert read_qrels(place / "out/qrels/test.tsv") == qrels
