"""Comparison tables: cells in, one string out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..results import Cell

Format = Literal["text", "md", "csv", "latex", "html", "json"]
Layout = Literal["auto", "beir", "miracl"]
FORMATS: tuple[Format, ...] = ("text", "md", "csv", "latex", "html", "json")


def render(
    cells: Sequence[Cell],
    *,
    metric: str = "nDCG@10",
    format: Format = "text",
    published: str | None = None,
    costs: bool = True,
    layout: Layout = "auto",
    all_rows: bool = False,
) -> str:
    """A table of `metric` over cells, ending in a newline.

    Args:
        cells: from one or several run folders; columns keep the order in which their models first appear.
        metric: a key of the manifests' `metrics`, shown as per cent with two decimals.
        format: `text` for terminals, `json` is a list of cells, `csv` has one line per figure.
        published: the name of a file in configs/published/: adds the difference per cell and a verdict.
        costs: adds FLOPs per query and FLOPs saved.
        layout: `beir` has datasets as rows, `miracl` has them as columns; `auto` takes `miracl` when all are.
        all_rows: also shows the members of a macro group.

    Raises InputError when there are no cells, when none has the metric, or for an unknown published name.
    """
    raise NotImplementedError
