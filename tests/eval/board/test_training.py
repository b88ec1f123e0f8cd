"""Which figures are in-domain, and the means over both kinds of rows."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pytest
from rerankbench.configs import CONFIGS, read
from rerankbench.eval.board.pivot import Variant, pivot
from rerankbench.eval.board.training import knows, split_means
from rerankbench.eval.data import list_datasets
from rerankbench.eval.report import render as report
from rerankbench.eval.results import FIRST_STAGE, Cell
from rerankbench.eval.tables import render
from table_cells import make_cell


def cell(dataset: str, score: float, trained_on: Any, model: str = "toy", **more: Any) -> Cell:
    said = {"name": model, "trained_on": trained_on}
    return make_cell(dataset, score, model, provenance={"model": said}, **more)


@pytest.mark.parametrize(
    ("dataset", "trained_on", "expected"),
    [
        ("beir/nq", ["NQ", "FEVER"], "in-domain"),
        ("beir/nq", ["Natural Questions"], "in-domain"),
        ("beir/msmarco", ["mMARCO"], "in-domain"),
        ("beir/climate-fever", ["FEVER"], "zero-shot"),
        ("beir/scifact", ["NQ"], "zero-shot"),
        ("miracl/sw", ["MIRACL"], "in-domain"),
        ("miracl/de", ["de"], "zero-shot"),
        ("my-own", ["My Own"], "in-domain"),
        ("beir/nq", "not disclosed", "not disclosed"),
        ("beir/nq", None, None),
    ],
)
def test_training_data_are_matched_by_name(dataset: str, trained_on: Any, expected: str | None) -> None:
    assert knows(cell(dataset, 0.5, trained_on)) == expected


def test_a_shipped_model_is_known_without_a_note_in_the_run() -> None:
    assert knows(make_cell("beir/nq", 0.5, "bge-reranker-large")) == "in-domain"
    assert knows(make_cell("beir/scifact", 0.5, "bge-reranker-large")) == "zero-shot"
    assert knows(make_cell("beir/nq", 0.5, "jina-reranker-v2-base-multilingual")) == "not disclosed"
    assert knows(make_cell("beir/nq", 0.5, "bge-reranker-large", FIRST_STAGE)) is None


def test_every_name_of_the_file_is_a_dataset() -> None:
    known = {info.name for info in list_datasets()} | {"miracl"}
    assert set(read(CONFIGS / "training_sets.yaml")) <= known


CELLS = [
    cell("beir/nq", 0.5, ["NQ", "FEVER"]),
    cell("beir/fever", 0.8, ["NQ", "FEVER"]),
    cell("beir/scifact", 0.6, ["NQ", "FEVER"]),
    cell("beir/nq", 0.4, "not disclosed", "secret"),
    cell("beir/fever", 0.4, "not disclosed", "secret"),
    cell("beir/scifact", 0.4, "not disclosed", "secret"),
]


def test_means_over_both_kinds_of_rows() -> None:
    split = split_means(pivot(CELLS, "nDCG@10"), Variant("toy", "full"))
    assert split is not None
    assert split.in_domain.score == pytest.approx(100 * np.mean([0.5, 0.8]))
    assert split.zero_shot.score == pytest.approx(60)
    assert split_means(pivot(CELLS, "nDCG@10"), Variant("secret", "full")) is None


@pytest.mark.parametrize("format", ["text", "md", "html"])
def test_tables_say_so(format: str) -> None:
    table = render(CELLS, format=format)
    assert "65.00 of 2" in table
    assert "60.00 of 1" in table
    assert "°" in table.replace("° in-domain", "")
    assert "training data not disclosed: secret" in table


def test_files_for_programs_say_so() -> None:
    rows = list(csv.DictReader(io.StringIO(render(CELLS, format="csv"))))
    said = {(row["dataset"], row["model"]): row["training"] for row in rows if row["level"] == "cell"}
    assert said["beir/nq", "toy"] == "in-domain"
    assert said["beir/scifact", "toy"] == "zero-shot"
    assert {row["training"] for row in json.loads(render(CELLS, format="json"))} == {
        "in-domain", "zero-shot", "not disclosed"
    }  # fmt: skip
    page = report(CELLS)
    assert "In-domain mean" in page
    assert "Training data not disclosed: secret" in page


def test_nothing_is_said_where_nothing_is_known() -> None:
    table = render([make_cell("a", 0.5), make_cell("b", 0.6)])
    assert "in-domain" not in table
    assert "disclosed" not in table
