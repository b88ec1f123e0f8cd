"""How many figures of a published table were reproduced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..board.pivot import pivot
from ..published import Comparison, PublishedTable, compare
from ..results import Cell


def comparisons(cells: Sequence[Cell], table: PublishedTable) -> list[tuple[str, str, str, Comparison]]:
    """Return (row, model, setting, comparison) of every printed figure of every row, in the order of the table."""
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
    return rows


def summary(cells: Sequence[Cell], table: PublishedTable) -> tuple[str, bool]:
    """Return one line for all figures, and whether none of those that were run is off."""
    verdicts = Counter(comparison.verdict for *_, comparison in comparisons(cells, table))
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    return f"{table.name}: of {sum(verdicts.values())} published figures {counts}", verdicts["off"] == 0
