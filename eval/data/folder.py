"""Datasets in BEIR layout: `corpus.jsonl`, `queries.jsonl`, `qrels/<split>.tsv`, and if wanted `policy.yaml` and
`excluded/<split>.tsv`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...rerankers.errors import InputError
from .dataset import Policy
from .jsonl_index import JsonlIndex
from .judged import check_excluded, checksum, judged_documents, judged_queries, warn_missing
from .qrels import read_excluded, read_qrels, read_queries


class FolderDataset:
    """A dataset in a folder. The whole corpus file enters the checksum, by its bytes."""

    def __init__(self, name: str, folder: Path, policy: Policy, cache: Path) -> None:
        """Read queries and qrels, open the corpus.

        Odd but allowed, with a warning that counts them: queries without qrels (not scored), judged documents
        that are not in the corpus (they stay in the ideal ranking), documents without text (scored as they are).
        Raises InputError for anything that cannot be read; the readers of the three files state what that is.
        """
        self.name, self.policy, self.warnings = name, policy, []
        self.qrels = read_qrels(_qrels_file(folder, policy.split))
        queries = read_queries(folder / "queries.jsonl")
        self.queries = judged_queries(str(folder), queries, self.qrels, self.warnings)
        file = folder / "excluded" / f"{policy.split}.tsv"
        self.excluded = read_excluded(file) if file.is_file() else {}
        check_excluded(str(file), self.excluded, queries, self.qrels)
        self._corpus = JsonlIndex(folder / "corpus.jsonl", cache)
        warn_missing(str(folder), self.missing(judged_documents(self.qrels)), self.qrels, self.warnings)
        if self._corpus.empty:
            self.warnings.append(f"{self._corpus.empty} documents have neither title nor text")
        self.checksum = checksum(self.queries, self.qrels, self._corpus.sha256, self.excluded)

    def __len__(self) -> int:
        return len(self._corpus)

    def texts(self, doc_ids: Sequence[str]) -> list[str]:
        """Return passages in the order of `doc_ids`. Raises InputError for an unknown id."""
        try:
            return [self._passage(record) for record in self._corpus.get(doc_ids)]
        except KeyError as err:
            raise InputError(f"{self.name}: document '{err.args[0]}' is not in the corpus") from err

    def missing(self, doc_ids: Sequence[str]) -> list[str]:
        """Return those of `doc_ids` that are not in the corpus."""
        return self._corpus.missing(doc_ids)

    def corpus(self) -> Iterator[tuple[str, str]]:
        """Yield (id, passage) of all documents, read as they are needed."""
        for record in self._corpus:
            yield str(record["_id"]), self._passage(record)

    def _passage(self, record: dict[str, Any]) -> str:
        return self.policy.passage(record.get("title") or "", record["text"])


def _qrels_file(folder: Path, split: str) -> Path:
    file = folder / "qrels" / f"{split}.tsv"
    if not file.is_file():
        splits = ", ".join(sorted(p.stem for p in (folder / "qrels").glob("*.tsv"))) or "none"
        raise InputError(f"{file}: no such file; splits there: {splits}")
    return file
