"""Collections on the Hugging Face hub, as `datasets` reads them: fetched once, kept as a folder in BEIR layout."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ...rerankers.errors import InputError, one_line
from .delimited import write_rows

_QRELS = ("default", "qrels")  # what mteb calls the configuration with the qrels
_QUERIES = ("queries", "query")  # mteb's, R2MED's
_NOTHING = "N/A"  # in place of no document

HubLayout = Literal["parts", "examples"]


class Parts(NamedTuple):
    """What a folder is written from. `excluded`: (query, document) of documents that are no candidates of a query."""

    corpus: Iterable[dict[str, str]]
    queries: Iterable[dict[str, str]]
    qrels: Iterable[tuple[str, str, int]]
    excluded: Iterable[tuple[str, str]] = ()


@dataclass(frozen=True)
class HubSource:
    """A repository of data sets.

    Attributes:
        repo: its id.
        revision: the commit; None takes the newest, which then has no name.
        config: which one, in repositories with several collections: `ar` of `ar-corpus`; with `examples`, the split.
        layout: `parts` has a configuration each for corpus, queries and qrels, as mteb's have; `examples` has
            `documents`, and `examples` whose rows are queries with the ids of their relevant and excluded documents.
        relevant_only: rows of grade 0 are left out, and so the queries that have no other.
    """

    repo: str
    revision: str | None = None
    config: str | None = None
    layout: HubLayout = "parts"
    relevant_only: bool = False

    @property
    def folder(self) -> str:
        """What its folder is called below the cache."""
        parts = (self.repo.replace("/", "--"), self.config, (self.revision or "newest")[:12])
        return "-".join(part for part in parts if part)


def fetch_from_hub(source: HubSource, split: str, target: Path) -> None:
    """Write corpus, queries and qrels of a split into the folder `target`, which is whole or absent.

    Offline (HF_HUB_OFFLINE) works once the files are in the hub's cache. Raises InputError, one line.
    """
    try:
        import datasets
    except ImportError as err:
        raise InputError(f'{source.repo}: needs the package datasets: pip install "rerankbench[beir]"') from err
    try:
        parts = (_load_examples if source.layout == "examples" else _load_parts)(datasets, source, split)
    except Exception as err:  # datasets and its file systems raise anything
        raise InputError(
            f"hub repository '{source.repo}': {type(err).__name__}: {one_line(err)}; check the name "
            "and the network, or fetch it where there is one (HF_HOME sets where to)"
        ) from err
    if source.relevant_only:
        parts = parts._replace(qrels=(row for row in parts.qrels if row[2] > 0))
    write_folder(target, split, parts)


def _load_parts(datasets: Any, source: HubSource, split: str) -> Parts:
    prefix = f"{source.config}-" if source.config else ""
    names = datasets.get_dataset_config_names(source.repo, revision=source.revision)
    judged = f"{prefix}qrels" if prefix else next((name for name in _QRELS if name in names), _QRELS[-1])
    queries_name = next((name for part in _QUERIES if (name := prefix + part) in names), f"{prefix}{_QUERIES[0]}")
    corpus, queries, qrels = (
        _load(datasets, source, name, split) for name in (f"{prefix}corpus", queries_name, judged)
    )
    return Parts(_read_texts(corpus), _read_texts(queries), _read_qrels(qrels))


def _load(datasets: Any, source: HubSource, name: str, split: str) -> Any:
    """Load the rows of a configuration; where it has one split only, that one, whatever it is called (as mteb does)."""
    splits = datasets.get_dataset_split_names(source.repo, name, revision=source.revision)
    chosen = split if split in splits or len(splits) != 1 else splits[0]
    return datasets.load_dataset(source.repo, name, split=chosen, revision=source.revision)


def _load_examples(datasets: Any, source: HubSource, split: str) -> Parts:
    documents, examples = (
        datasets.load_dataset(source.repo, name, split=source.config or split, revision=source.revision)
        for name in ("documents", "examples")
    )
    named = [(replace_blanks(row["id"]), row) for row in examples]
    return Parts(
        corpus=({"_id": replace_blanks(row["id"]), "text": row["content"] or ""} for row in documents),
        queries=({"_id": query, "text": row["query"]} for query, row in named),
        qrels=((query, replace_blanks(doc), 1) for query, row in named for doc in row["gold_ids"]),
        excluded=((q, replace_blanks(doc)) for q, row in named for doc in row["excluded_ids"] if doc != _NOTHING),
    )


def replace_blanks(name: Any) -> str:
    """Replace blanks in ids by `_`, since run files are separated by them; a repeated id is refused later."""
    return str(name).replace(" ", "_")


def _read_texts(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, str]]:
    for row in rows:
        record = {"_id": replace_blanks(row["_id"] if "_id" in row else row["id"]), "text": row["text"] or ""}
        yield record | ({"title": row["title"]} if row.get("title") else {})


def _read_qrels(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[str, str, int]]:
    """Yield rows of qrels. NanoBEIR's have no grade: all are 1. R2MED's call the ids `q_id` and `p_id`."""
    for row in rows:
        query, doc = (
            row[name if name in row else other] for name, other in (("query-id", "q_id"), ("corpus-id", "p_id"))
        )
        yield replace_blanks(query), replace_blanks(doc), int(row.get("score", 1))


def fetch_by_beir(archive: str, split: str, target: Path) -> None:
    """Fetch a BEIR set by beir's own loader of its publisher's hub repository. Raises InputError, one line."""
    try:
        from beir.datasets.data_loader_hf import HFDataLoader
    except ImportError as err:
        raise InputError('beir is not installed: pip install "rerankbench[beir]" adds it as a source') from err
    try:
        loaded: Any = HFDataLoader(hf_repo=f"BeIR/{archive}").load(split)
    except Exception as err:
        raise InputError(f"beir, BeIR/{archive}: {type(err).__name__}: {one_line(err)}") from err
    corpus, queries, qrels = loaded
    judged = ((query, doc, int(grade)) for query, grades in qrels.items() for doc, grade in grades.items())
    write_folder(target, split, Parts(_read_texts(corpus), _read_texts(queries), judged))


def write_folder(target: Path, split: str, parts: Parts) -> None:
    """Write a folder in BEIR layout; whole or absent."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        for name, rows in (("corpus", parts.corpus), ("queries", parts.queries)):
            with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        _write_table(folder / "qrels" / f"{split}.tsv", ("query-id", "corpus-id", "score"), parts.qrels)
        if excluded := list(parts.excluded):
            _write_table(folder / "excluded" / f"{split}.tsv", ("query-id", "corpus-id"), excluded)
        folder.replace(target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _write_table(path: Path, head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    path.parent.mkdir()
    with path.open("w", encoding="utf-8", newline="") as file:
        write_rows(file, [head])
        write_rows(file, rows)
