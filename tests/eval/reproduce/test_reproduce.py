"""`rerankbench reproduce` end to end: a hub on this machine, tiny checkpoints and archives. No figure says anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hub_folders import hub_of
from hub_sets import put_nanobeir, put_nanobeir_lists
from rerankbench.eval.published import load_published
from rerankbench.eval.verify.golden import list_goldens, load_golden
from tiny_hub import write_hub_tree
from tiny_sources import put_beir, put_miracl

pytestmark = pytest.mark.slow
M3, BASE = "bge-reranker-v2-m3", "bge-reranker-base"
PAIRS = [("what is a river", "water that runs over stone"), ("a lamp", "green paper")]
MAIN = "from rerankbench.eval.cli import main; main()"
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

        def run(*arguments: str, program: str = MAIN, **more: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-c", program, *arguments]
            told = {**os.environ, **names, **more}
            return subprocess.run(command, cwd=place, env=told, capture_output=True, text=True, timeout=600)

        yield run


def goldens(place: Path, shift: float = 0.0) -> Path:
    """Scores of transformers itself for the stand-ins of two models."""
    folder = place / f"goldens-{shift}"
    folder.mkdir(exist_ok=True)
    for name in (M3, BASE):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(golden(place / "hub" / "models" / "BAAI" / name, shift)))
    return folder


def golden(source: Path, shift: float) -> dict[str, Any]:
    import transformers as t

    tokenizer = t.AutoTokenizer.from_pretrained(source)
    model = t.AutoModelForSequenceClassification.from_pretrained(source).eval()
    rows = []
    for query, passage in PAIRS:
        with torch.inference_mode():
            score = float(model(**tokenizer(query, passage, return_tensors="pt")).logits[0, 0])
        rows.append({"query": query, "passage": passage, "score": score + shift})
    return {
        "source": {"title": "transformers", "url": "here"},
        "dtype": "float32",
        "tolerance": {"float32": 1e-4, "float16": 0.1, "bfloat16": 0.5},
        "layers": 2,
        "heads": 1,
        "pairs": rows,
    }


def arguments(name: str, place: Path, *more: str, shift: float = 0.0) -> list[str]:
    quick = ["--set", "first_stage.k=4", "--set", "first_stage.on_mismatch=warn", "--tflops", "400"]
    return ["reproduce", name, *quick, "--goldens", str(goldens(place, shift)), *more]


@pytest.mark.parametrize(
    ("name", "figures", "cells"), [("beir-bge-large", 90, 6), ("beir-e5-mistral", 60, 4), ("miracl-bge-m3", 108, 6)]
)
def test_card_tables_within_a_budget(call: Call, place: Path, name: str, figures: int, cells: int):
    """The cheapest rows only; tests/eval/tables/test_tables_end_to_end.py runs them all."""
    done = call(*arguments(name, place, "--budget", "0.03"))
    assert done.returncode == 1, done.stderr  # random weights reproduce nothing
    ran = [line.split()[0] for line in done.stdout.splitlines() if line.endswith("  yes")]
    assert 0 < len(ran) < 15
    assert len(list((place / "results/runs" / name).glob("cells/**/manifest.json"))) == cells * len(ran)
    assert f"{name}: of {figures} published figures" in done.stdout
    assert "not run" in done.stdout
    if name == "beir-bge-large":
        assert "scores as published" in done.stdout
        assert "bge-reranker-v2-gemma: no published score of a single pair is known; not verified" in done.stdout


def test_all_models_of_a_table_and_the_same_command_continues(call: Call, place: Path):
    models = load_published("nfcorpus-top10").columns
    command = arguments("nfcorpus-top10", place)
    first = call(*command)
    assert first.returncode == 1, first.stderr
    assert "nfcorpus-top10: of 11 published figures 11 off" in first.stdout
    cells = {path: path.read_bytes() for path in (place / "results/runs/nfcorpus-top10").glob("cells/**/manifest.json")}
    assert {json.loads(text)["model"] for text in cells.values()} == {"bm25", *(column.model for column in models)}
    again = call(*command)
    assert f"{BASE}: was verified before" in again.stdout
    assert first.stdout.splitlines()[-1] == again.stdout.splitlines()[-1]
    assert {path: path.read_bytes() for path in cells} == cells
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


VERIFY = """
import contextlib, io, json, sys
import yaml
from rerankbench.eval.cli import main
from rerankbench.eval.verify.golden import load_golden

def verify(*arguments):
    sys.argv = ["rerankbench", "verify", *arguments, "--json"]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try: main()
        except SystemExit as end: return end.code or 0, json.loads(out.getvalue())

found = []
for name in sys.argv[1:]:
    code, report = verify(name)
    raw = json.loads(load_golden(name).model_dump_json()) | {"config": {}}
    raw["pairs"] = [pair | {"score": row["found"]} for pair, row in zip(raw["pairs"], report["rows"])]
    raw |= {c["what"]: int(c["found"]) for c in report["checks"] if c["what"] in ("layers", "heads")}
    with open(f"found-{name}.yaml", "w") as file: yaml.safe_dump(raw, file)
    found.append([code, report, verify(name, "--golden", f"found-{name}.yaml")[0]])
print(json.dumps(found))
"""


def test_verify_with_every_shipped_golden(call: Call):
    """Random weights do not score as published, which is told of every pair; scores that they do have are met."""
    names = [name for name in list_goldens() if name != "all-minilm-l6-v2"]  # which is no stand-in: tests/eval/verify
    done = call(*names, program=VERIFY)
    assert done.returncode == 0, done.stderr
    for name, (code, report, again) in zip(names, json.loads(done.stdout), strict=True):
        pairs, rows = load_golden(name).pairs, report["rows"]
        policies = {row["policies"] for row in rows}
        assert (code, report["passed"], again) == (1, False, 0), name
        assert len(policies) == (4 if "lightweight" in name else 1)
        shown = [(row["query"], row["passage"], row["setting"], row["published"]) for row in rows]
        assert shown == [(p.query, p.passage, p.setting, p.score) for p in pairs] * len(policies)
        assert not all(row["met"] for row in rows)  # one of many may be met by chance


def test_nanobeir_from_the_hub_and_then_offline(call: Call, place: Path):
    """Thirteen stand-ins with the published numbers of texts, fetched as parquet once; both models."""
    names = put_nanobeir(place / "hub")
    some = ["--set", "first_stage.k=3"]
    done = call("run", "nanobeir", *some)
    assert done.returncode == 0, done.stderr
    assert len(list((place / "results/runs/nanobeir").glob("cells/**/manifest.json"))) == 3 * len(names)
    offline = {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
    again = call("run", "nanobeir", *some, "--out", "again", **offline)
    assert again.returncode == 0, again.stderr
    assert again.stdout == done.stdout


def test_nanobeir_on_its_own_lists_in_both_orders(call: Call, place: Path):
    """Lists alone, then with the relevant passages that they lack; a verdict for each model that was run."""
    names = put_nanobeir(place / "hub")
    put_nanobeir_lists(place / "hub", "nanobeir-bm25", 3)
    models = ["ettin-reranker-17m", "mxbai-rerank-xsmall-v1"]

    def some(*names: str) -> list[str]:
        return ["--set", f"rerankers=[{', '.join(names)}]", "--tflops", "1", "--goldens", "none"]

    done = call("reproduce", "nanobeir-bm25", *some(*models), "--set", "first_stage.k=2")
    assert done.returncode == 1, done.stderr  # random weights reproduce nothing
    assert "nanobeir-bm25: of 19 published figures 17 not run, 2 off" in done.stdout
    for told in (
        "25 relevant passages of 25 queries are not among",
        "none was put in",
        "reranks the first 100, k is 2",
    ):
        assert done.stderr.count(told) == len(names), told
    cells = list((place / "results/runs/nanobeir-bm25").glob("cells/**/manifest.json"))
    assert len(cells) == len(names) * (1 + len(models))
    offline = {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
    more = ["--set", "first_stage.positives=added", "--out", "added"]
    added = call("reproduce", "nanobeir-bm25", *some(models[0]), *more, **offline)
    assert added.returncode == 1, added.stderr
    assert "positives: added put them in front" in added.stderr
    stages = {json.loads(path.read_text())["model"] for path in (place / "added").glob("cells/**/manifest.json")}
    assert stages == {"nanobeir-bm25-positives-added", models[0]}


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
