"""A tiny cross-encoder and a user's class in one table, killed in the middle and continued: the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml
from checkpoints import PARITY
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.results import Cell
from rerankbench.eval.runner.run import run_experiment
from rerankbench.eval.tables import render

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
EXPERIMENT = f"""
name: mixed
datasets: [builtin/en]
first_stage: {{retriever: bm25, k: 6}}
rerankers:
  - {{model: {PARITY / "xlmr-s1"}, name: bge-tiny, dtype: float32}}
  - model: overlap_module:Overlap
engine: {{device: cpu, block_queries: 2}}
"""
Run = Callable[..., list[Cell]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the experiment in this process; the class logs its pairs in a file."""
    (tmp_path / "overlap_module.py").write_text(MODULE)
    (tmp_path / "mixed.yaml").write_text(EXPERIMENT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    def one(out: str, log: str) -> list[Cell]:
        monkeypatch.setenv("LOG", str(tmp_path / log))
        sys.modules.pop("overlap_module", None)
        return run_experiment(parse_experiment(yaml.safe_load(EXPERIMENT), "here"), Path(out), limit=8)

    return one


def stored(out: Path) -> dict[str, bytes]:
    files = [*out.glob("scores/**/*.parquet"), *out.glob("cells/**/run.trec.gz"), *out.glob("cells/**/*.parquet")]
    return {str(file.relative_to(out)): file.read_bytes() for file in files}


def logged(log: Path) -> list[str]:
    return sorted(log.read_text().splitlines())


def test_a_table_of_two_kinds_broken_off_and_continued(tmp_path: Path, run: Run) -> None:
    whole = render(run("whole", "whole.log"), metric="nDCG@10", format="text")
    assert "Overlap" in whole
    assert "bge-tiny" in whole

    command = [str(Path(sys.executable).with_name("rerankbench")), "run", "mixed.yaml", "--limit", "8", "--out", "out"]
    environment = {**os.environ, "LOG": str(tmp_path / "log"), "KILLED_AT": "3", "PYTHONPATH": ""}
    killed = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert killed.returncode == -9
    assert len(list((tmp_path / "out").glob("scores/*/*/Overlap/*/block-*.parquet"))) == 2
    cells = run("out", "log")
    assert render(cells, metric="nDCG@10", format="text") == whole
    assert stored(tmp_path / "out") == stored(tmp_path / "whole")
    assert logged(tmp_path / "log") == logged(tmp_path / "whole.log")  # no pair twice

    of_model = {cell.manifest.model: cell for cell in cells}
    manifest = of_model["Overlap"].manifest
    reranker = {"adapter": "own/1", "class": "overlap_module:Overlap", "version": "1"}
    assert manifest.identity_parts["reranker"] == reranker
    # nobody counted tokens or FLOPs, and none are told
    assert (manifest.flops, manifest.tokens, manifest.counts.truncated) == (None, None, None)
    table = pd.read_parquet(of_model["Overlap"].path / "per_query.parquet")
    assert table[["tokens", "truncated", "flops_reference"]].isna().all(axis=None)
    assert manifest.cost.pairs_per_second
    assert of_model["bge-tiny"].manifest.flops
    assert of_model["bge-tiny"].manifest.counts.truncated is not None


def test_another_version_is_scored_anew(tmp_path: Path, run: Run) -> None:
    run("out", "first")
    (tmp_path / "overlap_module.py").write_text(MODULE.replace('version = "1"', 'version = "two"'))
    overlap = run("out", "second")[-1].manifest
    assert logged(tmp_path / "first") == logged(tmp_path / "second")
    assert overlap.identity_parts["reranker"]["version"] == "two"
