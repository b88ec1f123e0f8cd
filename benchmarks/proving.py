"""What it costs to prove stored blocks when they are read, and to hash a checkpoint.

Blocks of random scores for --pairs pairs are written and read, plainly and proven; a real run is timed with what it
proves; a sparse file of --gib GiB is hashed as a checkpoint is, first and again. Run: python proving.py
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.results import FIRST_STAGE
from rerankbench.eval.results.store import PassScores, plan_blocks
from rerankbench.eval.runner import cells, run
from rerankbench.rerankers.api import Executed, Scored
from rerankbench.rerankers.checkpoint import fingerprint
from rerankbench.rerankers.settings import Setting

DEPTH, QUERIES_PER_BLOCK = 100, 16  # candidates of a query; the default of engine.block_queries


def timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def blocks(folder: Path, pairs: int) -> None:
    draw = np.random.default_rng(0)
    docs = [f"document-{n}" for n in range(50_000)]
    run = {
        f"query-{q}": [(docs[d], 0.0) for d in draw.choice(len(docs), DEPTH, replace=False)]
        for q in range(pairs // DEPTH)
    }
    group = PassScores.make(folder, {"model": "x"}, [Setting(None)], QUERIES_PER_BLOCK)
    group.open()
    planned = plan_blocks(run, QUERIES_PER_BLOCK)
    for block in planned:
        lengths = draw.integers(5, 500, block.pairs, dtype=np.int32)
        scores = draw.standard_normal((1, block.pairs), dtype=np.float32)
        done = Scored(scores, lengths, lengths, lengths, lengths > 400, Executed(seconds={"forward": 1.0}))
        group.write(block, done, {"seconds": {}})
    plain = min(timed(lambda: [pq.read_table(group.path(block)) for block in planned]) for _ in range(3))
    proven = min(timed(lambda: [group.stored(block) for block in planned]) for _ in range(3))
    assert all(group.stored(block) is not None for block in planned)
    print(f"{sum(block.pairs for block in planned):,} pairs in {len(planned)} blocks: read in {plain:.2f} s, ", end="")
    print(f"read and proven in {proven:.2f} s: proving takes {proven - plain:.2f} s")


class Clock:
    """Adds up the seconds within some functions."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def wrap(self, place: Any, name: str) -> None:
        inner = getattr(place, name)

        def outer(*arguments: Any) -> Any:
            start = time.perf_counter()
            try:
                return inner(*arguments)
            finally:
                self.seconds += time.perf_counter() - start

        setattr(place, name, outer)


def real_run(folder: Path) -> None:
    """The smallest real model, of which one layer of six runs: few runs have less to do for a pair."""
    clock = Clock()
    clock.wrap(PassScores, "stored")
    clock.wrap(cells, "prove")
    clock.wrap(cells, "recomputed")
    entry = {"model": "all-minilm-l6-v2", "cutoff_layers": [1]}
    raw = {
        "name": "x",
        "datasets": [f"builtin/{code}" for code in ("de", "en", "es", "hi", "zh")],
        "rerankers": [entry],
    }
    experiment = parse_experiment({**raw, "engine": {"device": "cpu"}}, "here")
    scored = timed(lambda: run.run_experiment(experiment, folder / "out"))
    first = clock.seconds
    found: list[Any] = []
    again = timed(lambda: found.extend(run.run_experiment(experiment, folder / "out")))
    pairs = sum(cell.manifest.counts.pairs for cell in found if cell.manifest.setting != FIRST_STAGE)
    print(f"a run of {pairs} pairs on {os.cpu_count()} CPUs: {scored:.2f} s, of which reading and proving", end=" ")
    print(f"{first:.3f} s ({100 * first / scored:.1f} %); again, all stored: {again:.2f} s", end=", ")
    print(f"of which {clock.seconds - first:.3f} s")


def checkpoint(folder: Path, gib: float) -> None:
    path = folder / "model.safetensors"
    with path.open("wb") as file:
        file.truncate(int(gib * 2**30))
    time.sleep(3)  # what was just written is not kept
    first, again = (timed(lambda: fingerprint.file_hash(path)) for _ in range(2))
    print(f"{gib:g} GiB (sparse: without the disk): hashed in {first:.1f} s, {gib / first:.2f} GiB/s; ", end="")
    print(f"again, kept: {1000 * again:.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--gib", type=float, default=16)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ["RERANKBENCH_CACHE"] = str(Path(name) / "cache")
        blocks(Path(name) / "scores", wanted.pairs)
        real_run(Path(name))
        checkpoint(Path(name), wanted.gib)


if __name__ == "__main__":
    main()
