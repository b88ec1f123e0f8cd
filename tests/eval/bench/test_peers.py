"""Peers of the bench: rows, grids, how the best place is chosen; engines that are installed score as this one."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rerankbench.eval.bench import peer_workers, rounds
from rerankbench.eval.bench.checkpoint import write_tokenizer
from rerankbench.eval.bench.options import BenchOptions, Hardware
from rerankbench.eval.bench.pairs import Workload, make_groups
from rerankbench.eval.bench.peers import peers_of
from rerankbench.eval.bench.rounds import Contender, Files, run_rounds
from rerankbench.eval.bench.summary import markdown, summarise
from rerankbench.rerankers import InputError, LoadOptions, ModelSpec, load, load_spec
from rerankbench.rerankers.random_weights import write_random_weights

ENCODER, GEMMA2 = load_spec("bge-reranker-base"), load_spec("bge-reranker-v2.5-gemma2-lightweight")
SMALL = {
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": 400,
}
CONFIGS = {
    "encoder": (ENCODER, SMALL),
    "decoder": (load_spec("bge-reranker-v2-gemma"), {**SMALL, "num_key_value_heads": 1, "head_dim": 8}),
    "scalar heads": (GEMMA2, {**SMALL, "num_key_value_heads": 2, "head_dim": 8, "start_layer": 1, "layer_sep": 1}),
}


class FakeWorker:
    """Takes the seconds that are planned for a place; the first call of a trial may be disturbed."""

    log: list[tuple[str, Any, bool]] = []  # noqa: RUF012
    planned = {1: [3.0], 4: [9.0, 1.0], 16: [2.0]}  # noqa: RUF012

    def __init__(self, command: list[str], **_: Any) -> None:
        self.name = Path(command[-1]).name.removesuffix(".options.json")
        self.stdin, self.stdout, self.calls = self, self, {}
        self.answer = {"ready": self.name, "versions": {"fake": "1"}}

    def write(self, line: str) -> None:
        asked = json.loads(line)
        size = asked["point"].get("batch_size", 1)
        self.log.append((self.name, asked["point"].get("batch_size"), asked["trial"]))
        turn = self.calls[size] = self.calls.get(size, -1) + 1
        if size not in self.planned:
            self.answer = {"refused": "RuntimeError: not here"}
            return
        seconds = self.planned[size][min(turn, len(self.planned[size]) - 1)]
        Path(asked["scores"]).write_text("[1.0, 2.0]")
        self.answer = {"seconds": seconds, "tokens": 4, "padded": 0, "peak_memory_bytes": 1}

    def readline(self) -> str:
        return json.dumps(self.answer)

    def close(self) -> None: ...

    def wait(self, timeout: float) -> None: ...


@pytest.mark.parametrize(("disturbed", "best"), [(9.0, 16), (1.5, 4)])
def test_the_best_place_is_chosen_before_the_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disturbed: float, best: int
) -> None:
    monkeypatch.setattr(rounds.subprocess, "Popen", FakeWorker)
    monkeypatch.setattr(FakeWorker, "log", [])
    monkeypatch.setattr(FakeWorker, "planned", {**FakeWorker.planned, 4: [disturbed, 1.0]})
    engines = [
        Contender("a, default", "a", "python", {}),
        Contender("b, best", "b", "python", {}, grid=[{"batch_size": n} for n in (1, 4, 16)]),
    ]
    run_rounds(engines, Files(tmp_path, "any"), Hardware(), 2, lambda line: None)
    trials = [size for name, size, trial in FakeWorker.log if trial]
    # every place once, then the two fastest once more; the engine without a grid is not tried
    assert trials[:3] == [1, 4, 16]
    assert sorted(trials[3:]) == sorted({9.0: [1, 16], 1.5: [4, 16]}[disturbed])
    assert FakeWorker.log[5:] == [("a, default", None, False), ("b, best", best, False)] * 3
    assert [len(engine.rounds) for engine in engines] == [2, 2]
    assert engines[1].point == {"batch_size": best}
    result = {"shape": "s", "setting": "full", "dtype": "float32", "device": "d", "threads": 1, "pairs": 2, "rounds": 2}
    work = {"query_tokens": 1, "passage_mean": 2, "sigma": 0.5}
    table = markdown({**result, "workload": work, "command": "c", "engines": summarise(engines, 2)})
    assert f"| b, best | batch_size {best} |" in table
    assert "b, best: batch_size 1 4 16;" in table.replace(".", ";")


def test_a_place_that_a_peer_cannot_run_at_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds.subprocess, "Popen", FakeWorker)
    grid = [{"batch_size": n} for n in (1, 3, 16)]
    engine = Contender("b, best", "b", "python", {}, grid=grid)
    run_rounds([engine], Files(tmp_path, "any"), Hardware(), 1, lambda line: None)
    assert engine.point == {"batch_size": 16}
    assert summarise([engine], 2)[0]["refused"] == [{"point": {"batch_size": 3}, "why": "RuntimeError: not here"}]
    monkeypatch.setattr(FakeWorker, "planned", {})
    with pytest.raises(InputError, match="b, best: runs at no place of its grid: RuntimeError: not here"):
        run_rounds([replace(engine)], Files(tmp_path, "any"), Hardware(), 1, lambda line: None)


def rows(spec: ModelSpec, *peers: str, which: str = "both", setting: str = "full", **where: str) -> list[Contender]:
    options = BenchOptions(peers=peers, rows=which, setting=setting)
    return peers_of(options, Hardware(**where), spec, {"device": "cpu", "max_length": 512, "layers": 2})  # pyright: ignore


def test_rows_of_a_peer() -> None:
    found = rows(ENCODER, "FlagEmbedding=flag", "openvino")
    assert [row.name for row in found] == ["FlagEmbedding, best", "FlagEmbedding, default", "openvino, best"]
    assert [row.python for row in found] == ["flag", "flag", sys.executable]
    assert found[1].grid == [{}]
    assert {"batch_size": 1} in found[0].grid
    assert {"batch_size": 1, "streams": 2} in found[2].grid
    assert [row.name for row in rows(ENCODER, "FlagEmbedding", which="default")] == ["FlagEmbedding, default"]
    (onnx,) = rows(ENCODER, "onnxruntime")
    assert {point["fused"] for point in onnx.grid} == {False, True}
    assert rows(GEMMA2, "FlagEmbedding", setting="L1")[0].options["cutoff_layers"] == [1]


@pytest.mark.parametrize(
    ("spec", "peer", "words", "why"),
    [
        (ENCODER, "openvin", {}, "peer 'openvin' is unknown"),
        (GEMMA2, "sentence-transformers", {}, "runs no lightweight reranker"),
        (ENCODER, "onnxruntime", {"dtype": "bfloat16"}, "runs no model in bfloat16"),
        (ENCODER, "openvino", {"device": "cuda:0"}, "runs no model on cuda"),
        (ENCODER, "vllm", {"dtype": "bfloat16"}, "runs no model on cpu"),
        (GEMMA2, "transformers", {"setting": "L1"}, "runs no setting but `full`"),
        (ENCODER, "FlagEmbedding", {"which": "fastest"}, "rows 'fastest' are unknown"),
    ],
)
def test_what_a_peer_does_not_run_is_refused(spec: ModelSpec, peer: str, words: dict[str, str], why: str) -> None:
    with pytest.raises(InputError, match=why):
        rows(spec, peer, **words)


@pytest.mark.parametrize("model", CONFIGS)
@pytest.mark.parametrize("peer", ["transformers", "openvino", "onnxruntime"])
def test_peers_score_as_this_engine(peer: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in {"openvino": ["openvino"], "onnxruntime": ["onnxruntime", "onnx"]}.get(peer, []):
        pytest.importorskip(package)
    monkeypatch.syspath_prepend(str(Path(peer_workers.__file__).parent))
    spec, config = CONFIGS[model]
    checkpoint = tmp_path / "model"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text(json.dumps({**spec.config, **config}))
    write_tokenizer(checkpoint, encoder=spec is ENCODER, vocab=400)
    write_random_weights(checkpoint, family=spec.family, spread=0.1)
    (row,) = rows(spec, peer)
    groups = make_groups(Workload(candidates=4, passage_mean=20))
    pairs = [(query, passage) for query, passages in groups for passage in passages]
    told = {**row.options, "threads": 1, "folder": str(tmp_path / "work")}
    engine = importlib.import_module(f"with_{peer}").load(str(checkpoint), "float32", told, pairs)
    ours = load(
        ModelSpec("tiny", spec.family, str(checkpoint), max_length=512, options=spec.options),
        LoadOptions(device="cpu", dtype="float32"),
    ).predict(pairs)
    assert np.ptp(ours) > 1e-4
    for point in (row.grid[0], {**row.grid[-1], "batch_size": 3}):  # 3 of 4: padding
        engine.prepare(point)
        engine.tokens = engine.real = 0
        np.testing.assert_allclose(engine.score(pairs), ours, rtol=1e-5, atol=1e-5)
        assert engine.tokens >= engine.real > 4 * 20
    assert engine.tokens > engine.real
