"""Do the printed means follow from the printed rows, and does an older table print the same cells?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .table import MEAN, Erratum, PublishedTable

Status = Literal["consistent", "rounding", "corrected", "open"]

_EPSILON = 1e-9  # sums of decimals in binary


@dataclass(frozen=True)
class MeanCheck:
    """One column's printed mean against its rows.

    Attributes:
        recomputed: the mean of the printed rows.
        corrected: the mean with the cells that an older table corrects; None without such cells.
        status: `consistent`: the printed mean is within half a unit of its last digit of `recomputed`.
            `rounding`: it is not, but the rows are rounded too, which may move their mean by half a unit more.
            `corrected`: it contradicts its rows, and is consistent with the corrected ones.
            `open`: it contradicts its rows and no known source explains why.
    """

    table: str
    model: str
    setting: str
    decimals: int
    printed: float
    recomputed: float
    corrected: float | None
    status: Status
    errata: tuple[Erratum, ...]


@dataclass(frozen=True)
class CellCheck:
    """A cell that an older table prints otherwise. `recorded`: by an erratum, with that value."""

    table: str
    row: str
    model: str
    setting: str
    printed: float
    older: float
    recorded: bool


def check_means(table: PublishedTable) -> list[MeanCheck]:
    """Recompute the mean of every column of a table, in the order of the columns; none where it lacks means or rows."""
    if table.mean is None or not table.rows:
        return []
    return [_check(table, column.model, column.setting) for column in table.columns]


def _check(table: PublishedTable, model: str, setting: str) -> MeanCheck:
    printed = table.printed(MEAN, model, setting)
    assert printed is not None
    recomputed = table.mean_of_rows(model, setting, corrected=False)
    errata = table.errata_of(model, setting)
    half = 0.5 * 10**-table.decimals + _EPSILON
    corrected = None
    if any(e.corrected is not None for e in errata):
        corrected = table.mean_of_rows(model, setting)
    status: Status = "open"
    if abs(recomputed - printed) <= half:
        status = "consistent"
    elif corrected is not None and abs(corrected - printed) <= half:
        status = "corrected"
    elif abs(recomputed - printed) <= 2 * half:
        status = "rounding"
    return MeanCheck(table.name, model, setting, table.decimals, printed, recomputed, corrected, status, errata)


def check_cells(table: PublishedTable, older: PublishedTable) -> list[CellCheck]:
    """Return cells and means that both tables print, differently."""
    checks = []
    for column in table.columns:
        recorded = {e.row: e.corrected for e in table.errata_of(*column.key)}
        for row in [*table.rows, MEAN]:
            here, there = table.printed(row, *column.key), older.printed(row, *column.key)
            if here is not None and there is not None and here != there:
                known = recorded.get(row) == there
                checks.append(CellCheck(table.name, row, column.model, column.setting, here, there, known))
    return checks
