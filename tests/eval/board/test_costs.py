"""A cost column is one row: tables and the report have it at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_cells import dataset, write
from rerankbench.eval.board import costs
from rerankbench.eval.report import render as report
from rerankbench.eval.results import Cell
from rerankbench.eval.tables import render as table


@pytest.fixture
def cells(tmp_path: Path) -> list[Cell]:
    return [write(tmp_path, dataset(name, queries=5), strength=1.5, flops=8_000) for name in ("a", "b")]


@pytest.mark.parametrize("format", ["text", "md", "latex", "html"])
def test_a_new_column_of_the_mean_is_in_tables_and_report(cells: list[Cell], format: str) -> None:
    price = costs.Column("Price", lambda mean: mean.flops and mean.flops / 1000, lambda value: f"{value:.3f} units")
    before = table(cells, format=format)
    costs.OF_MEAN.append(price)
    try:
        for text in (table(cells, format=format), report(cells)):
            assert "Price" in text
            assert "8.000 units" in text
    finally:
        costs.OF_MEAN.remove(price)
    assert "Price" not in before


def test_a_new_column_of_cells_is_in_the_report(cells: list[Cell]) -> None:
    asked = costs.Column(
        "queries judged", lambda mine: float(sum(c.manifest.counts.queries for c in mine)), "{:.2f}".format
    )
    costs.OF_CELLS.append(asked)
    try:
        text = report(cells)
    finally:
        costs.OF_CELLS.remove(asked)
    assert "queries judged" in text
    assert 'data-value="10.0">10.00<' in text
