"""A small run to attack: two documents' worth of everything, through the command line."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from attack import Outcome, cli
from beir_folder import write_beir
from checkpoints import make


@dataclass
class Trial:
    """An experiment in a folder of its own, and where it writes."""

    folder: Path

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def experiment(self) -> Path:
        return self.folder / "trial.yaml"

    def write(self, **changes: object) -> None:
        """The experiment file; JSON is YAML."""
        raw = {
            "name": "trial",
            "datasets": [str(self.folder / "data")],
            "rerankers": [{"model": str(self.folder / "model"), "dtype": "float32"}],
            "engine": {"device": "cpu", "block_queries": 1},
            **changes,
        }
        self.experiment.write_text(json.dumps(raw), encoding="utf-8")

    def run(self, *more: object) -> Outcome:
        return cli("run", self.experiment, "--out", self.out, *more)

    @property
    def blocks(self) -> list[Path]:
        return sorted(self.out.glob("scores/**/block-*.parquet"))

    @property
    def cell(self) -> Path:
        return self.out / "cells" / "data" / "model" / "full"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    trial = Trial(folder)
    write_beir(folder / "data")
    make(folder / "model", "bert")
    trial.write()
    trial.run().well()
    return folder


@pytest.fixture
def trial(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """A copy of a finished run."""
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, tmp_path / "trial")
    found = Trial(tmp_path / "trial")
    found.write()
    return found


@pytest.fixture
def fresh(trial: Trial) -> Trial:
    """The same before its first run."""
    shutil.rmtree(trial.out)
    return trial
