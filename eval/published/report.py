"""`rerankbench published --check` as text and as JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .check import CellCheck, MeanCheck, check_cells, check_means
from .table import load_published


@dataclass(frozen=True)
class TableCheck:
    """Everything that was checked in some tables."""

    means: tuple[MeanCheck, ...]
    cells: tuple[CellCheck, ...]

    @property
    def unexplained(self) -> int:
        """Contradictions without an explanation: open means, and cells that no erratum records."""
        return sum(m.status == "open" for m in self.means) + sum(not c.recorded for c in self.cells)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        means = [asdict(mean) for mean in self.means]
        return {"means": means, "cells": [asdict(cell) for cell in self.cells], "unexplained": self.unexplained}


def check_tables(names: Sequence[str]) -> TableCheck:
    """Check some published tables by name."""
    means: list[MeanCheck] = []
    cells: list[CellCheck] = []
    for table in map(load_published, names):
        means += check_means(table)
        if table.older:
            cells += check_cells(table, load_published(table.older))
    return TableCheck(tuple(means), tuple(cells))


def to_text(report: TableCheck) -> str:
    """Return what does not fit together, column by column."""
    differing = [mean for mean in report.means if mean.status != "consistent"]
    lines = [
        f"{len(report.means)} printed means recomputed from their rows: "
        f"{len(report.means) - len(differing)} are consistent, {len(differing)} are not.",
        f"{len(report.cells)} cells differ from an older table with the same measurements.",
    ]
    for mean in differing:
        lines += ["", *_mean_lines(mean, report.cells)]
    known = {(mean.table, mean.model, mean.setting) for mean in differing}
    for cell in report.cells:
        if (cell.table, cell.model, cell.setting) not in known:
            lines += ["", f"{cell.table}: {cell.model} {cell.setting}", _cell_line(cell)]
    return "\n".join([*lines, "", f"{report.unexplained} without an explanation."]) + "\n"


def _mean_lines(mean: MeanCheck, cells: Sequence[CellCheck]) -> list[str]:
    digits = mean.decimals
    lines = [
        f"{mean.table}: {mean.model} {mean.setting}",
        f"  printed mean {mean.printed:.{digits}f}, mean of the rows {mean.recomputed:.{digits + 2}f} "
        f"(difference {mean.recomputed - mean.printed:+.{digits + 2}f})",
    ]
    own = [c for c in cells if (c.table, c.model, c.setting) == (mean.table, mean.model, mean.setting)]
    lines += [_cell_line(cell) for cell in own]
    if mean.status == "corrected":
        lines.append(f"  with the older cells the mean is {mean.corrected:.{digits + 2}f}: the printed one is right")
    elif mean.status == "rounding":
        half = f"half of {10**-digits:g}"
        lines.append(f"  within reach of rounding: {half} for the printed mean and {half} for its rows")
    else:
        lines.append("  open: no known source explains it")
    lines += [f"  note: {e.note}" for e in mean.errata if e.corrected is None]
    return lines


def _cell_line(cell: CellCheck) -> str:
    known = "" if cell.recorded else " (no erratum records this)"
    return f"  {cell.row}: printed {cell.printed:g}, the older table has {cell.older:g}{known}"
