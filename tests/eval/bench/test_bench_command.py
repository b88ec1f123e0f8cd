"""`rerankbench bench` from the command line to JSON, on a model that takes milliseconds."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rerankbench.eval.bench import rounds, run, worker
from rerankbench.eval.cli import main

CONFIG = {
    "model_type": "minicpm", "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 4, "intermediate_size": 48, "vocab_size": 400, "max_position_embeddings": 2048,
    "scale_emb": 12, "scale_depth": 1.4, "dim_model_base": 16, "head_multi": True, "start_layer": 1,
}  # fmt: skip


class InThread:
    """A worker without the seconds that a process takes to import PyTorch; the same lines go through real pipes."""

    def __init__(self, command: list[str], **_: Any) -> None:
        assert command[1:3] == ["-m", worker.__name__]
        (told, tell), (hear, said) = os.pipe(), os.pipe()
        self.stdin, self.stdout = os.fdopen(tell, "w", buffering=1), os.fdopen(hear)
        self._thread = threading.Thread(target=self._serve, args=(command[3:], told, said), daemon=True)
        self._thread.start()

    @staticmethod
    def _serve(arguments: list[str], told: int, said: int) -> None:
        with os.fdopen(told) as lines, os.fdopen(said, "w", buffering=1) as answers:
            worker.serve(arguments, lines, answers)

    def wait(self, timeout: float) -> None:
        self._thread.join(timeout)
        assert not self._thread.is_alive()
        self.stdout.close()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command; gives its JSON, with the scores of each engine beside it."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    monkeypatch.setattr(rounds.subprocess, "Popen", InThread)
    scores: list[list[float]] = []
    summarise = run.summarise
    monkeypatch.setattr(
        run, "summarise", lambda found, n: (scores.extend(e.scores for e in found), summarise(found, n))[1]
    )

    def call(*arguments: str) -> tuple[dict[str, Any], list[list[float]]]:
        scores.clear()
        threads = str(torch.get_num_threads())
        words = ["bench", str(folder), "--rounds", "1", "--candidates", "2", "--threads", threads, "--json", *arguments]
        monkeypatch.setattr("sys.argv", ["rerankbench", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        out = capsys.readouterr()
        assert stop.value.code in (0, None), out.err
        return json.loads(out.out), list(scores)

    return call


def test_engines_speed_and_scores(bench: Any) -> None:
    result, (full, shallow, swept) = bench("--sweep", "--against", "L1")
    engines = {record["engine"]: record for record in result["engines"]}
    assert list(engines) == ["rerankbench", "rerankbench L1", "rerankbench sweep of 3"]
    assert (result["pairs"], result["rounds"], result["setting"]) == (2, 1, "full")
    for record in engines.values():
        assert record["pairs_per_second"] == pytest.approx(2 / record["seconds"][0])
        assert record["pairs_per_second"] > 0
        assert record["tokens_per_second"] > record["pairs_per_second"]
    assert engines["rerankbench L1"]["flops"] < engines["rerankbench"]["flops"]
    # the sweep ends at the layer of `full`, and reads two more heads on the way
    np.testing.assert_allclose(swept, full, rtol=0, atol=2e-6)
    assert engines["rerankbench sweep of 3"]["flops"] > engines["rerankbench"]["flops"]
    assert engines["rerankbench L1"]["score_difference"] == np.abs(np.subtract(shallow, full)).max() > 1e-4
    assert np.ptp(full) > 1e-5


def test_another_dtype_is_timed_on_the_same_weights(bench: Any) -> None:
    result, (exact, rounded) = bench("--also-dtype", "bfloat16")
    first, other = result["engines"]
    assert (first["engine"], other["engine"]) == ("rerankbench", "rerankbench bfloat16")
    assert (first["comparable"], other["comparable"]) == (False, True)
    assert other["score_difference"] == np.abs(np.subtract(exact, rounded)).max() > 0
    assert first["flops"] == other["flops"]


def test_another_token_budget_gives_the_same_scores(bench: Any) -> None:
    (together, (one_pass,)), (apart, (two_passes,)) = (
        bench("--seed", "1"),
        bench("--seed", "1", "--token-budget", "200"),
    )
    assert apart["engines"][0]["shared_tokens"] < together["engines"][0]["shared_tokens"]
    np.testing.assert_allclose(two_passes, one_pass, rtol=0, atol=2e-6)
    assert np.ptp(one_pass) > 1e-5
    other = bench("--seed", "2")[1][0]
    assert np.abs(np.subtract(other, one_pass)).max() > 1e-4
