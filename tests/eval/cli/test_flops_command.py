"""`rerankbench flops`: the figures of the card's headline, and one-line errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from in_process import Command
from rerankbench.rerankers import list_models, load_spec
from rerankbench.rerankers.registry import shape_of

HEADLINE = ["--cutoff-layer", "25", "--compress-ratio", "2", "--compress-layers", "8"]
LIGHTWEIGHT = "bge-reranker-v2.5-gemma2-lightweight"


@pytest.fixture
def run(command: Command) -> Any:
    """Run the command: (exit status, stdout, stderr)."""

    def call(*arguments: str) -> tuple[int, str, str]:
        return command("flops", *arguments)

    return call


def test_the_cards_headline(run: Any) -> None:
    lengths = ["--query-tokens", "20", "--passage-tokens", "150", "--prompt-tokens", "14"]
    status, out, _ = run(LIGHTWEIGHT, *lengths, *HEADLINE, "--json")
    report = json.loads(out)
    assert status == 0
    assert report["saved"] == pytest.approx(0.570, abs=0.003)
    assert report["saved_naive"] == pytest.approx(0.607, abs=0.002)
    assert report["saved"] == 1 - report["reference"] / report["full"]
    assert report["setting"] == "L25-r2@8"
    assert report["stretches"] == [{"layers": 8, "tokens": 184}, {"layers": 17, "tokens": 109}]
    assert report["seconds"] is None


def test_printed_shapes_add_up_to_the_printed_count(run: Any) -> None:
    report = json.loads(run(LIGHTWEIGHT, *HEADLINE, "--json")[1])
    layer, runs = report["layer"], [(r["layers"], r["tokens"]) for r in report["stretches"]]
    by_hand = sum(n * (layer["per_token"] * s + layer["per_query_key"] * s * s) for n, s in runs)
    assert report["reference"] == by_hand + report["head"]["per_token"] * runs[-1][1]


def test_causal_count_is_smaller(run: Any) -> None:
    dense, causal = (json.loads(run(LIGHTWEIGHT, *extra, "--json")[1]) for extra in ([], ["--causal"]))
    attended = 42 * dense["layer"]["per_query_key"] * (184 * 184 - 184 * 185 // 2)
    assert dense["reference"] - causal["reference"] == attended
    assert dense["useful"] == causal["useful"]


def test_seconds_on_a_device(run: Any) -> None:
    named = json.loads(run(LIGHTWEIGHT, "--device", "a100", "--json")[1])
    free = json.loads(run(LIGHTWEIGHT, "--tflops", "312", "--json")[1])
    assert named["seconds"] == free["seconds"] == pytest.approx(named["reference"] / 312e12)


def test_table_shows_the_same_figures(run: Any) -> None:
    out = run(LIGHTWEIGHT, *HEADLINE, "--tflops", "100")[1]
    assert "1,325,650,291,712" in out
    assert "57.0%" in out
    assert "60.7%" in out
    assert "13.257 ms" in out
    assert max(map(len, out.splitlines())) <= 100


def test_a_model_folder_works(run: Any, tmp_path: Path) -> None:
    raw = load_spec(LIGHTWEIGHT).config
    (tmp_path / "config.json").write_text(json.dumps(raw))
    named, folder = (json.loads(run(model, "--json")[1]) for model in (LIGHTWEIGHT, str(tmp_path)))
    assert {**named, "model": ""} == {**folder, "model": ""}


@pytest.mark.parametrize("model", [name for name in list_models() if shape_of(load_spec(name))])
def test_every_model_with_a_shape_can_be_counted(run: Any, model: str) -> None:
    status, out, _ = run(model, "--json")
    report = json.loads(out)
    assert status == 0
    assert 0 < report["useful"] <= report["reference"] == report["full"]
    config = load_spec(model).config
    texts = 2 if report["family"] in ("bi-encoder", "late-interaction") else 1  # passed through the layers apart
    layers = 1 if report["family"] == "late-interaction" else config.get("num_hidden_layers") or config["num_layers"]
    assert texts * layers == sum(stretch["layers"] for stretch in report["stretches"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bge-reranker-v2.5-gemma2-lightwight"], "did you mean 'bge-reranker-v2.5-gemma2-lightweight'"),
        ([LIGHTWEIGHT, "--cutoff-layer", "5"], "cutoff layer 5 has no output head; valid: 8 to 42"),
        ([LIGHTWEIGHT, "--compress-ratio", "2"], "say where"),
        ([LIGHTWEIGHT, "--compress-layers", "8"], "say how much"),
        ([LIGHTWEIGHT, "--compress-ratio", "2", "--compress-layers", "8;9"], "--compress-layers '8;9'"),
        ([LIGHTWEIGHT, "--device", "h1000"], "--device 'h1000' is unknown"),
        ([LIGHTWEIGHT, "--device", "a100", "--tflops", "3"], "give one of them"),
        ([LIGHTWEIGHT, "--tflops", "0"], "must be positive"),
        (["bge-reranker-base", "--prompt-tokens", "3"], "has no prompt"),
        (["bge-reranker-base", *HEADLINE], "cannot compress tokens"),
    ],
)
def test_bad_input_is_one_line(run: Any, arguments: list[str], message: str) -> None:
    status, out, err = run(*arguments)
    assert status == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


def test_a_specification_without_shape_says_so(run: Any, tmp_path: Path) -> None:
    spec = tmp_path / "other.yaml"
    spec.write_text(yaml.safe_dump({"family": "sequence-classification", "source": "someone/other"}))
    status, _, err = run(str(spec))
    assert status == 2
    assert "states it as `config`" in err
