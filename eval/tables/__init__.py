"""Comparison tables: cells in, one string out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ...rerankers.errors import InputError
from ..board.frontier import frontier
from ..board.pivot import pivot
from ..published import PublishedTable, load_published
from ..results import Cell
from . import as_csv, as_html, as_json, as_latex, as_markdown, as_text
from .layout import Grid
from .layout import layout as lay_out

Format = Literal["text", "md", "csv", "latex", "html", "json"]
TableLayout = Literal["auto", "beir", "miracl"]
FORMATS: tuple[Format, ...] = ("text", "md", "csv", "latex", "html", "json")
LAYOUTS: tuple[TableLayout, ...] = ("auto", "beir", "miracl")
_GRID_WRITERS = {"text": as_text.write, "md": as_markdown.write, "latex": as_latex.write, "html": as_html.write}
_ALSO: dict[str, Format] = {"markdown": "md"}


def format_named(name: str) -> Format:
    """One of `FORMATS`, by its name or the longer one. Raises InputError for another."""
    found = _ALSO.get(name, name)
    _check("format", found, FORMATS)
    return found  # pyright: ignore[reportReturnType]


def _check(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise InputError(f"{name} '{value}' is unknown; known: {', '.join(known)}")


def render(
    cells: Sequence[Cell],
    *,
    metric: str = "nDCG@10",
    format: Format = "text",
    published: str | None = None,
    costs: bool = True,
    layout: TableLayout = "auto",
    all_rows: bool = False,
) -> str:
    """A table of `metric` over cells, ending in a newline.

    Args:
        cells: from one or several run folders; columns keep the order in which their models first appear.
        metric: a key of the manifests' `metrics`, shown as per cent with two decimals.
        format: `text` for terminals, `json` is a list of cells, `csv` has one line per figure.
        published: the name of a file in configs/published/: adds the difference per cell and a verdict.
        costs: adds FLOPs per query, FLOPs saved and which variants are on the Pareto frontier of the two means.
        layout: `beir` has datasets as rows, `miracl` has them as columns; `auto` takes `miracl` when all are, and in
            LaTeX the narrower one when a page is too narrow for the other.
        all_rows: also shows the members of a macro group.

    Raises InputError when there are no cells, when none has the metric, or for an unknown published name.
    """
    format = format_named(format)
    _check("layout", layout, LAYOUTS)
    table = _published(published, metric)
    board = pivot(cells, metric, published=table)
    if format == "json":
        return as_json.write(cells, metric, table)
    if format == "csv":
        return as_csv.write(board, table)
    transposed = layout == "miracl" or (layout == "auto" and all(row.name.startswith("miracl/") for row in board.rows))
    front = frontier(board) if costs else None

    def grid(transposed: bool) -> Grid:
        return lay_out(board, transposed=transposed, published=table, frontier=front, all_rows=all_rows)

    if format == "latex" and layout == "auto" and as_latex.width(grid(transposed)) > as_latex.PAGE:
        return as_latex.write(min((grid(transposed), grid(not transposed)), key=as_latex.width))
    return _GRID_WRITERS[format](grid(transposed))


def _published(name: str | None, metric: str) -> PublishedTable | None:
    if name is None:
        return None
    table = load_published(name)
    if table.metric != metric:
        raise InputError(f"published table '{name}' has {table.metric}, not {metric}; use --metric {table.metric}")
    return table
