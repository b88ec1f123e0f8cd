"""Ranking metrics by pytrec_eval, spelled as in ir_measures: `nDCG@10`, `R@100`, `RR@10`, `AP`, `P(rel=2)@5`.

trec_eval's rules apply (docs/footguns.md, Metrics): linear gain, a document is relevant from grade 1 on, scores are
compared as float32, descending, and equal ones by document id, descending. A mean is over all judged queries; one
that is missing from the run counts 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from ...rerankers.errors import InputError
from .measures import DEFAULT_METRICS, IDEAL, JUDGED_ONLY, Metric, Value, parse_metric

Run = Mapping[str, Mapping[str, float]]
Qrels = Mapping[str, Mapping[str, int]]

_CHUNK = 64  # queries judged at a time: pytrec_eval's dictionaries are far larger than their content


def rank(scores: Mapping[str, float]) -> list[str]:
    """Return document ids in trec_eval's order."""
    return sorted(scores, key=lambda doc: (np.float32(scores[doc]), doc), reverse=True)


def per_query(run: Run, qrels: Qrels, metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return metric name -> judged query id (sorted) -> value; 0 for a judged query that the run lacks.

    Raises InputError for an unknown metric or when no query is judged.
    """
    wanted = [parse_metric(name) for name in dict.fromkeys(metrics)]
    queries = sorted(qrels)
    if not queries:
        raise InputError("the qrels have no query")
    values: dict[str, dict[str, float]] = {metric.name: {} for metric in wanted}
    for start in range(0, len(queries), _CHUNK):
        chunk = queries[start : start + _CHUNK]
        # pytrec_eval wants plain dictionaries of exactly these types
        retrieved = {query: {doc: float(s) for doc, s in run[query].items()} for query in chunk if run.get(query)}
        for metrics_alike in _group_by_grades(wanted):
            for metric, query, value in _judge(metrics_alike, retrieved, {query: qrels[query] for query in chunk}):
                values[metric.name][query] = value
    return values


def _group_by_grades(metrics: Iterable[Metric]) -> list[list[Metric]]:
    """Return metrics together that see the same grades."""
    alike: dict[tuple[Callable[..., int], tuple[tuple[str, Value], ...]], list[Metric]] = {}
    for metric in metrics:
        alike.setdefault((metric.measure.grades, metric.parameters), []).append(metric)
    return list(alike.values())


def _judge(metrics: Sequence[Metric], run: Run, qrels: Qrels) -> Iterator[tuple[Metric, str, float]]:
    """Yield values of metrics that see the same grades, for every query of `qrels`."""
    import pytrec_eval

    count, parameters = metrics[0].measure.grades, dict(metrics[0].parameters)
    # A negative grade gains nothing, as 0 does; a query with none but negative ones sends pytrec_eval into an endless
    # loop.
    judged = {q: {doc: max(count(int(grade), parameters), 0) for doc, grade in qrels[q].items()} for q in qrels}
    if parameters.get(IDEAL.name) == "candidates":
        judged = {q: {doc: g if doc in run.get(q, ()) else 0 for doc, g in judged[q].items()} for q in judged}
    if parameters.get(JUDGED_ONLY.name):
        # as trec_eval -J: a negative grade is a passage of the pool that nobody judged
        judged_only = {
            query: {doc: s for doc, s in docs.items() if qrels[query].get(doc, -1) >= 0} for query, docs in run.items()
        }
        run = {query: docs for query, docs in judged_only.items() if docs}
    native = {metric.trec for metric in metrics if metric.trec}
    results = pytrec_eval.RelevanceEvaluator(judged, native).evaluate(run) if native and run else {}
    for metric in metrics:
        for query, grades in judged.items():
            if query not in run:
                yield metric, query, 0.0
            elif metric.trec:
                yield metric, query, results[query][metric.trec]
            else:
                assert metric.measure.formula is not None, f"{metric.base} has neither a trec name nor a formula"
                top = rank(run[query])[: metric.cutoff]
                yield metric, query, metric.measure.formula(top, grades, parameters)


def mean(values: Iterable[float]) -> float:
    """Return arithmetic mean of the values of all judged queries."""
    return float(np.mean(np.fromiter(values, dtype=np.float64)))


def evaluate(run: Run, qrels: Qrels, metrics: Sequence[str] = DEFAULT_METRICS) -> dict[str, float]:
    """Return metric name -> mean over judged queries."""
    return {name: mean(values.values()) for name, values in per_query(run, qrels, metrics).items()}
