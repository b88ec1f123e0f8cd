"""What the tests of the Ray engine run in the driver and in the workers, which import it by name."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from fake_parts import FakeDataset, FakeReranker, fake_retrieve
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.first_stage.retriever import RetrieverSpec
from rerankbench.eval.runner import first_stage
from rerankbench.eval.runner import run as runner
from rerankbench.rerankers.api import Prepared, Scored
from rerankbench.rerankers.errors import InputError, ScoreError
from rerankbench.rerankers.options import LoadOptions
from rerankbench.rerankers.spec import ModelSpec

RAY = {"name": "ray", "workers": 2, "gpus_per_worker": 0, "threads_per_worker": 1, "block_queries": 2}


def open_dataset(name: str) -> FakeDataset:
    return FakeDataset(name, queries=24)


class Scripted(FakeReranker):
    """Misbehaves as the files in a folder say: `die-WORD` and so on act once, `nan-WORD` and `cut-WORD` always."""

    def __init__(self, folder: Path, seconds: float) -> None:
        super().__init__(seconds=seconds)
        self.shape = None
        self.folder, self.prepared, self.begun = folder, 0, 0

    def prepare(self, groups: Any, text: Any) -> Prepared:
        self.prepared += 1
        for file in self.folder.glob("cut-*"):
            if any(file.name[4:] in group.query.split() for group in groups):
                raise ScoreError(f"score nan for question {file.name[4:]}")
        return super().prepare(groups, text)

    def score(self, groups: Any, settings: Any, text: Any, prepared: Any = None) -> Scored:
        assert prepared is not None
        self.begun += 1
        scored = self._score(groups, settings, text, prepared)
        if self.prepared > self.begun:
            (self.folder / "ahead").touch()
        return scored

    def _score(self, groups: Any, settings: Any, text: Any, prepared: Any) -> Scored:
        for file in self.folder.glob("*-*"):
            what, _, word = file.name.partition("-")
            if any(word in group.query.split() for group in groups):
                if what == "nan":
                    raise ScoreError(f"score nan for question {word}")
                file.unlink()
                if what == "raise":
                    raise RuntimeError("a device error")
                if what == "die":
                    os.abort()
                time.sleep(3600)
        return super().score(groups, settings, text, prepared)


class Loader:
    """Loads a scripted model and notes the process that did, so that a test can kill it."""

    def __init__(self, folder: Path, seconds: float = 0.0) -> None:
        self.folder, self.seconds = folder, seconds
        (folder / "processes").mkdir(parents=True, exist_ok=True)

    def __call__(self, model: ModelSpec, options: LoadOptions) -> Scripted:
        if model.name == "absent":
            raise InputError("model 'absent' is nowhere")
        (self.folder / "processes" / str(os.getpid())).touch()
        return Scripted(self.folder, self.seconds)


def run(out: Path, loader: Loader, engine: dict[str, Any], *, model: str = "fake", datasets: Any = ("one", "two")):
    """Two datasets of 24 queries (23 with candidates) in blocks of 2: 24 blocks."""
    raw = {
        "name": "spread",
        "datasets": list(datasets),
        "first_stage": {"retriever": "bm25", "k": 8},
        "rerankers": [{"model": model, "cutoff_layers": [1, 3]}],
        "engine": engine,
    }
    with patch.object(runner, "load_dataset", open_dataset), patch.object(first_stage, "retrieve", fake_retrieve):
        return runner.run_experiment(parse_experiment(raw, "here"), out, load=loader)


def score_bytes(out: Path) -> dict[str, bytes]:
    files = [*out.glob("scores/**/*.parquet"), *out.glob("scores/**/group.json"), *out.glob("cells/**/run.trec.gz")]
    return {str(file.relative_to(out)): file.read_bytes() for file in files}


def drive(out: str, folder: str) -> None:
    """A driver of its own, for a test to kill."""
    run(Path(out), Loader(Path(folder), 0.1), RAY)


class Letters:
    """A text's vector counts some letters; dies once when a file says so."""

    dimensions = 26

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def encode(self, texts: Sequence[str], *, queries: bool) -> np.ndarray:
        if (self.folder / "die").exists() and any("document 17" in text for text in texts):
            (self.folder / "die").unlink()
            os.abort()
        if (self.folder / "broken").exists():
            raise InputError("the vector is not finite")
        return np.array([[text.count(chr(97 + i)) + queries for i in range(26)] for text in texts], np.float32)


class MakeLetters:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, spec: RetrieverSpec, device: str) -> Letters:
        return Letters(self.folder)
