"""Comparison tables: cells in, one string out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from ...rerankers.errors import InputError, suggest
from ..board.evidence import Evidence
from ..board.frontier import frontier
from ..board.pivot import Board, pivot
from ..published import PublishedTable, load_published
from ..results import FIRST_STAGE, Cell
from . import as_csv, as_html, as_json, as_latex, as_markdown, as_text
from .layout import Grid
from .layout import layout as lay_out
from .marks import SignificanceMarks, find_variant

if TYPE_CHECKING:
    import pandas as pd
    from typing_extensions import Unpack

Format = Literal["text", "md", "csv", "latex", "html", "json"]
TableLayout = Literal["auto", "datasets", "variants", "beir", "miracl"]
Sort = Literal["name", "score"]
FORMATS: tuple[Format, ...] = ("text", "md", "csv", "latex", "html", "json")
LAYOUTS: tuple[TableLayout, ...] = ("auto", "datasets", "variants", "beir", "miracl")
SORTS: tuple[Sort, ...] = ("name", "score")
_GRID_WRITERS = {"text": as_text.write, "md": as_markdown.write, "latex": as_latex.write, "html": as_html.write}
_ALSO: dict[str, Format] = {"markdown": "md"}
_VARIANTS_DOWN = ("variants", "miracl")


class Look(TypedDict, total=False):
    """How a table is laid out.

    Attributes:
        costs: adds FLOPs per query, FLOPs saved and which variants are on the Pareto frontier of the two means.
        layout: `datasets` has datasets as rows (`beir` is the same), `variants` has variants as rows (`miracl` is the
            same); `auto` takes `variants` where there are more variants than datasets and where all datasets are
            MIRACL's; in LaTeX the narrower one when a page is too narrow for the other.
        all_rows: also shows the members of a macro group.
        sort: `name` keeps the order of the cells, settings by depth; `score` has the best mean first.
        against: marks what is significantly above or below `first-stage` (each variant's own), or a variant,
            `MODEL@SETTING`.
    """

    costs: bool
    layout: TableLayout
    all_rows: bool
    sort: Sort
    against: str | None


class Table(str):
    """A table as text; notebooks show it as HTML."""

    _board: Board
    _metric: str
    _cells: Sequence[Cell]
    _options: dict[str, Any]

    def to_frame(self) -> pd.DataFrame:
        """Return one line per figure, tidy, with the columns of the CSV format (`as_csv.COLUMNS`)."""
        return as_csv.frame(self._board, _published(self._options.get("published"), self._metric))

    def _repr_html_(self) -> str:
        options: dict[str, Any] = {**self._options, "format": "html"}
        page = render(self._cells, metric=self._metric, **options)
        return page.partition("<body>")[2].partition("</body>")[0].strip()  # no style, which would be the notebook's


def format_named(name: str) -> Format:
    """One of `FORMATS`, by its name or the longer one. Raises InputError for another."""
    known = _ALSO.get(name, name)
    _check("format", known, FORMATS)
    return known  # pyright: ignore[reportReturnType]


def _check(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise InputError(f"{name} '{value}' is unknown; known: {', '.join(known)}")


def render(
    cells: Sequence[Cell],
    *,
    metric: str = "nDCG@10",
    format: Format = "text",
    published: str | None = None,
    **look: Unpack[Look],
) -> Table:
    """A table of `metric` over cells, ending in a newline.

    Args:
        cells: from one or several run folders; columns keep the order in which their models first appear.
        metric: a key of the manifests' `metrics`, shown as per cent with two decimals.
        format: `text` for terminals, `json` is a list of cells, `csv` has one line per figure.
        published: the name of a file in configs/published/: adds the difference per cell and a verdict.
        look: see `Look`.

    Raises InputError when there are no cells, when none has the metric, or for an unknown published name or option.
    """
    format = format_named(format)
    for name in look:
        if name not in Look.__annotations__:
            raise InputError(f"table has no option '{name}'{suggest(name, Look.__annotations__)}")
    _check("layout", look.get("layout", "auto"), LAYOUTS)
    _check("sort", look.get("sort", "name"), SORTS)
    table = _published(published, metric)
    board = pivot(cells, metric, published=table)
    if look.get("sort") == "score":
        board = _by_score(board)
    marks = _significance(board, look.get("against"))
    if format == "json":
        text = as_json.write(cells, metric, table)
    elif format == "csv":
        text = as_csv.write(board, table)
    else:
        text = _grid_text(board, format, table, look, marks)
    shown = Table(text)
    shown._board, shown._metric, shown._cells = board, metric, cells
    shown._options = {"format": format, "published": published, **look}
    return shown


def _grid_text(
    board: Board, format: Format, table: PublishedTable | None, look: Look, marks: SignificanceMarks | None
) -> str:
    layout = look.get("layout", "auto")
    whole_miracl = all(row.name.startswith("miracl/") for row in board.rows)
    more_variants = whole_miracl or len(board.variants) > len(board.rows)
    transposed = layout in _VARIANTS_DOWN or (layout == "auto" and more_variants)
    front = frontier(board) if look.get("costs", True) else None

    def grid(transposed: bool) -> Grid:
        all_rows = look.get("all_rows", False)
        return lay_out(
            board, transposed=transposed, published=table, frontier=front, all_rows=all_rows, significance=marks
        )

    if format == "latex" and layout == "auto" and as_latex.width(grid(transposed)) > as_latex.PAGE:
        return as_latex.write(min((grid(transposed), grid(not transposed)), key=as_latex.width))
    return _GRID_WRITERS[format](grid(transposed))


def _by_score(board: Board) -> Board:
    """The variants with a mean by it, the best first, then the others as they were."""
    scores = {variant: board.mean(variant).score for variant in board.variants}
    order = sorted(board.variants, key=lambda v: -1.0 if (score := scores[v]) is None else score, reverse=True)
    return replace(board, variants=tuple(order))


def _significance(board: Board, against: str | None) -> SignificanceMarks | None:
    if against is None:
        return None
    return SignificanceMarks(Evidence(board), None if against == FIRST_STAGE else find_variant(board, against))


def _published(name: str | None, metric: str) -> PublishedTable | None:
    if name is None:
        return None
    table = load_published(name)
    if table.metric != metric:
        raise InputError(f"published table '{name}' has {table.metric}, not {metric}; use --metric {table.metric}")
    return table
