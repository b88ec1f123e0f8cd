"""The chart as a file: nDCG@10 over FLOPs per query, with the frontier drawn. PNG and PDF are made from the SVG."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from markupsafe import Markup

from ...rerankers.errors import InputError, suggest
from ...rerankers.storage.atomic import write_whole
from ..board.frontier import MEAN, Point, first_stages, label, points_of, short_label, uncounted
from ..board.pivot import pivot
from ..results import Cell
from ..text import units
from .drawing import environment, plain_style
from .layout import Dot, Legend, Level, Plot, legend, plot, text_width

FORMATS = (".svg", ".png", ".pdf")
WIDTH, HEIGHT = 860, 440
LINE = 17
PNG_SCALE = 2


def draw(cells: Sequence[Cell], path: Path, metric: str = "nDCG@10", dataset: str | None = None) -> None:
    """Draw the variants of one dataset, by default the mean of all or the only one, as SVG, PNG or PDF.

    Filled marks are on the frontier, hollow ones are dominated; a dashed line is a first stage. A mark without
    room for its name is named above the chart. The same cells give the same bytes
    (a PDF only while its names need no second font). Raises InputError when
    the converter for PNG and PDF is absent, for another file type, and when there is nothing to draw.
    """
    if path.suffix not in FORMATS:
        raise InputError(f"{path}: a picture must end in {', '.join(FORMATS)}")
    write_whole(path, _convert(_draw_svg(cells, metric, dataset), path))


def _convert(svg: str, path: Path) -> bytes | str:
    if path.suffix == ".svg":
        return svg
    try:
        import vl_convert
    except ImportError as err:
        extra = "pip install 'rerankbench[plots]', or write .svg"
        raise InputError(f"{path}: {path.suffix} needs vl-convert-python: {extra}") from err
    return vl_convert.svg_to_pdf(svg) if path.suffix == ".pdf" else vl_convert.svg_to_png(svg, scale=PNG_SCALE)


def _draw_svg(cells: Sequence[Cell], metric: str, dataset: str | None) -> str:
    board = pivot(cells, metric)
    plotted = [p for p in points_of(board) if p.flops]  # a first stage is a level, at no FLOPs
    datasets = list(dict.fromkeys(p.dataset for p in plotted))
    name = _choose_dataset(datasets, dataset)
    row = [p for p in plotted if p.dataset == name]
    models = list(dict.fromkeys(p.variant.model for p in row))
    levels = [Level(label(v), score) for v, score in first_stages(board, name).items()]
    entries = list(_place_entries(legend(models), first=LINE + 19))
    chart = plot([_make_dot(p, row, models, metric) for p in row], levels, WIDTH, HEIGHT)
    absent = [label(one.variant) for one in uncounted(board) if one.dataset == name]
    notes = [(line, entries[-1][2] + LINE * i) for i, line in enumerate(_explain_marks(row, chart, absent), 1)]
    head = notes[-1][1] + 14
    return (
        environment()
        .get_template("picture.svg.j2")
        .render(
            plot=chart,
            metric=metric,
            title=name if name != MEAN else f"mean of {len(board.rows)} datasets",
            legend=entries,
            notes=notes,
            head=head,
            height=head + HEIGHT,
            style=Markup(plain_style()),
        )
    )


def _choose_dataset(datasets: Sequence[str], dataset: str | None) -> str:
    """Return the dataset to draw of those that have points."""
    if not datasets:
        raise InputError("no variant has both a score and counted FLOPs, so there is nothing to draw")
    name = dataset or (MEAN if MEAN in datasets else datasets[0])
    if name not in datasets:
        raise InputError(f"nothing to draw for dataset '{name}'{suggest(name, datasets)}")
    if dataset is None and name != MEAN and len(datasets) > 1:
        raise InputError(
            f"no variant was run on every dataset, so there is no mean; give --dataset: {', '.join(datasets)}"
        )
    return name


def _make_dot(point: Point, row: Sequence[Point], models: Sequence[str], metric: str) -> Dot:
    cost = f"{metric} {point.score:.2f}, {units.flops(point.flops)} per query"
    return Dot(
        series=models.index(point.variant.model),
        name=short_label(point.variant, [p.variant for p in row]),
        tip="\n".join([label(point.variant), cost, *(f"partial: {phrase}" for phrase in point.partial)]),
        x=point.flops,
        y=point.score,
        frontier=point.dominated_by is None,
        partial=point.partial,
    )


def _place_entries(entries: Iterable[Legend], first: float) -> Iterable[tuple[Legend, float, float]]:
    """Yield entries in lines, with the place of each."""
    x, y = 11.0, first
    for entry in entries:
        width = text_width(entry.model) + 34
        if x > 11 and x + width > WIDTH:
            x, y = 11.0, y + LINE
        yield entry, round(x, 1), y
        x += width


def _explain_marks(row: Sequence[Point], chart: Plot, absent: Sequence[str]) -> list[str]:
    """Return what the marks mean, which are not of a whole dataset, have no name beside them, or are not drawn."""
    text = "Filled marks are on the frontier, hollow ones are dominated, those below a first stage among them."
    for kind in dict.fromkeys(p.partial for p in row if p.partial):
        names = ", ".join(label(p.variant) for p in row if p.partial == kind)
        text += f" Partial ({'; '.join(kind)}), with a frontier of their own: {names}."
    if chart.unlabelled:
        names = ", ".join(dot.tip.split("\n")[0] for dot in chart.unlabelled)
        text += f" No room for a name, in the order of cost: {names}."
    if absent:
        text += f" Not drawn, for their FLOPs were not counted: {', '.join(absent)}."
    return textwrap.wrap(text, int(WIDTH / text_width("x")))
