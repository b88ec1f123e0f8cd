"""Candidates that a publisher fixed: lists on the hub, pinned, as data in `configs/candidates/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ...configs import find, names, read
from ...rerankers.errors import InputError, one_line, suggest
from ...rerankers.storage.atomic import file_sha256
from ...rerankers.validate import Name, validated
from ..data import Dataset
from ..data.hub import replace_blanks
from ..data.rows import open_table
from .candidates import Candidates, kept_candidates, refuse_unknown

Positives = Literal["listed", "added"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Columns(_Record):
    """Names of the columns; `passages` holds a list of ids, best first, or one id in each row."""

    query: str
    passages: str


class ListFile(_Record):
    """The lists of one dataset.

    Attributes:
        file: its path in the repository.
        queries: how many have a list; None if unknown.
        sha256: of the file; None where it is not known from a source.
    """

    file: str
    queries: int | None = Field(default=None, ge=1)
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")


class CandidateLists(_Record):
    """Lists of candidates that a publisher fixed.

    Attributes:
        name: what experiments and tables call them.
        hub, revision: the dataset repository and its commit.
        k: how many of a list the publisher reranks.
        positives: what the publisher's lists have: `listed`, what the first stage returned; `added`, relevant passages
            were put in, whatever it returned.
        datasets: by our names of datasets.
    """

    name: Name
    title: str
    hub: str
    revision: str = Field(pattern="^[0-9a-f]{40}$")
    columns: Columns
    k: int = Field(ge=1)
    positives: Positives = "listed"
    datasets: dict[str, ListFile] = Field(min_length=1)


def list_candidates() -> list[str]:
    """List names of the candidate lists that come with the package, sorted."""
    return names("candidates")


def load_lists(name: str) -> CandidateLists:
    """Load candidate lists by name, or from the path of a YAML file. Raises InputError naming the file and the key."""
    path = find("candidates", name, "first_stage.candidates")
    return validated(CandidateLists, {"name": path.stem, **read(path)}, str(path))


def listed_name(name: str, positives: Positives) -> str:
    """Return what tables call them: lists that relevant passages were put into have another name."""
    return f"{name}-positives-added" if positives == "added" else name


def listed_candidates(
    name: str, dataset: Dataset, k: int, folder: Path, *, positives: Positives = "listed"
) -> Candidates:
    """Return the first k of a publisher's list for each judged query of `dataset`, kept in `folder`.

    `positives="added"` puts the relevant passages that are not among these k in front of them, beyond k; how many
    there are is a warning either way.
    Raises InputError for a dataset without a list, and a file whose revision, number of lists or hash is not what
    the YAML file has, that lacks a judged query, or that has documents which the corpus lacks.
    """
    lists = load_lists(name)
    entry = lists.datasets.get(dataset.name)
    if entry is None:
        near = suggest(dataset.name, lists.datasets)
        raise InputError(f"first_stage.candidates: '{lists.name}' has no list for dataset '{dataset.name}'{near}")
    file = _fetch(lists, entry)
    where = f"candidates '{lists.name}', {entry.file}"
    sha256 = file_sha256(file)
    if entry.sha256 is not None and sha256 != entry.sha256:
        raise InputError(f"{where}: SHA-256 is {sha256}, not {entry.sha256}; delete {file} and run again")
    ranked = _read_lists(file, lists.columns, where)
    _check(ranked, entry, dataset, where)
    top = {query: ranked[query][:k] for query in dataset.queries}
    missing = {query: _find_missing(dataset, query, docs) for query, docs in top.items()}
    if positives == "added":
        top = {query: [*missing[query], *docs] for query, docs in top.items()}
    source = {
        "candidates": lists.name,
        "hub": lists.hub,
        "revision": lists.revision,
        "file": entry.file,
        "sha256": sha256,
        "positives": positives,
        "listed": k,
    }
    longest = max(map(len, top.values()))
    runs = {query: {doc: float(len(docs) - i) for i, doc in enumerate(docs)} for query, docs in top.items()}
    kept = kept_candidates(dataset, max(k, longest), folder, source, lambda: runs)
    return replace(kept, warnings=(*kept.warnings, *_warn(lists, k, positives, missing)))


def _warn(lists: CandidateLists, k: int, positives: Positives, missing: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield who is in the lists, as far as a figure depends on it."""
    count = sum(map(len, missing.values()))
    queries = sum(bool(docs) for docs in missing.values())
    absent = f"{count} relevant passages of {queries} queries are not among the candidates of '{lists.name}'"
    if positives == "added":
        yield f"{absent}; positives: added put them in front, so figures are above those of the lists alone"
    elif count:
        yield f"{absent} and cannot be found; none was put in"
    if lists.positives == "added":
        yield f"'{lists.name}': its publisher put relevant passages in, so figures are above those of a first stage"
    if k != lists.k:
        yield f"'{lists.name}': its publisher reranks the first {lists.k}, k is {k}"


def _fetch(lists: CandidateLists, entry: ListFile) -> Path:
    """Return the file of a list at the pinned commit; HF_HUB_OFFLINE and HF_HOME are honoured."""
    from huggingface_hub import hf_hub_download

    where = f"hub repository '{lists.hub}' at {lists.revision[:12]}, {entry.file}"
    try:
        file = Path(hf_hub_download(lists.hub, entry.file, repo_type="dataset", revision=lists.revision))
    except Exception as err:  # huggingface_hub and its HTTP library raise anything
        raise InputError(
            f"{where}: {type(err).__name__}: {one_line(err)}; check the network, or fetch it where there is one "
            "(HF_HOME sets where to)"
        ) from err
    if lists.revision not in file.parts:
        raise InputError(f"{where}: the hub answered with another revision; delete {file} and run again")
    return file


def _read_lists(file: Path, columns: Columns, where: str) -> dict[str, list[str]]:
    """Return query id -> document ids, best first."""
    table = open_table(file)
    for column in (columns.query, columns.passages):
        if column not in table.columns:
            raise InputError(f"{where}: has no column '{column}'{suggest(column, table.columns)}")
    ranked: dict[str, list[str]] = {}
    whole: set[str] = set()
    for query, passages in table.read((columns.query, columns.passages)):
        key, listed = replace_blanks(query), isinstance(passages, list)
        if key in whole or (listed and key in ranked):
            raise InputError(f"{where}: query '{key}' has two lists")
        if listed:
            whole.add(key)
        ranked.setdefault(key, []).extend(map(replace_blanks, passages if listed else [passages]))
    for query, docs in ranked.items():
        if len(set(docs)) < len(docs):
            raise InputError(f"{where}: a document comes twice for query '{query}'")
    return ranked


def _check(ranked: Mapping[str, list[str]], entry: ListFile, dataset: Dataset, where: str) -> None:
    if entry.queries is not None and len(ranked) != entry.queries:
        raise InputError(f"{where}: {len(ranked)} lists instead of {entry.queries}; it is not what it was")
    absent = [query for query in dataset.queries if not ranked.get(query)]
    if absent:
        raise InputError(f"{where}: {len(absent)} judged queries of {dataset.name} have no list (first: '{absent[0]}')")
    refuse_unknown(dataset, (doc for query in dataset.queries for doc in ranked[query]), where)


def _find_missing(dataset: Dataset, query: str, docs: list[str]) -> list[str]:
    """Return relevant passages of a query that are not among some documents, in the order of the qrels."""
    listed = set(docs)
    return [doc for doc, grade in dataset.qrels[query].items() if grade > 0 and doc not in listed]
