"""Tables of any shape become a checked folder in BEIR's layout."""

from __future__ import annotations

import codecs
import json
import logging
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ...rerankers.errors import InputError, suggest
from ...rerankers.storage.atomic import replacing, temporary_name, write_whole
from ...rerankers.storage.cache import cache_folder
from .catalog import folder_policy
from .delimited import parse_grade, write_rows
from .folder import FolderDataset
from .lines import check_id, encodable
from .qrels import read_qrels
from .rows import Table, open_table

log = logging.getLogger("rerankbench")

# part of a record -> names of columns that are taken for it by default, in plain letters
_GUESSES: dict[str, dict[str, tuple[str, ...]]] = {
    "corpus": {
        "id": ("id", "docid", "docno", "did", "pid", "corpusid", "documentid", "passageid"),
        "text": ("text", "body", "passage", "document", "content", "contents", "abstract"),
        "title": ("title", "headline"),
    },
    "queries": {
        "id": ("id", "queryid", "qid", "topicid", "topic"),
        "text": ("text", "query", "question", "title"),
    },
    "qrels": {
        "query": ("queryid", "qid", "query", "topic", "topicid"),
        "doc": ("corpusid", "docid", "docno", "did", "pid", "doc", "document", "documentid", "passageid"),
        "grade": ("score", "relevance", "rel", "grade", "label", "judgment", "judgement"),
    },
}
_OPTIONAL = {("corpus", "title")}


@dataclass(frozen=True)
class Imported:
    """What was written."""

    folder: Path
    documents: int
    queries: int
    judgements: int
    warnings: tuple[str, ...]


def import_data(
    out: Path,
    tables: Mapping[str, Path],
    columns: Mapping[str, Mapping[str, str]],
    *,
    split: str = "test",
    policy: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> Imported:
    """Write `corpus`, `queries` and `qrels` of `tables` as a dataset folder, opened and checked before it is there.

    Args:
        out: a folder that is not there yet, or empty.
        tables: see `rows.open_table`.
        columns: of each table, part (`id`, `text`, `title`; `query`, `doc`, `grade`) -> column; parts that are left out
            are found by usual names. Numbers from 1 are places, for files without a header.
        split: the name of the qrels.
        policy: more keys of the folder's policy.yaml, such as `language` and `task`.
        overwrite: replaces a dataset that an import wrote; a folder with anything else stays and is refused.

    Raises InputError naming the file and the record: a column that is missing, an id that is none or comes twice, a
    text that is none, a grade that is no whole number.
    """
    _check_place(out, overwrite)
    if not re.fullmatch(r"[\w-]+", split):
        raise InputError(f"--split '{split:.40}': write letters, digits, _ and -")
    if not out.resolve().name:
        raise InputError(f"{out}: give a folder a name")
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = out.with_name(temporary_name(out.name))
    try:
        opened = _open_tables(tables, columns, split)
        _write_records(folder / "corpus.jsonl", *opened["corpus"], allow_empty=True)
        _write_records(folder / "queries.jsonl", *opened["queries"], allow_empty=False)
        _write_qrels(folder / "qrels" / f"{split}.tsv", *opened["qrels"])
        stated = {"split": split, **(policy or {})}
        if stated != {"split": "test"}:
            write_whole(folder / "policy.yaml", yaml.safe_dump(stated, sort_keys=False, allow_unicode=True))
        checked = _open_checked(folder, tables, split)
        old = out.with_name(temporary_name(out.name))
        if overwrite and out.is_dir():
            out.replace(old)
        folder.replace(out)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    judged = sum(map(len, checked.qrels.values()))
    return Imported(out, len(checked), len(checked.queries), judged, tuple(checked.warnings))


def _check_place(out: Path, overwrite: bool) -> None:
    """Raise InputError for a place that is taken; `overwrite` allows a folder with the files of a dataset alone."""
    if not out.is_symlink() and (not out.exists() or (out.is_dir() and not any(out.iterdir()))):
        return
    ours = {"corpus.jsonl", "queries.jsonl", "qrels", "policy.yaml"}
    if out.is_symlink() or not out.is_dir() or {path.name for path in out.iterdir()} - ours:
        raise InputError(f"{out}: exists already and is no imported dataset alone; choose another folder")
    if not overwrite:
        raise InputError(f"{out}: exists already; choose another folder, or replace it with --overwrite")


def _open_tables(
    tables: Mapping[str, Path], columns: Mapping[str, Mapping[str, str]], split: str
) -> dict[str, tuple[Table, dict[str, str]]]:
    """Return each table with its columns. Raises InputError with the faults of all of them."""
    opened: dict[str, tuple[Table, dict[str, str]]] = {}
    faults = []
    for kind in ("corpus", "queries", "qrels"):
        try:
            opened[kind] = _open_table(kind, tables, columns, split)
        except InputError as err:
            faults.append(str(err))
    if faults:
        raise InputError("; ".join(faults))
    return opened


def _open_checked(folder: Path, tables: Mapping[str, Path], split: str) -> FolderDataset:
    """Return the folder as a run would open it; its index is not stored."""
    cache = cache_folder() / "importing" / folder.name
    try:
        return FolderDataset("imported", folder, folder_policy(folder), cache)
    except InputError as err:
        message = str(err).replace(f"{folder / 'qrels' / split}.tsv", str(tables["qrels"]))
        for kind in ("corpus", "queries"):
            message = message.replace(f"{folder / kind}.jsonl", str(tables[kind]))
        raise InputError(
            message.replace(f"{folder}: ", f"{tables['qrels']}: ").replace(str(folder), "imported")
        ) from err
    finally:
        shutil.rmtree(cache, ignore_errors=True)


def _open_table(
    kind: str, tables: Mapping[str, Path], columns: Mapping[str, Mapping[str, str]], split: str
) -> tuple[Table, dict[str, str]]:
    """Return a table, and which column holds which part."""
    named, parts = columns.get(kind, {}), _GUESSES[kind]
    for part in named:
        if part not in parts:
            raise InputError(f"--{kind}-columns {part}={named[part]}: no such part{suggest(part, parts)}")
    numbered = bool(named) and all(re.fullmatch(r"[1-9][0-9]?", column) for column in named.values())
    table = open_table(tables[kind], numbered=numbered, split=split)
    chosen: dict[str, str] = {}
    absent = []
    for part, names in parts.items():
        candidates = [named[part]] if part in named else _guess(table, names) if not numbered else []
        if len(candidates) == 1 and candidates[0] in table.columns:
            chosen[part] = candidates[0]
        elif part in named or (kind, part) not in _OPTIONAL:
            absent.append(part)
    if absent:
        there = ", ".join(table.columns)[:200]
        asked = " and which the ".join(absent)
        give = ",".join(f"{part}=NAME" for part in absent)
        ask = f"which column is the {asked}? Give --{kind}-columns {give}"
        raise InputError(f"{table.path}: {ask}; it has {there}")
    return table, chosen


def _guess(table: Table, names: tuple[str, ...]) -> list[str]:
    """Return the column with the most usual of some names."""
    plain = {column: re.sub(r"[^a-z]", "", column.lower()) for column in table.columns}
    return next(([c for c, p in plain.items() if p == name] for name in names if name in plain.values()), [])


def _write_records(path: Path, table: Table, columns: dict[str, str], *, allow_empty: bool) -> None:
    """Write `corpus.jsonl` or `queries.jsonl`."""
    seen: set[str] = set()
    with replacing(path) as file:
        for where, row in _read_rows(table, columns):
            record: dict[str, str] = {"_id": _read_id(row["id"], where, "id")}
            if record["_id"] in seen:
                raise InputError(f"{where}: id '{record['_id']}' comes twice; ids must be unique")
            seen.add(record["_id"])
            for part in ("title", "text"):
                if part in row:
                    record[part] = _read_text(row[part], where, columns[part], allow_empty or part == "title")
            file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def _write_qrels(path: Path, table: Table, columns: dict[str, str]) -> None:
    def rows() -> Iterator[tuple[str, str, int]]:
        for where, row in _read_rows(table, columns):
            yield (
                _read_id(row["query"], where, "query"),
                _read_id(row["doc"], where, "document"),
                _read_grade(row["grade"], where),
            )

    with replacing(path) as raw:
        file = codecs.getwriter("utf-8")(raw)
        write_rows(file, [("query-id", "corpus-id", "score")])
        write_rows(file, rows())


def _read_rows(table: Table, columns: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    parts = list(columns)
    for index, values in enumerate(table.read([columns[part] for part in parts])):
        yield table.where(index), dict(zip(parts, values))


def _read_id(value: Any, where: str, part: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise InputError(f"{where}: {part} {value!r:.40} is neither a text nor a whole number")
    return check_id(value.strip(), where, part)


def _read_text(value: Any, where: str, column: str, allow_empty: bool) -> str:
    if value is None and allow_empty:
        return ""
    if not isinstance(value, str) or not (value.strip() or allow_empty):
        raise InputError(f"{where}: column '{column}' must be a text, found {value!r:.40}")
    if not encodable(value):
        raise InputError(f"{where}: column '{column}' contains half of a surrogate pair; write valid Unicode")
    return value


def _read_grade(value: Any, where: str) -> int:
    grade = parse_grade(value)
    if grade is None:
        raise InputError(f"{where}: grade {value!r:.40} is not a whole number")
    return grade


def read_judgements(path: Path, columns: Mapping[str, str] | None = None) -> dict[str, dict[str, int]]:
    """Read query id -> document id -> grade from whatever `import_data` takes for qrels, or from TREC's columns.

    `columns` are parts (`query`, `doc`, `grade`) -> column. Raises InputError as `import_data` and `read_qrels` do.
    """
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    if not columns and not path.is_dir() and kind not in ("csv", "jsonl", "ndjson", "parquet"):
        return read_qrels(path)
    table, chosen = _open_table("qrels", {"qrels": path}, {"qrels": columns or {}}, "test")
    qrels: dict[str, dict[str, int]] = {}
    for where, row in _read_rows(table, chosen):
        query, doc = _read_id(row["query"], where, "query"), _read_id(row["doc"], where, "document")
        grade = _read_grade(row["grade"], where)
        if qrels.setdefault(query, {}).setdefault(doc, grade) != grade:
            raise InputError(f"{where}: query {query}, document {doc} is judged {qrels[query][doc]} and {grade}")
    if not qrels:
        raise InputError(f"{path}: has no qrels")
    return qrels
