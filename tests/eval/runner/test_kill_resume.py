"""A run that is killed at any moment and started again ends with the same bytes, and scores nothing twice."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import time
from pathlib import Path

import pytest
from fake_parts import FakeDataset, FakeReranker, fake_retrieve
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.results import load_cells
from rerankbench.eval.runner import first_stage
from rerankbench.eval.runner import run as runner

KILLS = int(os.environ.get("RERANKBENCH_KILLS", "20"))


def run_once(out: Path, log: Path) -> None:
    runner.load_dataset = lambda name: FakeDataset(name, queries=24)  # pyright: ignore[reportAttributeAccessIssue]
    first_stage.retrieve = fake_retrieve
    raw = {
        "name": "killed",
        "datasets": ["one", "two"],
        "first_stage": {"retriever": "bm25", "k": 8},
        "rerankers": [{"model": "fake", "cutoff_layers": [1, 3], "compress": [None, {"ratio": 2, "layers": [1]}]}],
        "engine": {"block_queries": 2},
    }
    model = FakeReranker(log, seconds=0.005)
    model.shape = None  # two passes; FLOPs play no part here
    runner.run_experiment(parse_experiment(raw, "here"), out, load=lambda *_: model)


def score_bytes(out: Path) -> dict[str, bytes]:
    files = [*out.glob("scores/**/*.parquet"), *out.glob("scores/**/group.json"), *out.glob("cells/**/run.trec.gz")]
    return {str(file.relative_to(out)): file.read_bytes() for file in files}


def stored_blocks(out: Path) -> int:
    return len(list(out.glob("scores/**/block-*.parquet")))


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path):
    # a fork server with everything imported, so that each start costs milliseconds
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["test_kill_resume", "rerankbench.eval.tables"])

    def start(out: Path, log: Path):
        process = context.Process(target=run_once, args=(out, log))
        process.start()
        return process

    warm = start(tmp_path / "warm", tmp_path / "warm.log")
    warm.join()
    whole = start(tmp_path / "whole", tmp_path / "whole.log")
    began = time.perf_counter()
    whole.join()
    seconds = time.perf_counter() - began
    assert whole.exitcode == 0
    expected = score_bytes(tmp_path / "whole")
    assert len([name for name in expected if name.endswith(".parquet")]) == 2 * 2 * 12

    moments, kills, attempts, halfway, ended = random.Random(7), 0, 0, 0, 0
    out, log = tmp_path / "out", tmp_path / "log"
    while kills < KILLS:
        attempts += 1
        assert attempts < 10 * KILLS, "the run ends before it can be killed"
        before = {file: file.read_bytes() for file in out.glob("scores/**/block-*.parquet")}
        kept = _pairs(before)
        log.unlink(missing_ok=True)
        process = start(out, log)
        process.join(moments.uniform(0.0, 0.5 * seconds))
        finished = process.exitcode is not None
        process.kill()
        process.join()
        assert not kept & set(_logged(log)), "a stored pair was scored again"
        assert all(file.read_bytes() == content for file, content in before.items()), "a stored block changed"
        if finished:
            assert process.exitcode == 0
            assert score_bytes(out) == expected
            shutil.rmtree(out)
            continue
        kills += 1
        halfway += 0 < stored_blocks(out) < 48
        ended += stored_blocks(out) == 48
        if ended == 3:  # enough kills while cells are written: it may end, and starts anew
            process, ended = start(out, log), 0
            process.join()
            assert score_bytes(out) == expected
            shutil.rmtree(out)
    print(f"{KILLS} kills, {halfway} of them while blocks were scored: the same bytes")
    assert halfway >= KILLS // 4, "too few kills fell into the scoring"

    process = start(out, log)
    process.join()
    assert process.exitcode == 0
    assert score_bytes(out) == expected
    assert len(load_cells([out])) == 2 * 5
    assert not list(out.rglob("*.tmp"))


def _pairs(blocks: dict[Path, bytes]) -> set[str]:
    """What the log would say of the pairs in some stored blocks."""
    import pyarrow.parquet as pq

    lines: set[str] = set()
    for file in blocks:
        table = pq.read_table(file)
        dataset = FakeDataset(file.parent.parent.parent.name, queries=24)
        settings = "+".join(name for name in table.column_names[2:-4])
        for query, doc in zip(table["query_id"].to_pylist(), table["doc_id"].to_pylist()):
            lines.add(f"{settings}\t{dataset.queries[query]}\t{dataset.texts([doc])[0]}")
    return lines


def _logged(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []
