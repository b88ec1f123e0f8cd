"""Queries and qrels from files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ...rerankers.errors import InputError
from .delimited import is_quoted, parse_grade, unquote
from .lines import check_id, parse_record, read_lines

_SMALL = 10  # a grade that people give is no larger
_ITERATION = ("0", "Q0")  # what TREC's second column has, and the last one of ir_datasets' export
_LARGEST = 10_000  # trec_eval counts the documents of every grade up to the largest
_HEADS = {
    "query": {"query", "queryid", "qid", "topic", "topicid"},
    "doc": {"corpusid", "doc", "docid", "docno", "document", "documentid", "did", "pid", "passageid"},
    "grade": {"score", "relevance", "rel", "grade", "label", "judgment", "judgement"},
    "": {"iteration", "iter", "0", "q0", "split"},
}

Columns = tuple[int, int, int]  # places of query, document and grade


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Read query id -> document id -> grade, from TREC's four columns or from three (BEIR's TSV), plain or gz.

    A first line that names its columns is obeyed, in any order. Without one, three are query, document, grade, and
    four are TREC's (query, iteration, document, grade) or, where nothing else can be meant, those of ir_datasets'
    export (query, document, grade, iteration). Columns are separated by tabs where there are any, else by blanks.
    Cells between tabs may be quoted (see `delimited`). Grades are whole numbers, also written as 1.0; negative ones are
    kept (TREC judges write them for "worse than not relevant"). The same judgement twice is taken once. Raises
    InputError, naming the line, for another number of columns, a grade that is no whole number or beyond 10,000, and
    two grades of one pair; and for an empty file, and four columns whose meaning is unclear.
    """
    rows = _read_rows(path)
    if not rows:
        raise InputError(f"{path}: has no qrels")
    columns = _find_named_columns(rows[0][1], path)
    if columns:
        rows = rows[1:]
    columns = columns or _guess_columns([cells for _, cells in rows], path)
    qrels: dict[str, dict[str, int]] = {}
    for number, cells in rows:
        where = f"{path}, line {number}"
        query, doc, grade = (cells[column] for column in columns)
        check_id(query, where, "query")
        check_id(doc, where, "document")
        number = parse_grade(grade)
        if number is None and not grade.lstrip("+-").isdecimal():
            raise InputError(f"{where}: grade '{grade:.40}' is not a whole number")
        if number is None or abs(number) > _LARGEST:
            raise InputError(f"{where}: grade {grade:.40} is beyond {_LARGEST:,}; is it an id in another column?")
        known = qrels.setdefault(query, {}).setdefault(doc, number)
        if known != number:
            raise InputError(f"{where}: query {query}, document {doc} is judged {known} and {number}")
    if not qrels:
        raise InputError(f"{path}: has no qrels")
    return qrels


def read_excluded(path: Path) -> dict[str, frozenset[str]]:
    """Read query id -> documents that are no candidates of it, from two columns that a first line may name.

    Raises InputError, naming the line, for another number of columns.
    """
    excluded: dict[str, set[str]] = {}
    rows = [(number, line.split()) for number, line in read_lines(path)]
    quoted = is_quoted(cells for _, cells in rows)
    for number, row in rows:
        cells, where = [unquote(cell) for cell in row] if quoted else row, f"{path}, line {number}"
        if len(cells) != 2:
            raise InputError(f"{where}: {len(cells)} columns; excluded documents have 2, query and document")
        plain = [_plain(cell) for cell in cells]
        if not excluded and plain[0] in _HEADS["query"] and plain[1] in _HEADS["doc"]:
            continue
        excluded.setdefault(check_id(cells[0], where, "query"), set()).add(check_id(cells[1], where, "document"))
    return {query: frozenset(docs) for query, docs in excluded.items()}


def _plain(cell: str) -> str:
    return re.sub("[-_ ]", "", cell).lower()


def _read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return (number, cells) of every line, quotes around cells taken off where the writer quotes."""
    rows = list(_split_lines(path))
    if not is_quoted(cells for _, cells in rows):
        return rows
    return [(number, [unquote(cell) for cell in cells]) for number, cells in rows]


def _split_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    columns, tabs = 0, False
    for number, line in read_lines(path):
        tabs = "\t" in line if not columns else tabs
        cells = [cell.strip() for cell in line.strip().split("\t")] if tabs else line.split()
        if tabs and len(cells) not in (3, 4) and len(line.split()) in (3, 4):
            cells = line.split()  # TREC's columns, tabs among the blanks
        if not columns:
            columns = len(cells)
            if columns not in (3, 4):
                raise InputError(
                    f"{path}, line {number}: {columns} columns; qrels have 3 (query, document, grade) or "
                    "4 (query, 0, document, grade)"
                )
        if len(cells) != columns:
            raise InputError(f"{path}, line {number}: {len(cells)} columns, the first line has {columns}")
        yield number, cells


def _find_named_columns(cells: list[str], path: Path) -> Columns | None:
    """Return the columns that a first line names; None when it names none, which is when it is a judgement."""
    plain = [_plain(cell) for cell in cells]
    indices_of = {part: [i for i, cell in enumerate(plain) if cell in names] for part, names in _HEADS.items() if part}
    if all(len(indices) == 1 for indices in indices_of.values()):
        return indices_of["query"][0], indices_of["doc"][0], indices_of["grade"][0]
    if any(parse_grade(cell) is not None for cell in cells) or not any(indices_of.values()):
        return None
    raise InputError(
        f"{path}: a header of {', '.join(cells)[:80]} does not name which columns are query, document and grade; "
        "write query-id, corpus-id and score"
    )


def _guess_columns(rows: list[list[str]], path: Path) -> Columns:
    """Return the columns in rows without a header: query, document, grade, or TREC's four columns."""
    if not rows or len(rows[0]) == 3:
        return 0, 1, 2
    if all(cells[1] in _ITERATION for cells in rows):
        return 0, 2, 3
    if all(cells[3] in _ITERATION and parse_grade(cells[2]) is not None for cells in rows):
        # ir_datasets' export: with TREC's columns such a file would have no relevant document at all
        return 0, 1, 2
    documents = {cells[2] for cells in rows}
    if all((grade := parse_grade(document)) is not None and abs(grade) <= _SMALL for document in documents):
        raise InputError(
            f"{path}: its four columns are not TREC's (query, 0, document, grade): the documents would be "
            f"{', '.join(sorted(documents)[:4])}; name them in a first line (query-id, corpus-id, score, iteration)"
        )
    return 0, 2, 3


def read_queries(path: Path) -> dict[str, str]:
    """Read query id -> text from a BEIR `queries.jsonl`, in the order of the file.

    Raises InputError, naming the line, for a bad record, a query without text and an id that comes twice.
    """
    queries: dict[str, str] = {}
    for number, line in read_lines(path):
        record = parse_record(line, path, number)
        if record["_id"] in queries:
            raise InputError(f"{path}, line {number}: query '{record['_id']}' comes twice; ids must be unique")
        queries[record["_id"]] = record["text"].strip()
    if not queries:
        raise InputError(f"{path}: has no query")
    return queries
