"""Queries and judgements from files."""

from __future__ import annotations

import re
from pathlib import Path

from ...rerankers.errors import InputError
from .lines import parse_record, read_lines

_WHOLE = re.compile(r"[+-]?\d+")
_HEADER = re.compile(r"(query|topic)?[-_ ]?(id)?|qid", re.IGNORECASE)


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Query id -> document id -> grade, from TREC's four columns or from three (BEIR's TSV), plain or gz.

    A first line that names its columns (`query-id ...`) is a header. Grades are whole numbers; negative ones are
    kept (TREC judges write them for "worse than not relevant"). The same judgement twice is taken once.
    Raises InputError, naming the line, for another number of columns, a grade that is not a whole number and two
    grades of one pair; and for an empty file.
    """
    qrels: dict[str, dict[str, int]] = {}
    columns = 0
    for number, line in read_lines(path):
        cells = line.split()
        if not columns:
            columns = len(cells)
            if columns not in (3, 4):
                raise InputError(
                    f"{path}, line {number}: {columns} columns; qrels have 3 (query, document, grade) or "
                    "4 (query, 0, document, grade)"
                )
            if _HEADER.fullmatch(cells[0]) and not _WHOLE.fullmatch(cells[-1]):
                continue
        if len(cells) != columns:
            raise InputError(f"{path}, line {number}: {len(cells)} columns, the first line has {columns}")
        query, doc, grade = cells[0], cells[-2], cells[-1]
        if not _WHOLE.fullmatch(grade):
            raise InputError(f"{path}, line {number}: grade '{grade}' is not a whole number")
        known = qrels.setdefault(query, {}).setdefault(doc, int(grade))
        if known != int(grade):
            raise InputError(f"{path}, line {number}: query {query}, document {doc} is judged {known} and {int(grade)}")
    if not qrels:
        raise InputError(f"{path}: holds no judgement")
    return qrels


def read_queries(path: Path) -> dict[str, str]:
    """Query id -> text from a BEIR `queries.jsonl`, in the order of the file.

    Raises InputError, naming the line, for a bad record, a query without text and an id that comes twice.
    """
    queries: dict[str, str] = {}
    for number, line in read_lines(path):
        record = parse_record(line, path, number)
        if record["_id"] in queries:
            raise InputError(f"{path}, line {number}: query '{record['_id']}' comes twice; ids must be unique")
        queries[record["_id"]] = record["text"].strip()
    if not queries:
        raise InputError(f"{path}: holds no query")
    return queries
