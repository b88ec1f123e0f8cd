"""`rerankbench plan --workers`: the run's scheduler on a virtual clock."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rerankbench.eval.cli import main
from rerankbench.eval.runner.experiment_file import parse_experiment
from rerankbench.eval.runner.plan import hours, make_plan
from rerankbench.eval.runner.spread import spread

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


def test_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["rerankbench", "plan", "quickstart", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        out = capsys.readouterr()
        return int(stop.value.code or 0), out.out, out.err

    status, out, _ = call("--tflops", "1", "--workers", "4", "--json")
    report = json.loads(out)
    assert status == 0
    assert report["spread"]["workers"] == 4
    assert report["hours"] / 4 <= report["spread"]["hours"] < report["hours"]
    assert "4 workers: " in call("--tflops", "1", "--workers", "4")[1]
    status, _, err = call("--workers", "4")
    assert status == 2
    assert "--device or --tflops" in err
