"""Candidates: what the first stage hands to every reranker; written once, hashed, reused."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...rerankers.errors import InputError
from ...rerankers.storage.atomic import file_sha256, replacing
from ...rerankers.storage.digests import hash_json
from ..data import Dataset
from .compact import CompactRun
from .runs import Run, read_run, run_writer, trec_order


@dataclass(frozen=True)
class Candidates:
    """Top-k documents of every judged query that has any.

    Attributes:
        dataset: name of the dataset.
        k: most candidates of one query.
        run: query id -> (document id, first-stage score) in TREC order: score descending, ties by id descending.
        hash: SHA-256 of the canonical JSON of query ids and their document ids in order; the scores do not enter.
        source: how they were made: `{"retriever": "bm25", "k1": 0.9, ...}` or `{"run": NAME, "sha256": ...}`.
        path: the TREC run (gz) they are kept in.
        warnings: what was odd but allowed, one line each.
    """

    dataset: str
    k: int
    run: Mapping[str, list[tuple[str, float]]]
    hash: str
    source: dict[str, Any]
    path: Path
    warnings: tuple[str, ...] = ()


def kept_candidates(
    dataset: Dataset,
    k: int,
    folder: Path,
    source: dict[str, Any],
    compute: Callable[[], Run],
) -> Candidates:
    """Return candidates of `source` from `folder` if they are there, else from `compute`, then stored there.

    They are reused when the source, k, the dataset's content (checksum), its queries and what of its policy decides
    on candidates are the same and the run file is as it was written; the file's name carries a digest of all that,
    so that different candidates of a dataset live side by side. `compute` gives `depth` documents where it has them:
    the document whose id equals the query's is dropped by the policy, and those that the dataset excludes for the
    query, then the top k are kept.
    Raises InputError when no judged query has a candidate.
    """
    if k < 1:
        raise InputError(f"first_stage.k {k}: must be at least 1")
    made_from = {
        "dataset": dataset.name,
        "checksum": dataset.checksum,
        "queries": hashlib.sha256("\n".join(dataset.queries).encode()).hexdigest(),
        "k": k,
        "remove_identical_ids": dataset.policy.remove_identical_ids,
        "source": source,
    }
    digest = hash_json(made_from)
    stem = f"{re.sub(r'[^A-Za-z0-9_.-]', '-', dataset.name)}-top{k}-{digest[:12]}"
    path, note = folder / f"{stem}.trec.gz", folder / f"{stem}.json"
    if not _is_intact(path, note, made_from):
        _compute(path, dataset, k, source, compute)
        with replacing(note) as file:  # last, so that a run without its note is made again
            content = {"made_from": made_from, "run_sha256": file_sha256(path)}
            file.write(json.dumps(content, indent=1, sort_keys=True).encode())
    stored = read_run(path)
    run = CompactRun.of((query, trec_order(stored[query])) for query in dataset.queries if query in stored)
    none = len(dataset.queries) - len(run)
    return Candidates(
        dataset=dataset.name,
        k=k,
        run=run,
        hash=_hash(run),
        source=source,
        path=path,
        warnings=(f"{none} judged queries have no candidate and count 0",) if none else (),
    )


def refuse_unknown(dataset: Dataset, docs: Iterable[str], where: str) -> None:
    """Raise InputError for documents that the corpus lacks: their run was made from another version of it."""
    unknown = dataset.missing(sorted(set(docs)))
    if unknown:
        raise InputError(
            f"{where}: {len(unknown)} documents are not in the corpus of {dataset.name} (first: "
            f"'{unknown[0]}'); use a run made from this version of it"
        )


def _compute(
    path: Path,
    dataset: Dataset,
    k: int,
    source: dict[str, Any],
    compute: Callable[[], Run],
) -> None:
    run = compute()
    empty = True
    with run_writer(path, _make_tag(source)) as write:
        for query in dataset.queries:
            top = dict(_cut_to_top(query, run.get(query, {}), k, dataset))
            empty = empty and not top
            write(query, top)
        if empty:
            raise InputError(f"{dataset.name}: no judged query has a candidate; do the run and the dataset fit?")


def _make_tag(source: Mapping[str, Any]) -> str:
    """Return the last column of the run: what the candidates were made by."""
    return str(source.get("retriever") or source.get("candidates") or source.get("method") or "imported")


def _hash(run: Mapping[str, list[tuple[str, float]]]) -> str:
    """Return SHA-256 of `[["q1", ["d7", "d3"]], ...]`, piece by piece."""
    digest = hashlib.sha256(b"[")
    for number, query in enumerate(sorted(run)):
        piece = json.dumps([query, [doc for doc, _ in run[query]]], ensure_ascii=False)
        digest.update((", " if number else "").encode() + piece.encode())
    digest.update(b"]")
    return digest.hexdigest()


def depth(dataset: Dataset, k: int) -> int:
    """Return how many documents of a query to retrieve, so that k are left of them after dropping."""
    return k + 1 + max(map(len, dataset.excluded.values()), default=0)


def _cut_to_top(query: str, scores: Mapping[str, float], k: int, dataset: Dataset) -> list[tuple[str, float]]:
    dropped = dataset.excluded.get(query, frozenset()) | ({query} if dataset.policy.remove_identical_ids else set())
    return [pair for pair in trec_order(scores) if pair[0] not in dropped][:k]


def _is_intact(path: Path, note: Path, made_from: dict[str, Any]) -> bool:
    if not (path.is_file() and note.is_file()):
        return False
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
        return content["made_from"] == made_from and content["run_sha256"] == file_sha256(path)
    except (OSError, ValueError, LookupError, TypeError):
        return False
