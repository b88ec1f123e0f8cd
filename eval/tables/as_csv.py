"""A board as tidy CSV: one line per figure, the level saying what it is a figure of."""

from __future__ import annotations

import csv
import io

from ..board.figures import Figure
from ..board.pivot import Board, Variant
from ..board.training import knows
from ..published import PublishedTable, compare

COLUMNS = (
    "level",  # cell, group or mean
    "dataset",
    "model",
    "setting",
    "run",
    "metric",
    "value",  # x 100; empty: not run, or not a mean over all rows
    "have",
    "of",
    "partial",  # why the figure does not stand for its dataset
    "flops_per_query",
    "flops_saved",  # per cent
    "published",
    "difference",
    "verdict",
    "manifest",
    "low",  # 95 % interval of the value, where queries were sampled
    "high",
    "ceiling",  # x 100, of the best order of the candidates; empty: no judgements are stored
    "headroom_taken",  # per cent of what was to gain over the first stage
    "candidates_recall",  # x 100
    "training",  # of a cell: in-domain, zero-shot, not disclosed; empty: nobody stated it
)


def write(board: Board, published: PublishedTable | None) -> str:
    """Cells of all datasets, then macro groups, then means."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(COLUMNS)
    for variant in board.variants:
        for row in board.rows:
            for member in row.members:
                lines.writerow(_line("cell", member, variant, board.figure(member, variant), board.metric, published))
            level = "group" if row.members else "cell"
            lines.writerow(_line(level, row.name, variant, board.figure(row.name, variant), board.metric, published))
        same_rows = published if published and len(board.rows) == len(published.rows) else None
        lines.writerow(_line("mean", "mean", variant, board.mean(variant), board.metric, same_rows))
    return out.getvalue()


def _line(
    level: str, dataset: str, variant: Variant, figure: Figure, metric: str, published: PublishedTable | None
) -> list[object]:
    model, setting = variant.model, variant.setting
    compared = None
    if published:
        compared = compare(published, dataset, model, setting, figure.score, partial=bool(figure.partial))
    return [
        level,
        _text(dataset),
        _text(model),
        _text(setting),
        _text(variant.origin),
        metric,
        _number(figure.score),
        figure.have,
        figure.of,
        _text("; ".join(figure.partial)),
        _number(figure.flops),
        _number(figure.saved),
        compared.published if compared else "",
        _number(compared.difference) if compared else "",
        compared.verdict if compared else "",
        _text(str(figure.cells[0].path / "manifest.json")) if level == "cell" and figure.cells else "",
        *map(_number, figure.interval or (None, None)),
        _number(figure.limit and figure.limit.ceiling),
        _number(figure.headroom),
        _number(figure.limit and figure.limit.recall),
        (knows(figure.cells[0]) or "") if level == "cell" and figure.cells else "",
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _text(value: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
