"""A served model, a local decoder, a ColBERT and a monoT5 stand in one table: quality, FLOPs, latency and dollars.

The texts are made up and the weights random, so the figures mean nothing; that they are there, and are those of the
stored cells, is what is tested.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from beir_folder import write_beir
from checkpoints import PARITY
from in_process import Command
from rerank_server import rerank_server
from rerankbench.eval.board import prices
from rerankbench.eval.board.prices import CallPrice, Price
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.plan.plan import make_plan
from rerankbench.eval.report.leaderboard import leaderboard
from rerankbench.eval.results import Cell, load_cells

MODELS = {"decoder": "gemma-s1", "colbert": "colbert-s1", "monot5": "t5-s1", "served": ""}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An experiment over a small collection, and the server that one of its models asks."""
    folder = tmp_path_factory.mktemp("one-axis")
    write_beir(folder / "toy")
    with rerank_server("cohere") as server:
        entries = []
        for name, checkpoint in MODELS.items():
            raw = {"family": "encoder-decoder", "source": str(PARITY / checkpoint), "name": name, "max_length": 96}
            if name == "served":
                raw = {"family": "served", "source": "rerank-model-1", "revision": "1", "name": name}
                raw |= {"server": {"api": "cohere", "url": server.url}}
            elif name != "monot5":
                raw["family"] = {"decoder": "llm", "colbert": "late-interaction"}[name]
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(raw))
            entries.append({"model": str(folder / f"{name}.yaml"), "name": name})
        stage = {"fuse": ["bm25", {"retriever": "bm25", "stemmer": "none"}], "k": 3}
        experiment = {"name": "axis", "datasets": [str(folder / "toy")], "first_stage": stage, "rerankers": entries}
        (folder / "axis.yaml").write_text(yaml.safe_dump(experiment))
        yield folder


@pytest.fixture
def cells(place: Path, command: Command) -> list[Cell]:
    status, _, err = command("run", str(place / "axis.yaml"), "--out", str(place / "out"), "--device", "cpu")
    assert status == 0, err
    return load_cells([place / "out"])


def test_one_table_has_them_all(place: Path, cells: list[Cell], command: Command, monkeypatch: pytest.MonkeyPatch):
    for name in MODELS:
        status, _, err = command("latency", str(place / f"{name}.yaml"), "--run", str(place / "out"), "--name", name,
                                 "--queries", "1", "--warmup", "0", "--candidates", "2", "--device", "cpu")  # fmt: skip
        assert status == 0, err
        assert "no table shows it" not in err
    known = (Price("", 3.6, "now", "made up", "here"),
             CallPrice("cohere", "rerank-model-1", "search units", 2.0, 1000.0, "now", "made up", "here"))  # fmt: skip
    monkeypatch.setattr(prices, "prices", lambda: known)
    rows = read_rows(leaderboard(load_cells([place / "out"])))
    for cell in cells:
        m = cell.manifest
        if m.model not in MODELS:
            assert m.model == "rrf-bm25-bm25"
            continue
        row = rows[m.model]
        assert row["Mean of 1"] == f"{100 * m.metrics['nDCG@10']:.2f}"
        assert row["latency p50"].endswith((" ms", " s"))
        assert row["$/1,000 queries"].startswith("$")
        assert (row["FLOPs per query"] == "–") == (m.model == "served")
        assert (m.flops is None) == (m.model == "served")
        if m.model == "colbert" and m.flops is not None:
            assert 0 < (m.flops.executed or 0) < m.flops.reference  # passages are read once for all queries
    assert rows["served"]["$/1,000 queries"] == "$6.00"  # the stub bills three units for each of two queries


def read_rows(page: str) -> dict[str, dict[str, str]]:
    """Cells of the leaderboard by the name of the row and the head of the column."""
    plain = lambda cell: html.unescape(re.sub(r"<[^>]*>", "", cell)).strip()  # noqa: E731
    lines = re.findall(r"<tr\b.*?</tr>", page, re.DOTALL)
    table = [[plain(cell) for cell in re.findall(r"<t[hd]\b.*?</t[hd]>", line, re.DOTALL)] for line in lines]
    heads = next(line for line in table if "latency p50" in line)
    return {line[0].split("\n")[0].split()[0]: dict(zip(heads, line)) for line in table if len(line) == len(heads)}


def test_the_same_command_resumes(place: Path, cells: list[Cell], command: Command):
    files = {path: path.read_bytes() for path in (place / "out").glob("cells/**/manifest.json")}
    assert len(files) == 1 + len(MODELS)
    for cell in cells:
        if cell.manifest.model in ("colbert", "monot5"):
            (cell.path / "manifest.json").unlink()  # as a kill before the last file leaves it
    status, _, err = command("run", str(place / "axis.yaml"), "--out", str(place / "out"), "--device", "cpu")
    assert status == 0, err
    again = {cell.manifest.model: cell.manifest for cell in load_cells([place / "out"])}
    for cell in cells:
        m = cell.manifest
        assert (again[m.model].identity, again[m.model].metrics) == (m.identity, m.metrics)
        assert again[m.model].flops == m.flops


def test_plan_and_ls_know_them(command: Command):
    models = ["monot5-base", "gte-moderncolbert-v1"]
    raw = {"name": "x", "datasets": ["beir/scifact"], "rerankers": [{"model": model} for model in models]}
    plan = make_plan(parse_experiment(raw, "here"))
    assert [cell.model for cell in plan.cells] == models
    assert all(cell.pflops for cell in plan.cells)
    assert plan.unknown == ()
    found = json.loads(command("ls", "models", "--json")[1])
    named = {model["name"]: model for model in found}
    assert [named[model]["family"] for model in models] == ["encoder-decoder", "late-interaction"]
    assert [named[model]["settings"] for model in models] == ["full", "full"]
