"""A run in arrays: some 20 bytes a pair, where dictionaries of Python objects take ten times as much."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
from pyarrow.lib import StringBuilder

Ranking = list[tuple[str, float]]

_CHUNK = 4096  # documents of a piece of the column: far from the 2 GB that one may have


class CompactRun(Mapping[str, Ranking]):
    """Query id -> (document id, score) in the order that was given; a query's list is made when it is needed."""

    def __init__(self, starts: dict[str, int], docs: pa.ChunkedArray, scores: np.ndarray) -> None:
        """Take arrays: `starts` has each query's first index in `docs` and `scores`, ascending; see `of`."""
        self._docs, self._scores = docs, scores
        self._rows = dict(zip(starts, zip(starts.values(), [*list(starts.values())[1:], len(scores)])))

    @classmethod
    def of(cls, rankings: Iterable[tuple[str, Iterable[tuple[str, float]]]]) -> CompactRun:
        """Return the run of queries with their documents, taken one by one."""
        starts: dict[str, int] = {}
        column = Documents()
        scores = array("d")
        for query, ranking in rankings:
            starts[query] = len(scores)
            for doc, score in ranking:
                column.append(doc)
                scores.append(score)
        return cls(starts, column.chunked(), np.frombuffer(scores, dtype=np.float64))

    def __getitem__(self, query: str) -> Ranking:
        start, stop = self._rows[query]
        docs = self._docs.slice(start, stop - start).to_pylist()
        return list(zip(docs, self._scores[start:stop].tolist(), strict=True))

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


class Documents:
    """A column of document ids that grows."""

    def __init__(self) -> None:
        self._chunks: list[pa.Array] = []
        self._open = StringBuilder()  # pa.array would import pandas

    def append(self, doc: str) -> None:
        """Append one query."""
        self._open.append(doc)
        if len(self._open) == _CHUNK:
            self._close()

    def chunked(self) -> pa.ChunkedArray:
        """Return the whole run."""
        self._close()
        return pa.chunked_array(self._chunks, pa.string())

    def _close(self) -> None:
        self._chunks.append(self._open.finish())


class Lazy(Mapping[str, dict[str, float]]):
    """A run as dictionaries document -> score, each made when it is needed."""

    def __init__(self, run: Mapping[str, Ranking]) -> None:
        self._run = run

    def __getitem__(self, query: str) -> dict[str, float]:
        return dict(self._run[query])

    def __iter__(self) -> Iterator[str]:
        return iter(self._run)

    def __len__(self) -> int:
        return len(self._run)
