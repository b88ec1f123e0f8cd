"""How measures are spelled, and that a new one is one row."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from fake_parts import FakeDataset, FakeReranker, fake_retrieve
from rerankbench.eval.exchange.formats import export
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.metrics.measures import MEASURES, Measure, parse_metric, split_metrics
from rerankbench.eval.metrics.trec import evaluate
from rerankbench.eval.runner import first_stage
from rerankbench.eval.runner import run as runner
from rerankbench.rerankers.errors import InputError


@pytest.mark.parametrize(
    ("name", "canonical", "trec", "mteb"),
    [
        ("nDCG@10", "nDCG@10", "ndcg_cut_10", "ndcg_at_10"),
        ("nDCG", "nDCG", "ndcg", "ndcg"),
        ("AP@4", "AP@4", "map_cut_4", "map_at_4"),
        ("RR@10", "RR@10", None, "mrr_at_10"),
        ("Success@5", "Success@5", "success_5", None),
        ("Judged@10", "Judged@10", None, None),
        ("P(rel=1)@10", "P@10", "P_10", "precision_at_10"),
        ("P( rel = 2 )@10", "P(rel=2)@10", "P_10", None),
        ("nDCG(dcg='log2')@10", "nDCG@10", "ndcg_cut_10", "ndcg_at_10"),
        ('nDCG(dcg="exp-log2")@10', "nDCG(dcg='exp-log2')@10", "ndcg_cut_10", None),
    ],
)
def test_spellings(name: str, canonical: str, trec: str | None, mteb: str | None):
    metric = parse_metric(name)
    assert (metric.name, metric.trec, metric.mteb) == (canonical, trec, mteb)
    assert parse_metric(metric.name) == metric


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ndcg@10", "did you mean 'nDCG@10'?"),
        ("MRR@10", "did you mean 'RR@10'?"),
        ("MAP", "did you mean 'AP'?"),
        ("Recall@100", "did you mean 'R@100'?"),
        ("R", "did you mean 'R@10'?"),
        ("judged", "did you mean 'Judged@10'?"),
        ("ndcg_cut_10", "did you mean 'nDCG@10'?"),
        ("ndcg_cut.10", "did you mean 'nDCG@10'?"),
        ("recall_100", "did you mean 'R@100'?"),
        ("P_5", "did you mean 'P@5'?"),
        ("map", "did you mean 'AP'?"),
        ("map_cut_100", "did you mean 'AP@100'?"),
        ("recip_rank", "did you mean 'RR'?"),
        ("success_1", "did you mean 'Success@1'?"),
        ("NDCG@10", "did you mean 'nDCG@10'?"),
        ("mrr_at_10", "did you mean 'RR@10'?"),
        ("P(rel=2)", "did you mean 'P(rel=2)@10'?"),
        ("nDCG@0", "known: nDCG, nDCG@k, R@k"),
        ("ERR@20", "known: nDCG, nDCG@k, R@k"),
        ("nDCG@ten", "known: nDCG, nDCG@k, R@k"),
        ("", "known: nDCG, nDCG@k, R@k"),
    ],
)
def test_unknown_metric_is_one_line(name: str, message: str):
    with pytest.raises(InputError, match="is unknown") as caught:
        parse_metric(name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("P(rel=0)@5", "rel must be a number from 1 on"),
        ("P(rel=2, rel=2)@5", "once"),
        ("P(rel=high)@5", "rel must be a number"),
        ("P(relevance=2)@5", "P has no parameter 'relevance'; it has rel"),
        ("Judged(rel=2)@5", "it has none"),
        ("nDCG(dcg='exp')@5", "dcg must be 'log2' or 'exp-log2'"),
        ("P()@5", "no parameter ''"),
    ],
)
def test_wrong_parameters_are_one_line(name: str, message: str):
    with pytest.raises(InputError) as caught:
        parse_metric(name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_exponential_gain_beyond_whole_numbers_is_refused():
    with pytest.raises(InputError, match="grade 31 is too high"):
        evaluate({"q": {"d": 1.0}}, {"q": {"d": 31}}, ["nDCG(dcg='exp-log2')@5"])


def test_lists_keep_parameters_together():
    assert split_metrics("AP, P(rel=2,x=1)@5,RR") == ["AP", "P(rel=2,x=1)@5", "RR"]


def test_a_new_measure_is_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One of trec_eval by its name, one by a formula: experiments, results and exports know both at once."""

    def gain(top, grades, values):
        return sum(max(grades.get(doc, 0), 0) / math.log2(place + 1) for place, doc in enumerate(top, 1))

    monkeypatch.setitem(MEASURES, "Rprec", Measure("Rprec", "never", "Rprec", mteb="r_precision"))
    monkeypatch.setitem(MEASURES, "DCG", Measure("DCG", "optional", formula=gain))
    qrels = {"q": {"a": 2, "b": 1, "c": 0}}
    run = {"q": {"c": 3.0, "a": 2.0, "b": 1.0}}
    # two are relevant, one of them is in the top 2; 0 + 2 / log2(3) + 1 / log2(4)
    expected = {"Rprec": 0.5, "DCG@3": 2 / math.log2(3) + 0.5}
    assert evaluate(run, qrels, list(expected)) == pytest.approx(expected)
    with pytest.raises(InputError, match="did you mean 'Rprec'"):
        parse_metric("Rprec@5")

    monkeypatch.setattr(runner, "load_dataset", FakeDataset)
    monkeypatch.setattr(first_stage, "retrieve", fake_retrieve)
    raw = {"name": "x", "datasets": ["a"], "first_stage": {"retriever": "bm25", "k": 5}, "metrics": ["Rprec", "DCG@3"]}
    cells = runner.run_experiment(parse_experiment(raw, "x"), tmp_path / "run", load=lambda *_: FakeReranker())
    assert set(cells[0].manifest.metrics) == {"Rprec", "DCG@3"}
    (card,) = export(cells, "model-index", tmp_path / "cards")
    assert "type: r_precision" in card.read_text(encoding="utf-8")
