"""Tiny BGE, Qwen3 and ModernBERT checkpoints, a server and a user's class in one table; killed and continued."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from checkpoints import PARITY
from rerank_server import KEY, RerankServer, rerank_server
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.report import render as render_report
from rerankbench.eval.results import Cell
from rerankbench.eval.runner.run import run_experiment
from rerankbench.eval.runner.subset import Part
from rerankbench.eval.tables import render

import rerankbench

MODULE = """
import os, signal

class Overlap:
    version = "1"
    calls = 0

    def predict(self, pairs):
        Overlap.calls += 1
        if os.environ.get("KILLED_AT") == str(Overlap.calls):
            os.kill(os.getpid(), signal.SIGKILL)
        with open(os.environ["LOG"], "a") as log:
            log.writelines(f"{query} | {passage}\\n" for query, passage in pairs)
        return [len(set(query.split()) & set(passage.split())) for query, passage in pairs]
"""
SERVED = """
family: served
source: rerank-model-1
revision: "1"
server: {api: cohere, url: URL, key: SERVER_KEY, documents_per_request: 4}
"""
QWEN3 = f"""
family: token-logit
source: {PARITY / "qwen3-s1"}
template: qwen3-reranker
tokens: ["yes", "no"]
formula: difference
wording: {{answer: web_search}}
max_length: 512
"""
EXPERIMENT = f"""
name: mixed
datasets: [builtin/en]
first_stage: {{retriever: bm25, k: 6}}
rerankers:
  - {{model: {PARITY / "xlmr-s1"}, name: bge-tiny, dtype: float32}}
  - {{model: qwen3-tiny.yaml, dtype: float32}}
  - {{model: {PARITY / "modernbert-s1"}, name: modernbert-tiny, dtype: float32}}
  - model: stub.yaml
  - model: overlap_module:Overlap
engine: {{device: cpu, block_queries: 2}}
"""
NATIVE = ("bge-tiny", "qwen3-tiny", "modernbert-tiny")
Run = Callable[..., list[Cell]]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RerankServer]:
    monkeypatch.setenv("SERVER_KEY", KEY)
    with rerank_server() as one:
        yield one


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: RerankServer) -> Run:
    """Runs the experiment in this process; the class logs its pairs in a file."""
    (tmp_path / "overlap_module.py").write_text(MODULE)
    (tmp_path / "qwen3-tiny.yaml").write_text(QWEN3)
    (tmp_path / "stub.yaml").write_text(SERVED.replace("URL", server.url))
    (tmp_path / "mixed.yaml").write_text(EXPERIMENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def one(out: str, log: str) -> list[Cell]:
        monkeypatch.setenv("LOG", str(tmp_path / log))
        sys.modules.pop("overlap_module", None)
        return run_experiment(parse_experiment(yaml.safe_load(EXPERIMENT), "here"), Path(out), part=Part(limit=8))

    return one


def start(log: Path, killed_at: str = "") -> subprocess.Popen[bytes]:
    """The same by the command, in a process of its own."""
    command = [str(Path(sys.executable).with_name("rerankbench")), "run", "mixed.yaml", "--limit", "8", "--out", "out"]
    environment = {**os.environ, "LOG": str(log), "KILLED_AT": killed_at, "PYTHONPATH": ""}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def stored(out: Path) -> dict[str, bytes]:
    files = [*out.glob("scores/**/*.parquet"), *out.glob("cells/**/run.trec.gz"), *out.glob("cells/**/*.parquet")]
    return {str(file.relative_to(out)): file.read_bytes() for file in files}


def logged(log: Path) -> list[str]:
    return sorted(log.read_text().splitlines())


def blocks(model: str) -> int:
    return len(list(Path("out").glob(f"scores/*/*/{model}/*/block-*.parquet")))


def test_a_table_of_five_kinds_killed_twice_and_continued(tmp_path: Path, run: Run, server: RerankServer) -> None:
    whole = render(run("whole", "whole.log"), metric="nDCG@10", format="text")
    assert all(name in whole for name in (*NATIVE, "stub", "Overlap"))
    asked_for_all = len(server.asked)
    assert asked_for_all >= 2 * 8

    server.asked.clear()
    processes: list[subprocess.Popen[bytes]] = []
    # blocks are of two queries, each of at most two requests: the ninth is one of the third block
    server.fault = lambda number, *_: processes[0].kill() if number == 8 else None
    processes.append(start(tmp_path / "log"))
    assert processes[0].wait() == -9
    assert [blocks(name) for name in (*NATIVE, "Overlap")] == [4, 4, 4, 0]
    assert 0 < blocks("stub") < 4
    server.fault = None
    assert start(tmp_path / "log", killed_at="3").wait() == -9
    assert (blocks("stub"), blocks("Overlap")) == (4, 2)
    cells = run("out", "log")

    assert render(cells, metric="nDCG@10", format="text") == whole
    assert stored(tmp_path / "out") == stored(tmp_path / "whole")
    assert logged(tmp_path / "log") == logged(tmp_path / "whole.log")  # no pair twice
    assert len(server.asked) <= asked_for_all + 4  # of the block that was lost


def test_what_it_cost_and_what_nobody_counted(tmp_path: Path, run: Run, server: RerankServer) -> None:
    cells = run("out", "log")
    asked_for_all = len(server.asked)
    of_model = {cell.manifest.model: cell for cell in cells}
    own, served = of_model["Overlap"], of_model["stub"]
    assert own.manifest.identity_parts["reranker"] == {
        "adapter": "own/1",
        "class": "overlap_module:Overlap",
        "version": "1",
    }
    for cell in (own, served):
        m = cell.manifest
        assert (m.flops, m.tokens, m.counts.truncated) == (None, None, None)
        table = pd.read_parquet(cell.path / "per_query.parquet")
        assert table[["tokens", "truncated", "flops_reference"]].isna().all(axis=None)
        assert m.cost.pairs_per_second
    for name in NATIVE:
        native = of_model[name].manifest
        assert native.flops is not None
        assert native.flops.executed
        assert native.tokens
        assert native.counts.truncated is not None
        assert native.cost.asked is None

    cost = served.manifest.cost
    assert cost.asked is not None
    assert (cost.asked.requests, cost.asked.retried) == (asked_for_all, 0)
    assert (cost.asked.billed, cost.asked.unit) == (3.0 * asked_for_all, "search units")
    assert cost.asked.p50_seconds is not None
    assert cost.asked.p95_seconds is not None
    assert 0 < cost.asked.p50_seconds <= cost.asked.p95_seconds
    assert cost.asked.requests_per_second == pytest.approx(asked_for_all / (cost.forward_seconds or 0))
    assert cost.peak_memory_bytes is None
    assert served.manifest.provenance["device"] == "remote"
    page = render_report(cells, metric="nDCG@10")
    assert "requests/s" in page
    written = [path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not any(KEY.encode() in content for content in [*written, page.encode()])


def test_a_missing_key_is_told_before_any_work(
    tmp_path: Path, run: Run, server: RerankServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SERVER_KEY")
    with pytest.raises(rerankbench.InputError, match="put it into the environment variable SERVER_KEY"):
        rerankbench.run("mixed.yaml", out="never")
    assert not (tmp_path / "never").exists()
    assert server.asked == []


def test_another_version_is_scored_anew(tmp_path: Path, run: Run) -> None:
    run("out", "first")
    (tmp_path / "overlap_module.py").write_text(MODULE.replace('version = "1"', 'version = "two"'))
    overlap = run("out", "second")[-1].manifest
    assert logged(tmp_path / "first") == logged(tmp_path / "second")
    assert overlap.identity_parts["reranker"]["version"] == "two"
