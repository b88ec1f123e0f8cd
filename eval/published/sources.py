"""What every source prints of one model, side by side, with what the figures differ by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...rerankers.errors import InputError, suggest
from ..results import FIRST_STAGE
from .table import MEAN, PublishedTable, list_published, load_published


@dataclass(frozen=True)
class PublishedFigure:
    """One printed figure x 100. `corrected` is what another source prints instead, where an erratum records it."""

    table: PublishedTable
    row: str
    setting: str
    printed: float
    corrected: float | None


def figures_of(model: str, row: str | None = None) -> list[PublishedFigure]:
    """Return a model's figures from all published tables: of `row`; without it the means, or rows where there is none.

    Raises InputError for a model or a row that no table has.
    """
    tables = [load_published(name) for name in list_published()]
    known = {column.model for table in tables for column in table.columns}
    if model not in known:
        raise InputError(f"model '{model}' is in no published table{suggest(model, known)}")
    figures = [figure for table in tables for figure in _read_figures(table, model, row)]
    if not figures:
        rows = {name for table in tables for name in (*table.rows, MEAN)}
        raise InputError(f"row '{row}': no published table has it for '{model}'{suggest(str(row), rows)}")
    return sorted(figures, key=lambda figure: figure.row != MEAN)


def _read_figures(table: PublishedTable, model: str, row: str | None) -> Iterator[PublishedFigure]:
    rows = [row] if row else [MEAN] if table.mean else list(table.rows)
    for setting in (column.setting for column in table.columns if column.model == model):
        for name in rows:
            printed = table.printed(name, model, setting)
            if printed is not None:
                value = table.value(name, model, setting)
                yield PublishedFigure(table, name, setting, printed, None if value == printed else value)


def facts(figure: PublishedFigure) -> tuple[str, ...]:
    """Return first stage, depth, length, precision and datasets of a figure, `?` where the source does not state it."""
    table = figure.table
    stage = "itself" if figure.setting == FIRST_STAGE else table.first_stage
    sets = table.sets if figure.row == MEAN else figure.row
    return tuple("?" if v is None else str(v) for v in (stage, table.depth, table.length, table.precision, sets))
