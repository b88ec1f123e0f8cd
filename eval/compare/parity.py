"""The same candidates through two engines: how far scores, orders and metrics lie apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from ...rerankers.errors import InputError
from ..gate.snapshot import changed_parts, flatten
from ..metrics import statistics
from ..metrics.trec import rank
from ..results import Cell
from .runs import DEPTH, pair_cells, values_by_query, variant
from .selector import Selector, load_sides

Run = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Apart:
    """The pair whose scores differ most."""

    query: str
    document: str
    a: float
    b: float


@dataclass(frozen=True)
class Parity:
    """B beside A on one dataset.

    Attributes:
        dataset, a, b: its name, and the variants as `model@setting`.
        queries, pairs: compared.
        largest, mean: absolute difference of a pair's scores; `where` is the pair of the largest.
        spread: standard deviation of A's scores, which says what a difference means.
        spearman, least: rank correlation within a query, the mean and the lowest; None where no query has two scores.
        least_query: the query of the lowest.
        undefined: queries of which a side gives all candidates one score, or that have one candidate: no correlation.
        changed: queries with other documents in the top 10; `reordered`: with the same ones in another order.
        mean_a, mean_b: of the metric over judged queries; `paired` holds B - A with its interval.
        parts: parts of the identity that differ: name -> (A, B).
    """

    dataset: str
    a: str
    b: str
    queries: int
    pairs: int
    largest: float
    where: Apart
    mean: float
    spread: float
    spearman: float | None
    least: float | None
    least_query: str | None
    undefined: int
    changed: int
    reordered: int
    mean_a: float
    mean_b: float
    paired: statistics.Paired
    parts: dict[str, tuple[Any, Any]]


def parity(a: Selector, b: Selector, *, metric: str, seed: int = 0) -> list[Parity]:
    """One for each pair of cells, sorted by dataset; they pair as in `compare`.

    Raises InputError when nothing pairs, a metric is unknown, or the two scored other candidates.
    """
    pairs = pair_cells(*load_sides(a, b, metric))
    return [_parity(left, right, metric, seed) for left, right in pairs]


def _parity(a: Cell, b: Cell, metric: str, seed: int) -> Parity:
    runs = a.run(), b.run()
    _same_candidates(a, b, *runs)
    if not runs[0]:
        raise InputError(f"{a.path}: holds no scores")
    keys = [(query, doc) for query, docs in runs[0].items() for doc in docs]
    scores = [np.array([run[query][doc] for query, doc in keys]) for run in runs]
    differences = np.abs(scores[1] - scores[0])
    furthest = int(differences.argmax())
    where = Apart(*keys[furthest], float(scores[0][furthest]), float(scores[1][furthest]))
    correlations = _correlations(*runs)
    known = {query: value for query, value in correlations.items() if value is not None}
    least = min(known, key=known.__getitem__, default=None)
    tops = [(rank(runs[0][query])[:DEPTH], rank(runs[1][query])[:DEPTH]) for query in runs[0]]
    changed = sum(set(left) != set(right) for left, right in tops)
    before, after = values_by_query(a, metric), values_by_query(b, metric)
    values = [np.array([side[query] for query in sorted(before)]) for side in (before, after)]
    parts = changed_parts(flatten(a.manifest.identity_parts), flatten(b.manifest.identity_parts))
    return Parity(
        dataset=a.manifest.dataset,
        a=variant(a),
        b=variant(b),
        queries=len(runs[0]),
        pairs=len(keys),
        largest=float(differences[furthest]),
        where=where,
        mean=float(differences.mean()),
        spread=float(scores[0].std()),
        spearman=float(np.mean(list(known.values()))) if known else None,
        least=None if least is None else known[least],
        least_query=least,
        undefined=len(correlations) - len(known),
        changed=changed,
        reordered=sum(left != right for left, right in tops) - changed,
        mean_a=float(values[0].mean()),
        mean_b=float(values[1].mean()),
        paired=statistics.paired((values[1] - values[0]).round(9), seed=seed),
        parts=parts,
    )


def _same_candidates(a: Cell, b: Cell, left: Run, right: Run) -> None:
    for query in sorted(left.keys() | right.keys()):
        if set(left.get(query, ())) != set(right.get(query, ())):
            raise InputError(f"{a.path} and {b.path}: scored other candidates of query {query}; use one first stage")
    if a.manifest.identity_parts.get("checksum") != b.manifest.identity_parts.get("checksum"):
        raise InputError(f"{a.path} and {b.path}: the dataset changed between the runs")


def _correlations(left: Run, right: Run) -> dict[str, float | None]:
    """Spearman's rank correlation of each query's scores, equal scores sharing their mean rank; None: undefined."""
    correlations: dict[str, float | None] = {}
    for query, docs in left.items():
        some = [np.array([run[query][doc] for doc in docs]) for run in (left, right)]
        flat = any(np.ptp(values) == 0 for values in some)
        correlations[query] = None if flat else float(np.corrcoef([stats.rankdata(values) for values in some])[0, 1])
    return correlations
