"""`rerankbench reproduce` end to end: a hub on this machine, tiny checkpoints and archives. No figure says anything."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import yaml
from hub_folders import hub_of
from hub_sets import put_nanobeir
from tiny_hub import write_hub_tree
from tiny_sources import put_beir, put_miracl

pytestmark = pytest.mark.slow
M3 = "bge-reranker-v2-m3"
PAIRS = [("what is a river", "water that runs over stone"), ("a lamp", "green paper")]
Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reproduce")
    put_beir(folder / "irds")
    put_miracl(folder / "irds")
    write_hub_tree(folder / "hub")
    return folder


@pytest.fixture(scope="module")
def call(place: Path) -> Iterator[Call]:
    with hub_of(place / "hub") as address:
        names = {"HF_ENDPOINT": address, "HF_HOME": str(place / "hf"), "IR_DATASETS_HOME": str(place / "irds")}
        names |= {"RERANKBENCH_CACHE": str(place / "cache"), "no_proxy": "127.0.0.1", "OMP_NUM_THREADS": "1"}

        def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-c", "from rerankbench.eval.cli import main; main()", *arguments]
            told = {**os.environ, **names, **more}
            return subprocess.run(command, cwd=place, env=told, capture_output=True, text=True, timeout=600)

        yield run


def goldens(place: Path, shift: float = 0.0) -> Path:
    """Scores of transformers itself for the stand-in of one model."""
    import transformers as t

    source = place / "hub" / "models" / "BAAI" / M3
    tokenizer = t.AutoTokenizer.from_pretrained(source)
    model = t.AutoModelForSequenceClassification.from_pretrained(source).eval()
    rows = []
    for query, passage in PAIRS:
        with torch.inference_mode():
            score = float(model(**tokenizer(query, passage, return_tensors="pt")).logits[0, 0])
        rows.append({"query": query, "passage": passage, "score": score + shift})
    raw = {
        "source": {"title": "transformers", "url": "here"},
        "dtype": "float32",
        "tolerance": {"float32": 1e-4, "float16": 0.1, "bfloat16": 0.5},
        "layers": 2,
        "heads": 1,
        "pairs": rows,
    }
    folder = place / f"goldens-{shift}"
    folder.mkdir(exist_ok=True)
    (folder / f"{M3}.yaml").write_text(yaml.safe_dump(raw))
    return folder


def arguments(name: str, place: Path, *more: str, shift: float = 0.0) -> list[str]:
    quick = ["--set", "first_stage.k=4", "--set", "first_stage.on_mismatch=warn", "--tflops", "400"]
    return ["reproduce", name, *quick, "--goldens", str(goldens(place, shift)), *more]


@pytest.mark.parametrize(
    ("name", "figures", "cells"), [("beir-bge-large", 90, 6), ("beir-e5-mistral", 60, 4), ("miracl-bge-m3", 108, 6)]
)
def test_card_tables_within_a_budget(call: Call, place: Path, name: str, figures: int, cells: int):
    """The cheapest rows only; tests/eval/tables/test_tables_end_to_end.py runs them all."""
    done = call(*arguments(name, place, "--budget", "0.06"))
    assert done.returncode == 1, done.stderr  # random weights reproduce nothing
    ran = [line.split()[0] for line in done.stdout.splitlines() if line.endswith("  yes")]
    assert 0 < len(ran) < 15
    assert len(list((place / "results/runs" / name).glob("cells/**/manifest.json"))) == cells * len(ran)
    assert f"{name}: of {figures} published figures" in done.stdout
    assert "not run" in done.stdout
    if name == "beir-bge-large":
        assert "scores as published" in done.stdout
        assert "bge-reranker-v2-gemma: no published score of a single pair is known; not verified" in done.stdout


def test_the_same_command_continues_and_verifies_no_more(call: Call, place: Path):
    some = f"rerankers=[{{model: bge-reranker-base, max_length: 512}}, {{model: {M3}, max_length: 512}}]"
    command = arguments("nfcorpus-top10", place, "--set", some)
    first = call(*command)
    assert first.returncode == 1, first.stderr
    assert "nfcorpus-top10: of 8 published figures 7 not run, 1 off" in first.stdout
    (cell, *_) = sorted((place / "results/runs/nfcorpus-top10").glob(f"cells/**/{M3}/**/manifest.json"))
    before = cell.read_bytes()
    again = call(*command)
    assert "was verified before" in again.stdout
    assert first.stdout.splitlines()[-1] == again.stdout.splitlines()[-1]
    assert cell.read_bytes() == before
    offline = call(*command, HF_HUB_OFFLINE="1", HF_ENDPOINT="http://127.0.0.1:9")
    assert offline.stdout == again.stdout


def test_nothing_is_run_while_a_model_is_off(call: Call, place: Path):
    out = place / "off"
    some = ["--out", str(out), "--set", f"rerankers=[{{model: {M3}}}]", "--set", "first_stage.retriever=bm25"]
    command = arguments("fiqa-bge-large", place, *some, shift=0.01)
    done = call(*command)
    assert done.returncode == 1
    assert f"{M3}: not as published, so nothing was run" in done.stderr
    assert not list(out.glob("cells/**/manifest.json"))
    call(*command, "--no-verify")
    assert list(out.glob("cells/**/manifest.json"))


def test_nanobeir_from_the_hub_and_then_offline(call: Call, place: Path):
    """Thirteen stand-ins with the published numbers of texts, fetched as parquet once."""
    names = put_nanobeir(place / "hub")
    some = ["--set", "first_stage.k=3", "--set", "rerankers=[{model: ms-marco-tinybert-l2-v2}]"]
    done = call("run", "nanobeir", *some)
    assert done.returncode == 0, done.stderr
    assert len(list((place / "results/runs/nanobeir").glob("cells/**/manifest.json"))) == 2 * len(names)
    offline = {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
    again = call("run", "nanobeir", *some, "--out", "again", **offline)
    assert again.returncode == 0, again.stderr
    assert again.stdout == done.stdout


def test_unusable_input_is_one_line(call: Call, place: Path):
    for more, message in (
        (("beir-bge-larg",), "did you mean 'beir-bge-large'?"),
        (("quickstart",), "no published table is named; choose one with --published"),
        (
            ("beir-bge-large", "--tflops", "400", "--budget", "0", "--out", "fresh"),
            "not even the cheapest dataset fits",
        ),
    ):
        done = call("reproduce", *more)
        assert done.returncode == 2
        assert message in done.stderr
    assert not (place / "fresh").exists()
