"""Orders of a pool's candidates and what they score, for all queries at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...rerankers.errors import InputError
from ..metrics import trec
from ..metrics.measures import parse_metric
from .pool import CandidatePool, Scores

Array = NDArray[Any]


def first_order(pool: CandidatePool) -> Array:
    """The first stage's: places of candidates, best first, int64 of shape (queries, candidates)."""
    return np.broadcast_to(np.arange(pool.width), pool.present.shape)


def rerank(pool: CandidatePool, order: Array, depth: int, scores: Scores) -> Array:
    """`order` with its best `depth` candidates put into the order of some scores; the others keep theirs behind.

    Equal scores are in trec_eval's order, by document id, descending.
    """
    top = order[:, :depth]
    values = np.take_along_axis(scores.values, top, axis=1)
    ties = np.take_along_axis(pool.by_id, top, axis=1)
    places = np.lexsort((ties, -values), axis=1)
    return np.concatenate([np.take_along_axis(top, places, axis=1), order[:, depth:]], axis=1)


def paid(flops: Array, order: Array, depth: int) -> Array:
    """FLOPs of each query when the best `depth` candidates of an order are scored: int64 of shape (queries,)."""
    return np.take_along_axis(flops, order[:, :depth], axis=1).sum(axis=1)


def values(pool: CandidatePool, order: Array, metric: str) -> Array:
    """Any metric of an order by query, by trec_eval: float64 of shape (queries,)."""
    run = {
        query: {docs[place]: float(-rank) for rank, place in enumerate(row) if place < len(docs)}
        for query, docs, row in zip(pool.queries, pool.docs, order.tolist())
    }
    by_query = trec.per_query(run, pool.qrels, [metric])[parse_metric(metric).name]
    return np.array([by_query[query] for query in pool.queries])


class Gains:
    """nDCG at a cutoff of many orders, by the formula; tested against trec_eval."""

    def __init__(self, pool: CandidatePool, metric: str) -> None:
        """Raises InputError for a metric that is not nDCG@k with linear gain."""
        asked = parse_metric(metric)
        if not self.knows(metric) or asked.cutoff is None:
            raise InputError(f"--metric {metric}: cascades are chosen by nDCG@k, for example nDCG@10")
        self.cutoff = min(asked.cutoff, pool.width)
        discount = 1 / np.log2(np.arange(2, asked.cutoff + 2))
        best = [grades[: asked.cutoff] @ discount[: min(len(grades), asked.cutoff)] for grades in pool.relevant]
        self._share = np.array([1 / total if total else 0.0 for total in best])
        self._grades, self._discount = pool.grades, discount[: self.cutoff]

    @staticmethod
    def knows(metric: str) -> bool:
        """Whether the formula is that of this metric."""
        asked = parse_metric(metric)
        return asked.base == "nDCG" and asked.cutoff is not None and not asked.parameters

    def __call__(self, order: Array) -> Array:
        """By query, float64 of shape (queries,)."""
        gains = np.take_along_axis(self._grades, order[:, : self.cutoff], axis=1)
        return (gains @ self._discount) * self._share


def judge(pool: CandidatePool, metric: str) -> Callable[[Array], Array]:
    """What gives the metric of an order by query; the quick way where there is one."""
    return Gains(pool, metric) if Gains.knows(metric) else lambda order: values(pool, order, metric)
