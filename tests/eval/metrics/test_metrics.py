from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rerankbench.eval.metrics.trec import evaluate, mean, per_query, rank
from rerankbench.rerankers.errors import InputError

DOCS = [f"d{i}" for i in range(12)]
# few distinct scores, so that ties are common; two that only double precision tells apart
SCORES = st.sampled_from([0.0, 1.0, 1.0 + 1e-12, 2.5, -3.0, 1e-3])
RUNS = st.dictionaries(st.sampled_from(["q1", "q2", "q3"]), st.dictionaries(st.sampled_from(DOCS), SCORES))
QRELS = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3", "q4"]),
    st.dictionaries(st.sampled_from(DOCS), st.integers(-1, 3), min_size=1),
    min_size=1,
)
NAMES = ["nDCG@3", "nDCG@10", "nDCG", "R@5", "RR", "RR@2", "AP", "AP@4", "P@5", "Judged@5", "Success@2"]
WITH_PARAMETERS = [
    "nDCG(dcg='exp-log2')@3",
    "P(rel=2)@5",
    "R(rel=2)@5",
    "RR(rel=3)@2",
    "AP(rel=2)",
    "Success(rel=2)@1",
    "nDCG(ideal='candidates')@3",
]


def oracle(scores: dict[str, float], grades: dict[str, int], name: str) -> float:
    """The metric from its definition, without pytrec_eval."""
    base, _, cut = name.partition("@")
    base, _, parameter = base.partition("(")
    if parameter.startswith("rel="):
        least = int(parameter[4:-1])
        grades = {doc: grade if grade >= least else 0 for doc, grade in grades.items()}
    if "ideal" in parameter:
        grades = {doc: grade for doc, grade in grades.items() if doc in scores}
    if "exp" in parameter:
        grades = {doc: 2 ** max(grade, 0) - 1 for doc, grade in grades.items()}
    order = sorted(scores, reverse=True)  # ids descending first; the sort below is stable
    order.sort(key=lambda doc: -np.float32(scores[doc]))
    top = order[: int(cut)] if cut else order
    gains = [max(grades.get(doc, 0), 0) for doc in top]
    relevant = sum(grade > 0 for grade in grades.values())
    if base == "nDCG":
        best = sorted((max(grade, 0) for grade in grades.values()), reverse=True)[: int(cut) if cut else None]
        ideal = sum(gain / math.log2(i + 2) for i, gain in enumerate(best))
        return sum(gain / math.log2(i + 2) for i, gain in enumerate(gains)) / ideal if ideal else 0.0
    if base == "R":
        return sum(gain > 0 for gain in gains) / relevant if relevant else 0.0
    if base == "P":
        return sum(gain > 0 for gain in gains) / int(cut)
    if base == "RR":
        return next((1 / (i + 1) for i, gain in enumerate(gains) if gain > 0), 0.0)
    if base == "AP":
        hits = [i for i, gain in enumerate(gains) if gain > 0]
        return sum((n + 1) / (i + 1) for n, i in enumerate(hits)) / relevant if relevant else 0.0
    if base == "Success":
        return float(any(gain > 0 for gain in gains))
    return sum(doc in grades for doc in top) / len(top) if top else 0.0


@settings(max_examples=150, deadline=None)
@given(run=RUNS, qrels=QRELS)
def test_equals_the_definitions(run: dict, qrels: dict):
    values = per_query(run, qrels, NAMES + WITH_PARAMETERS)
    for name in NAMES + WITH_PARAMETERS:
        assert list(values[name]) == sorted(qrels)
        for query, value in values[name].items():
            assert value == pytest.approx(oracle(run.get(query, {}), qrels[query], name), abs=1e-9), (name, query)


def test_mean_counts_missing_queries_as_zero_and_ignores_unjudged_ones():
    qrels = {"a": {"x": 1}, "b": {"x": 1}}
    run = {"a": {"x": 1.0}, "c": {"x": 1.0}}
    assert evaluate(run, qrels, ["nDCG@10", "Judged@10"]) == {"nDCG@10": 0.5, "Judged@10": 0.5}


def test_equal_scores_are_ordered_by_id_descending():
    assert rank({"a": 1.0, "c": 1.0, "b": 1.0, "z": 0.5}) == ["c", "b", "a", "z"]
    qrels = {"q": {"a": 1}}
    assert evaluate({"q": {"a": 1.0, "b": 1.0}}, qrels, ["RR"])["RR"] == 0.5
    # trec_eval keeps scores in single precision, so a smaller difference is a tie
    assert evaluate({"q": {"a": 1.0 + 1e-12, "b": 1.0}}, qrels, ["RR"])["RR"] == 0.5
    assert evaluate({"q": {"a": 1.0 + 1e-6, "b": 1.0}}, qrels, ["RR"])["RR"] == 1.0


def test_reciprocal_rank_is_cut():
    run = {"q": {f"d{i:03d}": -float(i) for i in range(200)}}
    for position in (1, 9, 10, 49, 50, 97, 98, 100, 150):
        qrels = {"q": {f"d{position - 1:03d}": 1}}
        for cutoff in (1, 10, 49, 98, 100):
            expected = 1 / position if position <= cutoff else 0.0
            assert evaluate(run, qrels, [f"RR@{cutoff}"])[f"RR@{cutoff}"] == pytest.approx(expected)


def test_a_query_with_only_negative_grades_counts_zero():
    assert evaluate({"q": {"d": 1.0}}, {"q": {"d": -1}}, ["nDCG@10", "AP"]) == {"nDCG@10": 0.0, "AP": 0.0}


def test_no_qrels():
    with pytest.raises(InputError, match="the qrels have no query"):
        evaluate({"q": {"d": 1.0}}, {}, ["AP"])


def test_mean():
    assert mean([0.0, 0.5, 1.0]) == 0.5


@given(RUNS, QRELS)
def test_condensed_lists_are_those_of_trec_eval_j(run: dict, qrels: dict):
    """`trec_eval -J` leaves out what has no grade, and what has a negative one."""
    import pytrec_eval

    judged = {q: grades for q, grades in qrels.items() if max(grades.values()) >= 0}  # else pytrec_eval never ends
    expected = pytrec_eval.RelevanceEvaluator(judged, {"ndcg_cut_3", "map", "P_5"}, judged_docs_only_flag=True)
    expected = expected.evaluate({q: docs for q, docs in run.items() if judged.get(q, {}).keys() & docs.keys()})
    names = {"ndcg_cut_3": "nDCG(judged_only=True)@3", "map": "AP(judged_only=True)", "P_5": "P(judged_only=True)@5"}
    values = per_query(run, qrels, list(names.values()))
    for query, of_query in expected.items():
        assert {trec: values[name][query] for trec, name in names.items()} == pytest.approx(of_query, abs=1e-12)
