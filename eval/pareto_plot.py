"""A picture of quality against cost: nDCG@10 over FLOPs per query, with the frontier drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..rerankers.errors import InputError, suggest
from .board.frontier import MEAN, Point, first_stages, points
from .files import replacing
from .results import Cell
from .text import units

FORMATS = (".svg", ".png", ".pdf")
_OFFSETS = [
    (x * distance, y * distance)
    for distance in (7, 12, 18, 26)
    for x, y in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))
]


def plot(cells: Sequence[Cell], path: Path, metric: str = "nDCG@10", dataset: str | None = None) -> None:
    """Draw the variants of one dataset, by default the mean of all or the only one, as SVG, PNG or PDF.

    Filled marks are on the frontier, hollow ones are dominated; a dashed line is a first stage. Raises InputError when
    matplotlib is absent, for another file type, and when there is nothing to draw.
    """
    if path.suffix not in FORMATS:
        raise InputError(f"{path}: a picture must end in {', '.join(FORMATS)}")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as err:
        raise InputError("a picture needs matplotlib: pip install 'rerankbench[plots]'") from err
    found = points(cells, metric)
    if not found:
        raise InputError("no variant has both a score and counted FLOPs, so there is nothing to draw")
    known = list(dict.fromkeys(p.dataset for p in found))
    name = dataset or (MEAN if MEAN in known else known[0])
    if name not in known:
        raise InputError(f"nothing to draw for dataset '{name}'{suggest(name, known)}")
    if dataset is None and name != MEAN and len(known) > 1:
        raise InputError(
            f"no variant was run on every dataset, so there is no mean; give --dataset: {', '.join(known)}"
        )
    with matplotlib.rc_context({"svg.hashsalt": "rerankbench", "svg.fonttype": "none"}):
        figure = Figure(figsize=(7.5, 4.8), layout="constrained")
        _draw(figure, [p for p in found if p.dataset == name], first_stages(cells, metric, name))
        axes = figure.axes[0]
        axes.set_title(name if name != MEAN else f"mean of {len(known) - 1} datasets")
        axes.set_xlabel("reference FLOPs per query (log scale)")
        axes.set_ylabel(f"{metric} x 100")
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix)
        with replacing(path) as file:
            figure.savefig(file, format=path.suffix[1:], dpi=150, metadata=metadata)


def _draw(figure: Any, row: Sequence[Point], baselines: dict[str, float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes = figure.subplots()
    axes.set_xscale("log")
    models = list(dict.fromkeys(p.variant.model for p in row))
    for index, model in enumerate(models):
        colour, marker = f"C{index % 10}", "osD^vP*Xhp"[index // 10 % 10 if len(models) > 10 else index % 10]
        mine = [p for p in row if p.variant.model == model]
        axes.scatter([], [], color=colour, marker=marker, label=model)
        for p in mine:
            face = colour if p.dominated_by is None else "white"
            axes.scatter(p.flops, p.score, s=45, marker=marker, facecolors=face, edgecolors=colour, zorder=3)
    if any(p.dominated_by for p in row):
        axes.scatter([], [], facecolors="white", edgecolors="0.4", label="dominated")
    for kind in dict.fromkeys(p.partial for p in row):  # whole and partial results are not ranked together
        best = [p for p in row if p.dominated_by is None and p.partial == kind]
        x, y = [p.flops for p in best], [p.score for p in best]
        name = f"frontier ({'; '.join(kind)})" if kind else "frontier"
        axes.plot(x, y, color="0.6", linewidth=1.2, drawstyle="steps-post", label=name, zorder=1)
    for model, score in baselines.items():
        axes.axhline(score, color="0.4", linewidth=1, linestyle="--", zorder=1, label=f"{model} (first stage)")
    axes.margins(0.12)
    low, high = axes.get_xlim()
    subs = (1, 2, 3, 5) if high / low < 30 else (1, 3) if high / low < 1000 else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: units.flops(value).replace(".0 ", " ")))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.25)
    axes.legend(loc="best", fontsize=8, framealpha=0.9)
    _label(figure, axes, row)


def _label(figure: Any, axes: Any, row: Sequence[Point]) -> None:
    """Write each setting beside its mark, at the first place where it hides no other label and no mark."""
    from matplotlib.transforms import Bbox

    figure.canvas.draw()  # fixes the layout, so that positions in pixels are known
    marks = [axes.transData.transform((p.flops, p.score)) for p in row]
    taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in marks]
    if (legend := axes.get_legend()) is not None:
        taken.append(legend.get_window_extent())
    frame = axes.get_window_extent()
    for p in sorted(row, key=lambda p: p.dominated_by is not None):
        text = axes.annotate(
            f"{p.variant.setting} {p.variant.origin}".strip(),
            (p.flops, p.score),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=8,
        )
        for x, y in _OFFSETS:
            text.set_position((x, y))
            text.set_horizontalalignment("center" if x == 0 else "left" if x > 0 else "right")
            text.set_verticalalignment("center" if y == 0 else "bottom" if y > 0 else "top")
            box = text.get_window_extent()
            if not any(box.overlaps(other) for other in taken) and frame.containsx(box.x0) and frame.containsx(box.x1):
                break
        taken.append(text.get_window_extent())
