"""Collections as the hub keeps them: parquet files and a README that says which configuration they are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rerankbench.eval.data.catalog import entries
from rerankbench.eval.first_stage import load_lists


def write_set(repo: Path, split: str, parts: dict[str, list[dict[str, Any]]]) -> Path:
    """A repository with a configuration for each part."""
    configs = []
    for name, rows in parts.items():
        file = repo / name / f"{split}-00000-of-00001.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), file)
        configs += [f"- config_name: {name}", "  data_files:", f"  - split: {split}", f"    path: {name}/{split}-*"]
    (repo / "README.md").write_text("\n".join(["---", "configs:", *configs, "---", ""]))
    return repo


def write_examples(repo: Path, collections: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]]) -> Path:
    """BRIGHT's layout: `documents` and `examples`, each with a split for every collection."""
    configs = []
    for i, part in enumerate(("documents", "examples")):
        configs += [f"- config_name: {part}", "  data_files:"]
        for name, both in collections.items():
            file = repo / part / f"{name}-00000-of-00001.parquet"
            file.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist(both[i]), file)
            configs += [f"  - split: {name}", f"    path: {part}/{name}-*"]
    (repo / "README.md").write_text("\n".join(["---", "configs:", *configs, "---", ""]))
    return repo


def made_up(documents: int, queries: int) -> dict[str, list[dict[str, Any]]]:
    """As many documents and queries as that, of a few words each."""
    words = ["river", "stone", "lamp", "green", "paper", "window", "moon", "quiet"]
    text = lambda i: f"{words[i % 8]} {words[i // 8 % 8]} {words[i // 64 % 8]}"  # noqa: E731
    return {
        "corpus": [{"_id": f"d{i}", "title": "", "text": text(i)} for i in range(documents)],
        "queries": [{"_id": f"q{i}", "text": text(i * 7)} for i in range(queries)],
        "qrels": [{"query-id": f"q{i}", "corpus-id": f"d{i * 7}", "score": 1} for i in range(queries)],
    }


def put_nanobeir(root: Path) -> Iterable[str]:
    """Stand-ins with the published numbers of documents and queries, where `hub_folders` serves them."""
    found = [entry for name, entry in entries().items() if name.startswith("nanobeir/")]
    for entry in found:
        assert entry.hub is not None
        assert entry.policy.n_docs is not None
        assert entry.policy.n_queries is not None
        write_set(root / "datasets" / entry.hub.repo, "train", made_up(entry.policy.n_docs, entry.policy.n_queries))
    return [entry.name for entry in found]


def put_nanobeir_lists(root: Path, name: str, best: int) -> None:
    """Lists of `best` documents each, where the published ones are: the relevant one in every second list only."""
    lists = load_lists(name)
    for dataset, entry in lists.datasets.items():
        queries = made_up(entries()[dataset].policy.n_docs or 0, entry.queries or 0)["qrels"]
        rows = []
        for number, judged in enumerate(queries):
            others = [f"d{(number * 11 + i) % 1000 + 1001}" for i in range(best)]
            found = [judged["corpus-id"], *others[1:]] if number % 2 else others
            rows.append({lists.columns.query: judged["query-id"], lists.columns.passages: found})
        file = root / "datasets" / lists.hub / entry.file
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), file)
