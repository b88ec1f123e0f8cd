"""A finished experiment is recognised without loading the model, and nothing else is."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from beir_folder import write_beir
from checkpoints import make
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.runner import identity_cache as known
from rerankbench.eval.runner.run import run_experiment
from rerankbench.rerankers import families, registry

from rerankbench import rerankers


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Any:
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))
    caplog.set_level(logging.INFO, "rerankbench")
    write_beir(tmp_path / "tea")
    make(tmp_path / "model", "bert", seed=1)

    def once(**keys: Any) -> tuple[dict[str, Any], bool]:
        """Manifests by setting, and whether the model was loaded."""
        entry = {"model": str(tmp_path / "model"), **keys}
        raw = {"name": "x", "datasets": [str(tmp_path / "tea")], "rerankers": [entry]}
        caplog.clear()
        cells = run_experiment(parse_experiment(raw, "here"), tmp_path / "out")
        loaded = any(": loaded on " in line for line in caplog.messages)
        assert loaded != any("the model was not loaded" in line for line in caplog.messages)
        return {cell.manifest.setting: cell.manifest for cell in cells}, loaded

    return once


def test_the_second_time_nothing_is_loaded(run: Any) -> None:
    first, loaded = run()
    assert loaded
    assert run() == (first, False)


def test_the_second_time_what_takes_long_to_import_is_not(run: Any, tmp_path: Path) -> None:
    run()
    program = f"""
import sys
from rerankbench.eval import api
cells = api.run({{"name": "x", "datasets": ["tea"], "rerankers": [{{"model": "{tmp_path / "model"}"}}]}}, out="out")
print(api.table(cells))
print({{"torch", "transformers", "pandas", "scipy", "bm25s", "numba", "ir_datasets"}} & set(sys.modules))
"""
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.endswith("\nset()\n"), done.stdout


@pytest.mark.slow
def test_whatever_changes_a_score_or_a_cell_loads_it(run: Any, tmp_path: Path, monkeypatch: Any) -> None:
    first, _ = run()
    shorter, loaded = run(max_length=16)
    assert loaded
    assert shorter["full"].identity != first["full"].identity
    assert run()[1], "its cells are those of the shorter length"
    assert not run()[1]
    for path in tmp_path.glob("out/cells/tea/model/full/manifest.json"):
        raw = json.loads(path.read_text())
        path.write_text(json.dumps({**raw, "metrics": {**raw["metrics"], "AP": 0.5}}))
    again, loaded = run()
    assert loaded
    assert again["full"].metrics == first["full"].metrics
    for path in tmp_path.glob("out/scores/**/*.parquet"):
        path.unlink()
    assert run()[1], "a block of scores was gone"
    make(tmp_path / "model", "bert", seed=2)
    other, loaded = run()
    assert loaded
    assert other["full"].identity != first["full"].identity
    assert not run()[1]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert run()[1], "another device may be seen"
    assert not run()[1]
    monkeypatch.setattr(known, "_hash_code", lambda: "another release")
    assert run()[1]
    assert not run()[1]
    for path in tmp_path.glob("cache/known/*.json"):
        path.write_text(path.read_text().replace("float32", "float16"))
    assert run()[1], "what is kept was edited"


def test_code_that_is_hashed_is_what_makes_identities() -> None:
    hashed = set(Path(rerankers.__file__).parent.rglob("*.py"))
    assert {Path(registry.__file__), *Path(families.__file__).parent.glob("*.py")} <= hashed
    assert len(known._hash_code()) == 64
