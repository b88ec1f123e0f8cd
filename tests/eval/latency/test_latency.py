"""Latency: what is measured is what an outside stopwatch sees, of a model whose durations are known."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from checkpoints import make
from fake_parts import FakeReranker
from in_process import Command
from replay_run import replay_run
from rerankbench.eval.cli import main
from rerankbench.eval.latency.measure import spread
from rerankbench.eval.latency.requests import generated
from rerankbench.eval.latency.run import Trial, measure
from rerankbench.eval.report import render as report
from rerankbench.eval.results import Cell, load_cells
from rerankbench.eval.results.latency import Latency, latency_of, latency_path
from rerankbench.eval.tables import render
from rerankbench.eval.tables.latency import to_text
from rerankbench.rerankers.api import Executed, Group, Prepared, Scored
from rerankbench.rerankers.errors import InputError
from rerankbench.rerankers.models.int8 import int8_kernel
from rerankbench.rerankers.options import LoadOptions, TextOptions
from rerankbench.rerankers.settings import Setting


class Sleeper(FakeReranker):
    """Takes as long as its plan says, and holds an own stopwatch over every answer."""

    def __init__(self, plan: Sequence[float]) -> None:
        super().__init__()
        self.plan, self.stopwatch, self.inside, self.most = list(plan), [], 0, 0

    def score(
        self, groups: Sequence[Group], settings: Sequence[Setting], text: TextOptions, prepared: Prepared | None = None
    ) -> Scored:
        self.inside += 1
        self.most = max(self.most, self.inside)
        start = time.perf_counter()
        seconds = self.plan[len(self.stopwatch) % len(self.plan)]
        time.sleep(seconds / 4)
        tokenised = time.perf_counter()
        time.sleep(seconds * 3 / 4)
        done = time.perf_counter()
        scored = super().score(groups, settings, text, prepared)
        scored.executed = Executed(
            seconds={"tokenise": tokenised - start, "forward": done - tokenised}, shared_tokens=6
        )
        self.stopwatch.append(time.perf_counter() - start)
        self.inside -= 1
        return scored


def asked(queries: int, clients: Sequence[int], warmup: int = 2, candidates: int = 2) -> Trial:
    groups, source = generated(1 + warmup + queries * len(clients), candidates, (3, 5))
    options = (Setting(), TextOptions(), LoadOptions())
    return Trial("fake", "fake", *options, clients, groups, source, queries, warmup)


PLAN = np.random.default_rng(0).gamma(2.0, 0.004, 137) + 0.002


def test_percentiles_are_those_of_an_outside_stopwatch() -> None:
    sleeper = Sleeper(PLAN)
    found = measure(asked(100, [1]), lambda *_: sleeper)
    outside = np.array(sleeper.stopwatch[3:])  # the first answer and two for warming up
    assert len(outside) == 100
    (served,) = found.served
    for name, p in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        assert getattr(served.total, name) == pytest.approx(np.quantile(outside, p, method="inverted_cdf"), rel=0.1)
    assert served.total.mean == pytest.approx(outside.mean(), rel=0.1)
    assert served.phases["tokenise"].mean + served.phases["forward"].mean == pytest.approx(served.total.mean, rel=0.1)
    assert served.phases["forward"].p50 == pytest.approx(3 * served.phases["tokenise"].p50, rel=0.2)
    assert found.first_seconds == pytest.approx(sleeper.stopwatch[0], rel=0.1)


def test_clients_wait_for_each_other_and_latency_is_not_throughput() -> None:
    """Four clients of a model that takes 10 ms get an answer after 40 ms each, while 100 are answered in a second."""
    sleeper = Sleeper([0.01])
    one, four = measure(asked(40, [1, 4]), lambda *_: sleeper).served
    assert sleeper.most == 1  # never two at a time
    assert 3 < four.total.p50 / one.total.p50 < 6
    assert 2 < four.phases["wait"].p50 / one.total.p50 < 5
    assert four.queries_per_second < 1.5 * one.queries_per_second


def test_loading_is_apart() -> None:
    def slow(*_: object) -> Sleeper:
        time.sleep(0.2)
        return Sleeper([0.001])

    found = measure(asked(5, [1]), slow)
    assert found.load_seconds == pytest.approx(0.2, rel=0.15)
    assert found.served[0].total.longest < 0.1


def test_no_text_is_asked_twice() -> None:
    groups = asked(20, [1, 4]).groups
    texts = [text for group in groups for text in (group.query, *group.passages)]
    assert len(set(texts)) == len(texts)
    one = asked(10, [1, 4], warmup=3)
    with pytest.raises(InputError, match="24 queries are needed and there are 3"):
        measure(Trial(**{**vars(one), "groups": one.groups[:3]}), lambda *_: Sleeper([0.001]))


def test_a_percentile_needs_its_queries() -> None:
    assert spread([1.0] * 19).p95 is None
    assert spread([1.0] * 20).p95 == 1.0
    assert spread([1.0] * 99).p99 is None
    values = list(np.random.default_rng(1).random(200))
    for p, found in ((50, spread(values).p50), (95, spread(values).p95), (99, spread(values).p99)):
        assert found in values
        assert sum(v <= found for v in values) >= p / 100 * 200 > sum(v < found for v in values)


def test_an_error_of_the_model_ends_it() -> None:
    class Broken(Sleeper):
        def score(self, *args: object, **keys: object) -> Scored:
            if len(self.stopwatch) == 5:
                raise InputError("too long")
            return super().score(*args, **keys)  # type: ignore[arg-type]

    with pytest.raises(InputError, match="too long"):
        measure(asked(6, [3]), lambda *_: Broken([0.001]))


def test_command_joins_the_run(tmp_path: Path, command: Command) -> None:
    replay_run(tmp_path)
    model, run = str(tmp_path / "encoder"), tmp_path / "run"

    def call(*arguments: str) -> tuple[int, str, str]:
        return command("latency", model, *arguments)

    assert "latency p50" not in render(load_cells([run]), layout="datasets")
    status, out, _ = call("--setting", "L1", "--run", str(run), "--queries", "20", "--candidates", "5", "--json")
    assert status == 0
    told = Latency.model_validate_json(out)
    assert (told.candidates, told.served[0].queries, told.source) == (5, 20, "words")
    cells = {cell.manifest.setting: cell for cell in load_cells([run])}
    kept = latency_of(cells["L1"])
    assert kept is not None
    assert kept.served == told.served
    assert latency_of(cells["L2"]) is None
    assert "latency p50" in render(list(cells.values()), layout="datasets")
    assert "latency p50" in report(list(cells.values()))
    other = {**cells["L1"].manifest.identity_parts, "reranker": {"weights": "of another model"}}
    changed = cells["L1"].manifest.model_copy(update={"identity_parts": other})
    assert latency_of(Cell(cells["L1"].path, changed)) is None
    assert "1 client" in to_text(kept)
    status, _, err = call("--run", str(run), "--queries", "2", "--candidates", "2", "--name", "another")
    assert (status, "no table shows it" in err) == (0, True)
    status, out, err = call("--run", str(run), "--queries", "400")
    assert (status, out, err.count("\n")) == (2, "", 1)
    path = latency_path(run, "encoder", "L1")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"load_seconds": 0.1}))
    with pytest.raises(InputError, match="damaged or edited"):
        latency_of(cells["L1"])


@pytest.mark.skipif(
    int8_kernel() is None or int8_kernel().faster is not None,  # pyright: ignore[reportOptionalMemberAccess]
    reason="this CPU has no kernel for int8 that is faster than other precisions",
)
def test_it_takes_every_dtype_that_a_run_takes(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rerankbench.rerankers.models.compiled._cpp", lambda: False)
    make(tmp_path / "model", "bert", seed=1)
    few = ("--queries", "1", "--warmup", "0", "--candidates", "2", "--json")
    status, out, _ = command("latency", str(tmp_path / "model"), "--dtype", "int8", *few)
    assert (status, Latency.model_validate_json(out).dtype) == (0, "int8")


@pytest.mark.parametrize(
    "wrong",
    [("--concurrency", "0"), ("--dtype", "int7"), ("--dataset", "x"), ("--setting", "deep"), ("--run", "/nowhere")],
)
def test_wrong_options_are_one_line(
    wrong: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["rerankbench", "latency", "all-minilm-l6-v2", "--device", "cpu", *wrong])
    with pytest.raises(SystemExit) as stop:
        main()
    out = capsys.readouterr()
    assert (stop.value.code, out.out, out.err.count("\n")) == (2, "", 1)
