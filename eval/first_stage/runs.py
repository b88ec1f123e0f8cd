"""Run files: what a system returned for every query."""

from __future__ import annotations

import gzip
import io
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...rerankers.errors import InputError
from ..data.files import replacing
from ..data.lines import read_lines, read_text

Run = dict[str, dict[str, float]]


def trec_order(scores: Mapping[str, float]) -> list[tuple[str, float]]:
    """(document id, score) by score descending, ties by id descending: trec_eval's order.

    Scores are compared and returned as float32, which is what trec_eval keeps.
    """
    single = [(doc, float(np.float32(score))) for doc, score in scores.items()]
    return sorted(single, key=lambda pair: (pair[1], pair[0]), reverse=True)


def read_run(path: Path) -> Run:
    """Query id -> document id -> score, plain or gz.

    Read are TREC's six columns (query, Q0, document, rank, score, tag; the rank is not used) and JSON dictionaries
    query -> document -> score: bare as BEIR's retrievers return them, under `search_results` as FlagEmbedding's
    evaluation saves them, or under subset and split as mteb's `*_predictions.json` has them, if there is one of each.
    Raises InputError, naming the line or the query, for another shape, a document that comes twice for a query, and
    a score that is no finite number; and for an empty file.
    """
    _, first = next(read_lines(path), (0, ""))
    run = _from_json(path) if first.lstrip().startswith(("{", "[")) else _from_trec(path)
    if not run:
        raise InputError(f"{path}: holds no result; give a run file with one line per document")
    return run


def write_run(path: Path, run: Mapping[str, Mapping[str, float]], tag: str) -> None:
    """TREC's six columns, gz, queries as they come, documents in TREC order, scores as the shortest text of float32.

    The same run gives the same bytes. The file is whole or absent.
    """
    with (
        replacing(path) as raw,
        gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as lines,
    ):
        for query, scores in run.items():
            for rank, (doc, score) in enumerate(trec_order(scores), 1):
                lines.write(f"{query} Q0 {doc} {rank} {np.float32(score)!s} {tag}\n")


def _from_trec(path: Path) -> Run:
    run: Run = {}
    for number, line in read_lines(path):
        where = f"{path}, line {number}"
        cells = line.split()
        if len(cells) != 6:
            raise InputError(f"{where}: {len(cells)} columns; a TREC run has 6 (query, Q0, document, rank, score, tag)")
        query, _, doc, _, text, _ = cells
        found = run.setdefault(query, {})
        if doc in found:
            raise InputError(f"{where}: document '{doc}' comes twice for query '{query}'")
        try:
            found[sys.intern(doc)] = float(text)  # documents come back for other queries
        except ValueError as err:
            raise InputError(f"{where}: score '{text}' is not a number") from err
        if not math.isfinite(found[doc]):
            raise InputError(f"{where}: score '{text}' is not a finite number")
    return run


def _from_json(path: Path) -> Run:
    try:
        raw = json.loads(read_text(path), object_pairs_hook=lambda pairs: _unique(pairs, path))
    except json.JSONDecodeError as err:
        raise InputError(f"{path}, line {err.lineno}: not valid JSON ({err.msg}); was the file cut off?") from err
    if not isinstance(raw, dict):
        raise InputError(f"{path}: expected a dictionary query -> document -> score, found {type(raw).__name__}")
    run = _inner(raw, path)
    for query, scores in run.items():
        if not isinstance(scores, dict):
            raise InputError(f"{path}: query '{query}': expected a dictionary document -> score")
        for doc, score in scores.items():
            if isinstance(score, bool) or not isinstance(score, (int, float)) or not math.isfinite(score):
                raise InputError(f"{path}: query '{query}', document '{doc}': score {score!r} is not a finite number")
    return run


def _inner(raw: dict[str, Any], path: Path) -> dict[str, Any]:
    """The run inside FlagEmbedding's or mteb's wrapping."""
    if "search_results" in raw:  # FlagEmbedding: beside eval_name, model_name, reranker_name, split, dataset_name
        return raw["search_results"] if isinstance(raw["search_results"], dict) else {}
    if "mteb_model_meta" in raw:  # mteb: subset -> split -> run
        runs = {
            f"{subset}/{split}": run
            for subset, splits in raw.items()
            if subset != "mteb_model_meta" and isinstance(splits, dict)
            for split, run in splits.items()
        }
        if len(runs) > 1:
            raise InputError(f"{path}: holds {len(runs)} runs ({', '.join(sorted(runs))}); keep one in a file")
        return next(iter(runs.values()), {})
    return raw


def _unique(pairs: list[tuple[str, Any]], path: Path) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise InputError(f"{path}: '{twice}' comes twice in one dictionary; ids must be unique")
    return found
