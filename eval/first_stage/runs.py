"""Run files: what a system returned for every query."""

from __future__ import annotations

import gzip
import io
import json
import math
import re
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ...rerankers.errors import InputError
from ...rerankers.storage.atomic import replacing
from ...rerankers.validate import first_repeated
from ..data.lines import check_id, read_lines, read_text
from .compact import CompactRun, Documents, Lazy

_MOST = float(np.finfo(np.float32).max)

Run = Mapping[str, Mapping[str, float]]


def trec_order(scores: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return (document id, score) by score descending, ties by id descending: trec_eval's order.

    Scores are compared and returned as float32, as in trec_eval.
    """
    single = [(doc, float(np.float32(score))) for doc, score in scores.items()]
    return sorted(single, key=lambda pair: (pair[1], pair[0]), reverse=True)


def read_run(path: Path) -> Run:
    """Read query id -> document id -> score, plain or gz.

    Read are TREC's six columns (query, Q0, document, rank, score, tag; the rank is not used) and JSON dictionaries
    query -> document -> score: bare as BEIR's retrievers return them, under `search_results` as FlagEmbedding's
    evaluation saves them, or under subset and split as mteb's `*_predictions.json` has them, if there is one of each.
    A TREC run stays compact: a query's dictionary is made when it is needed.
    Raises InputError, naming the line or the query, for another shape, a document that comes twice for a query, and
    a score that is no finite number; and for an empty file. Scores beyond
    float32 become its largest or least.
    """
    _, first = next(read_lines(path), (0, ""))
    run = _read_json_run(path) if _is_json(first) else _read_trec(path)
    if not run:
        raise InputError(f"{path}: has no result; give a run file with one line per document")
    return run


@contextmanager
def run_writer(path: Path, tag: str) -> Iterator[Callable[[str, Mapping[str, float]], None]]:
    """Yield the lines of each query: TREC's six columns, documents in TREC order, scores as the shortest float32 text.

    The file is gz, and whole or absent. The same queries in the same order give the same bytes.
    """
    with (
        replacing(path) as raw,
        gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as lines,
    ):

        def write(query: str, scores: Mapping[str, float]) -> None:
            for rank, (doc, score) in enumerate(trec_order(scores), 1):
                lines.write(f"{query} Q0 {doc} {rank} {np.float32(score)!s} {tag}\n")

        yield write


def _is_json(first: str) -> bool:
    """Return whether a first line begins JSON; ids in braces or brackets begin TREC's six columns."""
    cells = first.split()
    if not first.lstrip().startswith(("{", "[")):
        return False
    return len(cells) != 6 or not re.fullmatch(r"[+-]?[0-9.eE+-]+|[+-]?inf|nan", cells[4])


def _read_trec(path: Path) -> Run:
    numbers: dict[str, int] = {}  # query -> its number
    docs, scores, queries = Documents(), array("d"), array("i")
    for number, line in read_lines(path):
        cells = line.split()
        if len(cells) != 6:
            raise InputError(
                f"{path}, line {number}: {len(cells)} columns; a TREC run has 6 (query, Q0, document, rank, score, tag)"
            )
        query, _, doc, _, text, _ = cells
        if "\0" in line:
            check_id(query, f"{path}, line {number}", "query")
            check_id(doc, f"{path}, line {number}", "document")
        try:
            score = float(text)
        except ValueError as err:
            raise InputError(f"{path}, line {number}: score '{text}' is not a number") from err
        if not math.isfinite(score):
            raise InputError(f"{path}, line {number}: score '{text}' is not a finite number")
        docs.append(doc)
        scores.append(_to_float32(score))
        queries.append(numbers.setdefault(query, len(numbers)))
    of_row = np.frombuffer(queries, dtype=np.int32)
    column, values = docs.chunked(), np.frombuffer(scores, dtype=np.float64)
    if (of_row[1:] < of_row[:-1]).any():  # a query's lines are not together
        order = np.argsort(of_row, kind="stable")
        column, values, of_row = column.take(pa.array(order)), values[order], of_row[order]
    starts = np.searchsorted(of_row, np.arange(len(numbers), dtype=np.int32))
    run = CompactRun(dict(zip(numbers, starts.tolist())), column, values)
    for query, ranking in run.items():
        if len({doc for doc, _ in ranking}) < len(ranking):
            _refuse_repeated(path, query)
    return Lazy(run)


def _refuse_repeated(path: Path, query: str) -> None:
    """Raise InputError for the line that has a document of the query for the second time."""
    seen: set[str] = set()
    for number, line in read_lines(path):
        cells = line.split()
        if cells[0] == query and cells[2] in seen:
            raise InputError(f"{path}, line {number}: document '{cells[2]}' comes twice for query '{query}'")
        if cells[0] == query:
            seen.add(cells[2])


def _read_json_run(path: Path) -> Run:
    try:
        raw = json.loads(read_text(path), object_pairs_hook=lambda pairs: _refuse_repeated_keys(pairs, path))
    except RecursionError as err:
        raise InputError(f"{path}: nested too deep; expected a dictionary query -> document -> score") from err
    except json.JSONDecodeError as err:
        raise InputError(f"{path}, line {err.lineno}: not valid JSON ({err.msg}); was the file cut off?") from err
    except ValueError as err:
        if isinstance(err, InputError):
            raise
        raise InputError(f"{path}: a number has too many digits ({err})") from err
    if not isinstance(raw, dict):
        raise InputError(f"{path}: expected a dictionary query -> document -> score, found {type(raw).__name__}")
    run = _unwrap(raw, path)
    return {query: _check_scores(check_id(query, str(path), "query"), scores, path) for query, scores in run.items()}


def _check_scores(query: str, scores: Any, path: Path) -> dict[str, float]:
    if not isinstance(scores, dict):
        raise InputError(f"{path}: query '{query}': expected a dictionary document -> score")
    where = f"{path}: query '{query}'"
    by_doc: dict[str, float] = {}
    for doc, score in scores.items():
        check_id(doc, where, "document")
        number = isinstance(score, (int, float)) and not isinstance(score, bool)
        if not number or (isinstance(score, float) and not math.isfinite(score)):
            raise InputError(f"{where}, document '{doc}': score {score!r:.60} is not a finite number")
        by_doc[doc] = _to_float32(score)
    return by_doc


def _to_float32(score: float) -> float:
    """Return a score within float32, as in trec_eval: a sentinel such as -1.8e308 becomes its least."""
    return float(min(max(score, -_MOST), _MOST))


def _unwrap(raw: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the run inside FlagEmbedding's or mteb's wrapping."""
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
            raise InputError(f"{path}: has {len(runs)} runs ({', '.join(sorted(runs))}); leave one in a file")
        return next(iter(runs.values()), {})
    return raw


def _refuse_repeated_keys(pairs: list[tuple[str, Any]], path: Path) -> dict[str, Any]:
    if (twice := first_repeated(pairs)) is not None:
        raise InputError(f"{path}: '{twice}' comes twice in one dictionary; ids must be unique")
    return dict(pairs)
