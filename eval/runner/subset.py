"""A dataset cut down to some of its queries: the first ones to try an experiment out, or a sample to estimate it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ...rerankers.errors import InputError
from ..data import Dataset, Policy


class SubsetDataset:
    """Some queries of a dataset and their qrels, in its order; the corpus stays whole."""

    def __init__(self, whole: Dataset, queries: Collection[str]) -> None:
        self._whole = whole
        self.name: str = whole.name
        self.policy: Policy = whole.policy
        self.checksum: str = whole.checksum
        self.warnings: list[str] = whole.warnings
        self.excluded: dict[str, frozenset[str]] = whole.excluded
        self.queries: dict[str, str] = {query: text for query, text in whole.queries.items() if query in queries}
        self.qrels: dict[str, dict[str, int]] = {query: whole.qrels[query] for query in self.queries}

    def texts(self, doc_ids: Sequence[str]) -> list[str]:
        """Do as the whole dataset does."""
        return self._whole.texts(doc_ids)

    def missing(self, doc_ids: Sequence[str]) -> list[str]:
        """Do as the whole dataset does."""
        return self._whole.missing(doc_ids)

    def corpus(self) -> Iterator[tuple[str, str]]:
        """Do as the whole dataset does."""
        return self._whole.corpus()

    def __len__(self) -> int:
        return len(self._whole)


@dataclass(frozen=True)
class Part:
    """Which queries of each dataset are run. Raises InputError when both ways of choosing are given.

    Attributes:
        limit: so many, the first ones.
        sample: so many, stratified.
        seed: of the sample; another seed is another sample.
    """

    limit: int | None = None
    sample: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.limit is not None and self.sample is not None:
            raise InputError("--limit and --sample: give one of them")

    def of(self, dataset: Dataset) -> Dataset:
        """Return the part of a dataset."""
        if self.limit is not None:
            return first_queries(dataset, self.limit)
        return dataset if self.sample is None else sampled_queries(dataset, self.sample, self.seed)

    def as_json(self) -> dict[str, int]:
        """Return plain values, for results; empty for all queries."""
        if self.limit is not None:
            return {"limit": self.limit}
        return {} if self.sample is None else {"sample": self.sample, "seed": self.seed}


WHOLE = Part()


def first_queries(dataset: Dataset, count: int) -> SubsetDataset:
    """Return the first queries."""
    return SubsetDataset(dataset, set(islice(dataset.queries, count)))


def sampled_queries(dataset: Dataset, count: int, seed: int) -> SubsetDataset:
    """Return a stratified sample; all queries when there are no more than `count`."""
    return SubsetDataset(dataset, set(stratified(dataset.qrels, count, seed)))


def stratified(qrels: Mapping[str, Mapping[str, int]], count: int, seed: int) -> list[str]:
    """Draw `count` query ids, one from each of `count` equally large strata; the same for the same qrels and seed.

    Queries are put in the order of their number of relevant documents, which is what nDCG@10 depends on most among
    the things that are known before any system runs (it fixes the ideal ranking, and how much one hit weighs), and
    that favours no system. Queries with the same number are in an order that the seed shuffles. The row is cut into
    `count` stretches and one query is drawn from each, so every number is represented in proportion, and every query
    is as likely as any other: the plain mean of the sample is an unbiased estimate.
    """
    if count >= len(qrels):
        return list(qrels)
    relevant = {query: sum(grade > 0 for grade in grades.values()) for query, grades in qrels.items()}
    ordered = sorted(qrels, key=lambda query: (relevant[query], _shuffle_key(query, seed)))
    start = float(np.random.default_rng(seed).random())
    step = len(ordered) / count
    return [ordered[int((i + start) * step)] for i in range(count)]


def _shuffle_key(query: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}:{query}".encode()).digest()
