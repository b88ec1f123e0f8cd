"""Collections of the hub from their layouts to cells: tiny stand-ins of their numbers, languages and exclusions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from checkpoints import make
from hub_sets import made_up, write_examples, write_set
from rerankbench.eval.data import load
from rerankbench.eval.data.catalog import NamedDataset, entries
from rerankbench.eval.experiment.file import load_experiment
from rerankbench.eval.results import load_cells
from rerankbench.eval.runner.run import run_experiment

pytest.importorskip("datasets")
DOCUMENTS, QUERIES, K = 30, 4, 3
PARTS = made_up(DOCUMENTS, QUERIES)
NAMES = (
    *("bright/aops", "beir-clean/arguana", "beir-clean/scidocs", "miracl-hard-negatives/ko", "mteb-eng-v2/fiqa"),
    *("coir/codesearchnet/ruby", "coreb/code-to-code", "limit/small", "freshstack/all", "r2med/medqa-diag"),
    "nanobeir-mt/no/nq",
)


def put(folder: Path, name: str) -> Path:
    """A repository in the collection's layout."""
    parts: dict[str, list[dict[str, Any]]] = dict(PARTS)
    if name.startswith("bright/"):
        documents = [{"id": row["_id"], "content": row["text"]} for row in parts["corpus"]]
        gold = {row["query-id"]: row["corpus-id"] for row in parts["qrels"]}
        left_out = {row["_id"]: [f"d{i}" for i in range(DOCUMENTS) if f"d{i}" not in (gold[row["_id"]], "d28", "d29")]
                    for row in parts["queries"]}  # fmt: skip
        examples = [
            {"id": q["_id"], "query": q["text"], "gold_ids": [gold[q["_id"]]], "excluded_ids": left_out[q["_id"]]}
            for q in parts["queries"]
        ]
        return write_examples(folder, {"aops": (documents, examples)})
    if name == "beir-clean/arguana":  # queries are documents
        parts["queries"] = [row | {"_id": f"d{i}"} for i, row in enumerate(parts["queries"])]
        parts["qrels"] = [row | {"query-id": f"d{i}", "corpus-id": "d20"} for i, row in enumerate(parts["qrels"])]
    if name == "beir-clean/scidocs":
        parts["qrels"] = [*parts["qrels"][:-1], parts["qrels"][-1] | {"score": 0}]
    if name == "miracl-hard-negatives/ko":
        parts["corpus"] = [row | {"text": f"강은 무엇인가 {row['text']}"} for row in parts["corpus"]]
    if name == "r2med/medqa-diag":
        parts["query"] = parts.pop("queries")
        parts["qrels"] = [{"q_id": r["query-id"], "p_id": r["corpus-id"], "score": 1} for r in parts["qrels"]]
    if name == "limit/small":
        parts["corpus"] = [row | {"_id": row["_id"].replace("d", "d ")} for row in parts["corpus"]]
        parts["qrels"] = [row | {"corpus-id": row["corpus-id"].replace("d", "d ")} for row in parts["qrels"]]
    if (hub := entries()[name].hub) is not None and hub.config:
        parts = {f"{hub.config}-{part}": rows for part, rows in parts.items()}
    return write_set(folder, entries()[name].policy.split, parts)


def stand_in(folder: Path, name: str) -> NamedDataset:
    entry = entries()[name]
    assert entry.hub is not None
    hub = replace(entry.hub, repo=str(put(folder, name)), revision=None)
    judged = QUERIES - 1 if hub.relevant_only else QUERIES
    return replace(entry, hub=hub, policy=replace(entry.policy, n_docs=DOCUMENTS, n_queries=judged))


def test_collections_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "hf")
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))
    small = {name: stand_in(tmp_path / name, name) for name in NAMES}
    monkeypatch.setattr(load, "entries", lambda: small)
    make(tmp_path / "tiny", "bert", num_hidden_layers=2)
    changes = [f"datasets=[{', '.join(NAMES)}]", f"first_stage.k={K}", f"rerankers=[{{model: {tmp_path / 'tiny'}}}]"]
    run_experiment(load_experiment("nanobeir", changes), tmp_path / "out")
    cells = load_cells([tmp_path / "out"])
    assert sorted({cell.manifest.dataset for cell in cells}) == sorted(NAMES)
    assert len(cells) == 2 * len(NAMES)
    for cell in cells:
        name, run = cell.manifest.dataset, cell.run()
        assert len(run) == small[name].policy.n_queries
        if name == "bright/aops":  # all but the relevant one and two more are excluded; the place of none is lost
            gold = {row["query-id"]: row["corpus-id"] for row in PARTS["qrels"]}
            assert all(set(docs) <= {gold[query], "d28", "d29"} for query, docs in run.items())
            assert all(gold[query] in docs for query, docs in run.items())
        if name == "limit/small":
            assert all(doc.startswith("d_") for docs in run.values() for doc in docs)
        if name == "beir-clean/arguana":
            assert all(query not in docs and len(docs) == K for query, docs in run.items())
