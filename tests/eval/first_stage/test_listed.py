"""Candidates that a publisher fixed: what is taken, what is refused, and the figures of the publisher's evaluator."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from beir_folder import CORPUS, write_beir
from rerankbench.eval.data import Dataset, load_dataset
from rerankbench.eval.data.catalog import entries
from rerankbench.eval.first_stage import list_candidates, listed_candidates, load_lists
from rerankbench.eval.metrics.trec import per_query
from rerankbench.rerankers.errors import InputError

REVISION = "0123456789abcdef0123456789abcdef01234567"
LISTS = {"q1": ["d4", "d1", "d2"], "q2": ["d3", "d2", "d1"]}


@pytest.fixture
def toy(tmp_path: Path) -> Dataset:
    return load_dataset(str(write_beir(tmp_path / "toy")), cache=tmp_path / "cache")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose files the hub has, in the places where huggingface_hub puts them."""
    root = tmp_path / "snapshots" / REVISION

    def download(repo: str, file: str, *, repo_type: str, revision: str) -> str:
        assert (repo, repo_type, revision) == ("someone/lists", "dataset", REVISION)
        if not (root / file).is_file():
            raise FileNotFoundError(f"404 {file}")
        return str(root / file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    return root


def put(hub: Path, lists: dict[str, list[str]] = LISTS, *, rows: bool = False) -> Path:
    hub.mkdir(parents=True, exist_ok=True)
    pairs = [{"qid": q, "docs": doc} for q, docs in lists.items() for doc in docs]
    whole = [{"qid": q, "docs": docs} for q, docs in lists.items()]
    pq.write_table(pa.Table.from_pylist(pairs if rows else whole), hub / "lists.parquet")
    return hub / "lists.parquet"


def write(folder: Path, entry: dict[str, Any] | None = None, **changes: Any) -> str:
    raw = {
        "title": "made up",
        "hub": "someone/lists",
        "revision": REVISION,
        "columns": {"query": "qid", "passages": "docs"},
        "k": 3,
        "datasets": {"toy": {"file": "lists.parquet", **(entry or {})}},
        **changes,
    }
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(raw))
    return str(path)


def ids(found: Any) -> dict[str, list[str]]:
    return {query: [doc for doc, _ in ranking] for query, ranking in found.run.items()}


@pytest.mark.parametrize("rows", [False, True])
def test_lists_are_taken_in_their_order(toy: Dataset, hub: Path, tmp_path: Path, rows: bool):
    file = put(hub, rows=rows)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    name = write(tmp_path, {"queries": 2, "sha256": sha256})
    found = listed_candidates(name, toy, 3, tmp_path)
    assert ids(found) == LISTS
    assert found.warnings == ("1 relevant passages of 1 queries are not among the candidates of 'mine' and cannot be "
                              "found; none was put in",)  # fmt: skip
    assert (found.source["sha256"], found.source["revision"]) == (sha256, REVISION)
    cut = listed_candidates(name, toy, 1, tmp_path)
    assert ids(cut) == {"q1": ["d4"], "q2": ["d3"]}
    assert "3 relevant passages of 2 queries" in cut.warnings[0]
    assert cut.warnings[1] == "'mine': its publisher reranks the first 3, k is 1"


def test_positives_are_put_in_when_asked_and_told(toy: Dataset, hub: Path, tmp_path: Path):
    put(hub)
    name = write(tmp_path, positives="added")
    added = listed_candidates(name, toy, 1, tmp_path, positives="added")
    assert ids(added) == {"q1": ["d1", "d3", "d4"], "q2": ["d2", "d3"]}
    assert "positives: added put them in front" in added.warnings[0]
    assert "its publisher put relevant passages in" in added.warnings[1]
    assert added.source != listed_candidates(name, toy, 1, tmp_path).source


@pytest.mark.parametrize(
    ("lists", "entry", "message"),
    [
        (LISTS, {"queries": 3}, "2 lists instead of 3"),
        (LISTS, {"sha256": "0" * 64}, "SHA-256 is "),
        ({"q1": ["d1"]}, {}, "1 judged queries of toy have no list (first: 'q2')"),
        ({**LISTS, "q2": ["d2", "d9"]}, {}, "1 documents are not in the corpus of toy (first: 'd9')"),
        ({**LISTS, "q2": ["d2", "d2"]}, {}, "a document comes twice for query 'q2'"),
        (LISTS, {"file": "other.parquet"}, "FileNotFoundError: 404 other.parquet"),
    ],
)
def test_other_lists_are_refused(
    toy: Dataset, hub: Path, tmp_path: Path, lists: dict[str, list[str]], entry: dict[str, Any], message: str
):
    put(hub, lists)
    with pytest.raises(InputError) as caught:
        listed_candidates(write(tmp_path, entry), toy, 3, tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*.trec.gz"))


def test_another_revision_is_refused(toy: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = put(tmp_path / "snapshots" / ("f" * 40))
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_, **__: str(file))
    with pytest.raises(InputError, match="answered with another revision"):
        listed_candidates(write(tmp_path), toy, 3, tmp_path)
    for revision in ("main", REVISION[:7]):
        with pytest.raises(InputError, match=r"mine\.yaml: revision: "):
            load_lists(write(tmp_path, revision=revision))
    with pytest.raises(InputError, match="'nanobeir-bm25' has no list for dataset 'toy'"):
        listed_candidates("nanobeir-bm25", toy, 3, tmp_path)


def test_shipped_lists_are_of_known_datasets():
    for name in list_candidates():
        lists = load_lists(name)
        for dataset, file in lists.datasets.items():
            assert entries()[dataset].policy.n_queries == file.queries, dataset


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("always", [False, True])
def test_figures_are_those_of_the_evaluator(toy: Dataset, hub: Path, tmp_path: Path, always: bool):
    """sentence-transformers' CrossEncoderRerankingEvaluator with random scores, in both orders of candidates."""
    evaluation = pytest.importorskip("sentence_transformers.cross_encoder.evaluation")
    put(hub)
    found = listed_candidates(write(tmp_path), toy, 2, tmp_path, positives="added" if always else "listed")
    texts = {row["_id"]: json.dumps(row) for row in CORPUS}
    rng = np.random.default_rng(5)
    for _ in range(5):
        scores = {(q, doc): float(rng.normal()) for q in toy.queries for doc in texts}

        class Model:
            def predict(self, pairs: list[list[str]], **_: Any) -> Any:
                return np.array([scores[q, json.loads(text)["_id"]] for q, text in pairs])  # noqa: B023

        samples = [
            {
                "query": query,
                "positive": [texts[doc] for doc, grade in toy.qrels[query].items() if grade > 0],
                "documents": [texts[doc] for doc in LISTS[query][:2]],
            }
            for query in toy.queries
        ]
        evaluator = evaluation.CrossEncoderRerankingEvaluator(
            samples, always_rerank_positives=always, write_csv=False, name="x"
        )
        evaluator.store_metrics_in_model_card_data = lambda *_, **__: None
        theirs = evaluator(Model())["x_ndcg@10"]
        run = {query: {doc: scores[query, doc] for doc in docs} for query, docs in ids(found).items()}
        binary = {query: dict.fromkeys(grades, 1) for query, grades in toy.qrels.items()}
        (ours,) = per_query(run, binary, ["nDCG(ideal='candidates')@10"]).values()
        assert np.mean(list(ours.values())) == pytest.approx(theirs, abs=1e-12)
