"""`rerankbench import-data`: tables of your own become a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_PARTS = "PART=COLUMN,…"


def import_data(
    out: Annotated[Path, typer.Argument(help="The folder to write, in BEIR's layout.")],
    corpus: Annotated[Path, typer.Option(help="CSV, TSV, JSON lines, Parquet, or a folder that `datasets` saved.")],
    queries: Annotated[Path, typer.Option(help="The same.")],
    qrels: Annotated[Path, typer.Option(help="The same: a row per judged pair.")],
    corpus_columns: Annotated[
        str, typer.Option(metavar=_PARTS, help="id, text and title, as in id=docno,text=body; numbers: no header.")
    ] = "",
    queries_columns: Annotated[str, typer.Option(metavar=_PARTS, help="id and text.")] = "",
    qrels_columns: Annotated[str, typer.Option(metavar=_PARTS, help="query, doc and grade.")] = "",
    split: Annotated[str, typer.Option(help="Split; the qrels are written to qrels/SPLIT.tsv.")] = "test",
    language: Annotated[str, typer.Option(help="Language, for BM25: ISO 639 code or English name.")] = "en",
    task: Annotated[str, typer.Option(help="Task of the dataset; see `rerankbench ls tasks`.")] = "answer",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a dataset that is there.")] = False,
) -> None:
    """Write a checked dataset folder from tables with named columns. Columns with usual names need not be told.

    Example: `rerankbench import-data shop --corpus goods.csv --queries asked.csv --qrels judged.csv`
    """
    from ..data.importing import import_data as write

    tables = {"corpus": corpus, "queries": queries, "qrels": qrels}
    given_columns = {"corpus": corpus_columns, "queries": queries_columns, "qrels": qrels_columns}
    columns = {kind: read_columns(kind, text) for kind, text in given_columns.items()}
    policy = {k: v for k, v, default in (("language", language, "en"), ("task", task, "answer")) if v != default}
    done = write(out, tables, columns, split=split, policy=policy, overwrite=overwrite)
    for warning in done.warnings:
        print(f"warning: {warning}")
    print(f"{done.folder}: {done.documents:,} documents, {done.queries:,} queries, {done.judgements:,} judgements")


def read_columns(kind: str, text: str) -> dict[str, str]:
    """Parts and their columns, `id=docno,text=body`. Raises InputError for a part without a column."""
    from ...rerankers.errors import InputError

    pairs = [word.partition("=") for word in text.split(",") if word]
    if bad := next((word for word, equals, column in pairs if not (equals and column)), None):
        raise InputError(f"--{kind}-columns: '{bad}' names no column; write it as id=docno,text=body")
    return {part.strip(): column.strip() for part, _, column in pairs}
