"""Ranking metrics by pytrec_eval, spelled as in ir_measures: `nDCG@10`, `R@100`, `RR@10`, `AP`, `P@5`, `Judged@10`.

trec_eval's rules hold (contract 5 of the design): linear gain, a document is relevant from grade 1 on, scores are
compared as float32, descending, and equal ones by document id, descending. A mean is over all judged queries; one
that is missing from the run counts 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..rerankers.errors import InputError

Run = Mapping[str, Mapping[str, float]]
Qrels = Mapping[str, Mapping[str, int]]

DEFAULT_METRICS = ("nDCG@10", "R@100", "RR@10", "AP", "Judged@10")

_CHUNK = 64  # queries judged at a time: pytrec_eval's dictionaries are far larger than what they hold

_SPELLING = re.compile(r"^(?P<base>[A-Za-z]+)(?:@(?P<cutoff>[1-9]\d*))?$")
_NEEDS_CUTOFF = frozenset({"R", "P", "Judged"})
_OTHER_NAMES = {
    **{base.lower(): base for base in ("nDCG", "R", "RR", "AP", "P", "Judged")},
    **{"recall": "R", "mrr": "RR", "map": "AP", "precision": "P"},
}


@dataclass(frozen=True)
class Metric:
    """A measure and the depth at which the ranking is cut; None is the whole ranking."""

    base: str
    cutoff: int | None

    @property
    def name(self) -> str:
        """`nDCG@10`, `AP`."""
        return self.base if self.cutoff is None else f"{self.base}@{self.cutoff}"

    @property
    def trec(self) -> str | None:
        """trec_eval's name, in the form in which pytrec_eval reports it; None for what it does not know."""
        cut, whole = {
            "nDCG": ("ndcg_cut_{}", "ndcg"),
            "AP": ("map_cut_{}", "map"),
            "RR": ("recip_rank", "recip_rank"),
            "R": ("recall_{}", None),
            "P": ("P_{}", None),
            "Judged": (None, None),
        }[self.base]
        name = whole if self.cutoff is None else cut
        return name.format(self.cutoff) if name else None


def parse_metric(name: str) -> Metric:
    """The metric that `name` spells. Raises InputError with the right spelling where it can be guessed."""
    match = _SPELLING.match(name)
    base = match["base"] if match else ""
    near = _OTHER_NAMES.get(base.lower())
    if match is None or near is None:
        raise InputError(
            f"metric '{name}' is unknown; known: nDCG@k, R@k, RR@k, AP, AP@k, P@k, Judged@k with a number for k"
        )
    cutoff = int(match["cutoff"]) if match["cutoff"] else None
    if base != near or (cutoff is None and near in _NEEDS_CUTOFF):
        depth = cutoff or (10 if near in _NEEDS_CUTOFF else None)
        raise InputError(f"metric '{name}' is unknown; did you mean '{Metric(near, depth).name}'?")
    return Metric(near, cutoff)


def rank(scores: Mapping[str, float]) -> list[str]:
    """Document ids in trec_eval's order."""
    return sorted(scores, key=lambda doc: (np.float32(scores[doc]), doc), reverse=True)


def per_query(run: Run, qrels: Qrels, metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    """Metric name -> judged query id (sorted) -> value; 0 for a judged query that the run lacks.

    Raises InputError for an unknown metric or when no query is judged.
    """
    import pytrec_eval

    wanted = [parse_metric(name) for name in dict.fromkeys(metrics)]
    queries = sorted(qrels)
    if not queries:
        raise InputError("the judgements hold no query")
    native = {metric.trec for metric in wanted if metric.trec}
    values: dict[str, dict[str, float]] = {metric.name: {} for metric in wanted}
    for start in range(0, len(queries), _CHUNK):
        some = queries[start : start + _CHUNK]
        # pytrec_eval wants plain dictionaries of exactly these types. A negative grade gains nothing, as 0 does; a
        # query with none but negative ones sends pytrec_eval into an endless loop.
        judged = {query: {doc: max(int(grade), 0) for doc, grade in qrels[query].items()} for query in some}
        found = {query: {doc: float(s) for doc, s in run[query].items()} for query in some if query in run}
        found = {query: scores for query, scores in found.items() if scores}
        results = pytrec_eval.RelevanceEvaluator(judged, native).evaluate(found) if native and found else {}
        for metric in wanted:
            for query in some:
                scores = found.get(query)
                values[metric.name][query] = (
                    _value(metric, scores, judged[query], results.get(query, {})) if scores else 0.0
                )
    return values


def _value(
    metric: Metric, scores: Mapping[str, float], judged: Mapping[str, int], results: Mapping[str, float]
) -> float:
    """One metric of one query that has candidates; `results` is what pytrec_eval found."""
    if metric.base == "Judged":
        top = rank(scores)[: metric.cutoff]
        return sum(doc in judged for doc in top) / len(top)
    score = results[str(metric.trec)]
    if metric.base == "RR" and metric.cutoff and round(1 / score if score else 0) > metric.cutoff:
        return 0.0
    return score


def mean(values: Iterable[float]) -> float:
    """Arithmetic mean of the values of all judged queries."""
    return float(np.mean(np.fromiter(values, dtype=np.float64)))


def evaluate(run: Run, qrels: Qrels, metrics: Sequence[str] = DEFAULT_METRICS) -> dict[str, float]:
    """Metric name -> mean over judged queries."""
    return {name: mean(values.values()) for name, values in per_query(run, qrels, metrics).items()}
