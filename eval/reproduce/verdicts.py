"""How many figures of a published table were reproduced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..board.pivot import Board, pivot
from ..experiment.file import list_experiments, load_experiment
from ..published import Comparison, PublishedTable, compare
from ..published.table import MEAN
from ..results import Cell


def comparisons(cells: Sequence[Cell], table: PublishedTable) -> list[tuple[str, str, str, Comparison]]:
    """Return (row, model, setting, comparison) of every printed figure of every row, in the order of the table.

    Of a table that prints means alone, these are compared; a mean over other datasets than those of the experiment
    that is called like the table is partial.
    """
    board = pivot(cells, table.metric, published=table)
    rows = []
    for variant in board.variants:
        for row in board.rows:
            figure = board.figure(row.name, variant)
            comparison = compare(
                table, row.name, variant.model, variant.setting, figure.score, partial=bool(figure.partial)
            )
            if comparison is not None:
                rows.append((row.name, variant.model, variant.setting, comparison))
        if not table.rows:
            figure, whole = board.mean(variant), _has_all_datasets(board, table)
            partial = bool(figure.partial) or not whole
            comparison = compare(table, MEAN, variant.model, variant.setting, figure.score, partial=partial)
            rows += [(MEAN, variant.model, variant.setting, comparison)] if comparison is not None else []
    return rows


def _has_all_datasets(board: Board, table: PublishedTable) -> bool:
    """Return whether the rows are the datasets of the experiment that is called like the table."""
    if table.name not in list_experiments():
        return False
    return {row.name for row in board.rows} == set(load_experiment(table.name).datasets)


def summary(cells: Sequence[Cell], table: PublishedTable) -> tuple[str, bool]:
    """Return one line for all figures, and whether none of those that were run is off."""
    verdicts = Counter(comparison.verdict for *_, comparison in comparisons(cells, table))
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    return f"{table.name}: of {sum(verdicts.values())} published figures {counts}", verdicts["off"] == 0
