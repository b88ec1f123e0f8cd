"""A board as tidy CSV: one line per figure, the level saying what it is a figure of."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..board.figures import Figure
from ..board.pivot import Board, Variant
from ..board.training import knows
from ..published import PublishedTable, compare

if TYPE_CHECKING:
    import pandas as pd

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
    lines.writerows([*map(_written, line)] for line in _lines(board, published))
    return out.getvalue()


def frame(board: Board, published: PublishedTable | None) -> pd.DataFrame:
    """The same as a frame, figures unrounded."""
    import pandas as pd

    return pd.DataFrame(_lines(board, published), columns=list(COLUMNS))


def _lines(board: Board, published: PublishedTable | None) -> Iterator[list[Any]]:
    for variant in board.variants:
        for row in board.rows:
            for member in row.members:
                yield _line("cell", member, variant, board.figure(member, variant), board.metric, published)
            level = "group" if row.members else "cell"
            yield _line(level, row.name, variant, board.figure(row.name, variant), board.metric, published)
        same_rows = published if published and len(board.rows) == len(published.rows) else None
        yield _line("mean", "mean", variant, board.mean(variant), board.metric, same_rows)


def _line(
    level: str, dataset: str, variant: Variant, figure: Figure, metric: str, published: PublishedTable | None
) -> list[Any]:
    model, setting = variant.model, variant.setting
    compared = None
    if published:
        compared = compare(published, dataset, model, setting, figure.score, partial=bool(figure.partial))
    return [
        level,
        dataset,
        model,
        setting,
        variant.origin,
        metric,
        figure.score,
        figure.have,
        figure.of,
        "; ".join(figure.partial),
        figure.flops,
        figure.saved,
        compared and compared.published,
        compared and compared.difference,
        compared and compared.verdict,
        str(figure.cells[0].path / "manifest.json") if level == "cell" and figure.cells else None,
        *(figure.interval or (None, None)),
        figure.limit and figure.limit.ceiling,
        figure.headroom,
        figure.limit and figure.limit.recall,
        knows(figure.cells[0]) if level == "cell" and figure.cells else None,
    ]


def _written(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.6f}" if isinstance(value, float) else _text(value) if isinstance(value, str) else value


def _text(value: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
