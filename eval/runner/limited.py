"""A dataset cut down to its first queries, for trying an experiment out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from ..data import Dataset, Policy


class LimitedDataset:
    """The first queries of a dataset and their judgements; the corpus stays whole."""

    def __init__(self, whole: Dataset, limit: int) -> None:
        self._whole = whole
        self.name: str = whole.name
        self.policy: Policy = whole.policy
        self.checksum: str = whole.checksum
        self.warnings: list[str] = whole.warnings
        self.queries: dict[str, str] = dict(islice(whole.queries.items(), limit))
        self.qrels: dict[str, dict[str, int]] = {query: whole.qrels[query] for query in self.queries}

    def texts(self, doc_ids: Sequence[str]) -> list[str]:
        """As the whole dataset."""
        return self._whole.texts(doc_ids)

    def missing(self, doc_ids: Sequence[str]) -> list[str]:
        """As the whole dataset."""
        return self._whole.missing(doc_ids)

    def corpus(self) -> Iterator[tuple[str, str]]:
        """As the whole dataset."""
        return self._whole.corpus()

    def __len__(self) -> int:
        return len(self._whole)
