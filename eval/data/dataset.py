"""What a dataset is: its policy, and an interface that never has the corpus in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...rerankers.options import Task


@dataclass(frozen=True)
class Policy:
    """How a dataset is used. Data, read from `configs/datasets/*.yaml` or from a folder's `policy.yaml`.

    Attributes:
        split: of the qrels that are used: `test` or `dev`.
        remove_identical_ids: a document whose id equals the query's is no candidate (dropped before the top-k cut).
        join: how title and text become one passage; without a title the text is alone. The result is stripped.
        task: what a reranker looks for: `answer`, `contradiction`, `same_question` or `same_meaning`. Decoders are
            prompted with their own wording of it.
        group: members of a group count as one row in a macro mean.
        language: ISO 639-1, for the BM25 tokenizer.
        license: as the publisher states it; None where none is stated.
        n_docs, n_queries: published counts (queries: the judged ones of the split); None if unknown.
        download_bytes: size of what is fetched; None if unknown or nothing is.
        archive: datasets that name the same archive are fetched together, their `download_bytes` count once.
    """

    split: str = "test"
    remove_identical_ids: bool = False
    join: str = "{title} {text}"
    task: Task = "answer"
    group: str | None = None
    language: str = "en"
    license: str | None = None
    n_docs: int | None = None
    n_queries: int | None = None
    download_bytes: int | None = None
    archive: str | None = None

    def passage(self, title: str, text: str) -> str:
        """Return one passage from a title and a text."""
        return (self.join.format(title=title, text=text) if title else text).strip()


@dataclass(frozen=True)
class DatasetInfo:
    """One line of `rerankbench ls datasets`; nothing is fetched to make it."""

    name: str
    policy: Policy


class Dataset(Protocol):
    """Queries, qrels and a corpus on disk.

    Attributes:
        name: what experiments and tables call it.
        queries: query id -> text, judged queries only, in the order of the file.
        qrels: query id -> document id -> grade (negative grades are kept).
        excluded: query id -> documents that are no candidates of it (dropped before the top-k cut); empty if there are
            none.
        checksum: SHA-256 over queries, qrels, excluded documents and corpus; what of the corpus enters it is stated
            by each source.
        warnings: what was odd about the data but allowed, one line each.
    """

    name: str
    policy: Policy
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]
    excluded: dict[str, frozenset[str]]
    checksum: str
    warnings: list[str]

    def texts(self, doc_ids: Sequence[str]) -> list[str]:
        """Return passages of some documents, in their order, read from disk. Raises InputError for an unknown id."""
        ...

    def missing(self, doc_ids: Sequence[str]) -> list[str]:
        """Return those of some ids that the corpus does not have."""
        ...

    def corpus(self) -> Iterator[tuple[str, str]]:
        """Yield all documents as (id, passage), one at a time."""
        ...

    def __len__(self) -> int:
        """Return the number of documents."""
        ...
