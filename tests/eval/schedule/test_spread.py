"""`rerankbench plan --workers`: the run's scheduler on a virtual clock."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from in_process import Command
from rerankbench.eval.experiment.engines import LocalOptions
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.plan.plan import hours, make_plan
from rerankbench.eval.schedule.spread import spread
from rerankbench.eval.schedule.virtual_pool import predict

MODEL = {"model": "bge-reranker-v2-m3"}


def plan(**keys: Any):
    return make_plan(parse_experiment({"name": "x", "datasets": ["beir/nfcorpus"], **keys}, "here"))


def test_one_worker_takes_what_the_plan_says():
    made = plan(rerankers=[MODEL])
    alone = spread(made, 16, 1, 100.0)
    assert alone.hours == pytest.approx(hours(made.pflops, 100.0))
    assert alone.efficiency == pytest.approx(1.0)
    assert alone.blocks == 21  # 323 queries


def test_more_workers_are_as_fast_as_their_blocks_allow():
    made = plan(rerankers=[MODEL])
    alone = spread(made, 16, 1, 100.0).hours
    # 21 blocks, the last one of 3 queries: two each for ten workers, and the short one behind
    assert spread(made, 16, 10, 100.0).hours == pytest.approx(alone * (2 * 16 + 3) / 323)
    assert spread(made, 16, 1000, 100.0).hours == pytest.approx(alone * 16 / 323)
    assert spread(made, 1, 1000, 100.0).hours == pytest.approx(alone / 323)


def test_models_come_one_after_the_other():
    both = plan(rerankers=[MODEL, {"model": "bge-reranker-base"}])
    single = [plan(rerankers=[{"model": name}]) for name in ("bge-reranker-v2-m3", "bge-reranker-base")]
    assert spread(both, 16, 8, 1.0).hours == pytest.approx(sum(spread(one, 16, 8, 1.0).hours for one in single))


@pytest.mark.parametrize(("workers", "least"), [(8, 0.95), (64, 0.9), (512, 0.8)])
def test_beir_scales(workers: int, least: float):
    """The largest model on all of BEIR, in blocks of the default size, with queries that are not like the mean."""
    place = Path(__file__).parents[3] / "benchmarks/ray_simulation.py"
    description = importlib.util.spec_from_file_location("ray_simulation", place)
    assert description is not None
    assert description.loader is not None
    simulation = importlib.util.module_from_spec(description)
    description.loader.exec_module(simulation)
    queries = simulation.seconds_per_query("bge-reranker-v2.5-gemma2-lightweight", 0.4 * 989)
    assert sum(count for count, _ in queries.values()) > 50_000
    expected, actual = simulation.blocks(queries, LocalOptions().block_queries, 0.3)
    wall = predict(actual, workers, expected=expected, latency=0.005, store_seconds=0.01)
    assert sum(actual) / (workers * wall) >= least


def test_command(command: Command):
    def call(*arguments: str) -> tuple[int, str, str]:
        return command("plan", "quickstart", *arguments)

    status, out, _ = call("--tflops", "1", "--workers", "4", "--json")
    report = json.loads(out)
    assert status == 0
    assert report["spread"]["workers"] == 4
    assert report["hours"] / 4 <= report["spread"]["hours"] < report["hours"]
    assert "4 workers: " in call("--tflops", "1", "--workers", "4")[1]
    status, _, err = call("--workers", "4")
    assert status == 2
    assert "--device or --tflops" in err
