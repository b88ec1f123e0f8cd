"""Samples of queries: seeded, in proportion, with intervals that every table shows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fake_parts import FakeDataset, FakeReranker, fake_retrieve
from hypothesis import given
from hypothesis import strategies as st
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.metrics.statistics import bootstrap_interval
from rerankbench.eval.results import load_cells
from rerankbench.eval.runner import first_stage
from rerankbench.eval.runner import run as runner
from rerankbench.eval.runner.subset import Part, sampled_queries, stratified
from rerankbench.eval.tables import render
from rerankbench.rerankers.errors import InputError


@given(relevant=st.lists(st.integers(0, 5), min_size=1, max_size=60), count=st.integers(1, 70), seed=st.integers(0, 9))
def test_every_stratum_in_proportion(relevant: list[int], count: int, seed: int):
    qrels = {f"q{i}": {f"d{j}": 1 for j in range(n)} | {"x": 0} for i, n in enumerate(relevant)}
    sample = stratified(qrels, count, seed)
    assert len(set(sample)) == len(sample) == min(count, len(qrels))
    assert sample == stratified(dict(reversed(qrels.items())), count, seed) or count >= len(qrels)
    share = len(sample) / len(qrels)
    drawn = Counter(relevant[int(query[1:])] for query in sample)
    for number, size in Counter(relevant).items():
        assert abs(drawn[number] - share * size) < 2


def test_every_query_is_as_likely_as_any_other():
    qrels = {f"q{i}": {f"d{j}": 1 for j in range(1 + i // 8)} for i in range(24)}
    drawn = Counter(query for seed in range(2000) for query in stratified(qrels, 7, seed))
    expected = 2000 * 7 / 24
    assert set(drawn) == set(qrels)
    assert max(abs(times - expected) for times in drawn.values()) < 5 * np.sqrt(expected)


def test_queries_keep_their_order():
    dataset = FakeDataset("one")
    names = list(sampled_queries(dataset, 5, 1).queries)
    assert names == sorted(names)
    assert set(names) != set(sampled_queries(dataset, 5, 2).queries)


@pytest.fixture
def sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(runner, "load_dataset", lambda name: FakeDataset(name, queries=6 if name == "small" else 12))
    monkeypatch.setattr(first_stage, "retrieve", fake_retrieve)
    experiment = parse_experiment({"name": "x", "datasets": ["one", "small"], "rerankers": [{"model": "fake"}]}, "x")
    runner.run_experiment(experiment, tmp_path / "out", part=Part(sample=6, seed=3), load=lambda *_: FakeReranker())
    return tmp_path / "out"


def test_results_say_that_they_are_a_sample(sampled: Path):
    cells = {(c.manifest.dataset, c.manifest.model): c for c in load_cells([sampled])}
    one = cells["one", "fake"].manifest
    assert one.partial == {"sample": 6, "seed": 3}
    values = cells["one", "fake"].per_query()["nDCG@10"].to_numpy()
    assert len(values) == 6
    assert one.intervals["nDCG@10"] == pytest.approx(bootstrap_interval(values, resamples=1999, seed=3))
    assert one.intervals["nDCG@10"][0] <= one.metrics["nDCG@10"] <= one.intervals["nDCG@10"][1]
    small = cells["small", "fake"].manifest
    assert small.partial is None  # it has no more queries than that
    assert small.intervals == {}


def test_every_table_marks_them(sampled: Path):
    cells = load_cells([sampled])
    low, high = next(c for c in cells if c.manifest.setting == "full").manifest.intervals["nDCG@10"]
    for format in ("text", "md", "html", "latex"):
        table = render(cells, format=format)
        assert f"({100 * low:.2f} to {100 * high:.2f})" in table
        assert "sample of 6 queries" in table
    header, *lines = (line.split(",") for line in render(cells, format="csv").splitlines())
    rows = [dict(zip(header, line)) for line in lines]
    mean = next(row for row in rows if row["level"] == "mean" and row["model"] == "fake")
    one = next(row for row in rows if row["dataset"] == "one" and row["model"] == "fake")
    assert float(mean["high"]) - float(mean["value"]) == pytest.approx(
        (float(one["high"]) - float(one["value"])) / 2, abs=1e-5
    )


def test_limit_and_sample_exclude_each_other(tmp_path: Path):
    experiment = parse_experiment({"name": "x", "datasets": ["one"]}, "x")
    with pytest.raises(InputError, match="--limit and --sample: give one of them"):
        runner.run_experiment(experiment, tmp_path, part=Part(limit=1, sample=1))
