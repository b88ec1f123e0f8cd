"""A published table as a grid, figures as printed."""

from __future__ import annotations

from ..published import PublishedTable
from .layout import Grid, GridCell, head


def grid_of(table: PublishedTable) -> Grid:
    """Rows as in the source, then the mean and the printed share of FLOPs saved; errata below."""
    corrected = {(e.row, e.model, e.setting) for e in table.errata}

    def row(name: str, values: tuple[float | None, ...]) -> tuple[GridCell, ...]:
        entries = [
            GridCell(figure(value, table.decimals), "*" if (name, *column.key) in corrected else "")
            for column, value in zip(table.columns, values)
        ]
        return (GridCell(name), *entries)

    rows = [row(name, values) for name, values in table.rows.items()]
    rule = len(rows)
    if table.mean is not None:
        rows.append(row("mean", table.mean))
    if any(column.flops_saved is not None for column in table.columns):
        saved = ["–" if c.flops_saved is None else f"{c.flops_saved:g} %" for c in table.columns]
        rows.append((GridCell("FLOPs saved"), *map(GridCell, saved)))
    heads = [head(column.model, column.setting) for column in table.columns]
    return Grid(
        ((f"{table.metric} x 100",), *heads), tuple(rows), (rule,) if 0 < rule < len(rows) else (), _notes(table)
    )


def figure(value: float | None, decimals: int) -> str:
    """A figure as printed; a dash where there is none."""
    return "–" if value is None else f"{value:.{decimals}f}"


def _facts(table: PublishedTable) -> list[str]:
    """How the figures were made, as far as the source says."""
    facts = [
        (table.first_stage, "first stage {}"),
        (table.depth, "top {}"),
        (table.length, "{} tokens"),
        (table.precision, "{}"),
        (table.sets, "{}"),
    ]
    return [text.format(value) for value, text in facts if value is not None]


def _notes(table: PublishedTable) -> tuple[str, ...]:
    notes = [f"{table.title}", f"source: {table.source.title}", table.source.url]
    notes += [", ".join(facts)] if (facts := _facts(table)) else []
    notes += [table.note] if table.note else []
    for e in table.errata:
        right = "" if e.corrected is None else f", corrected {e.corrected:.{table.decimals}f} ({table.older})"
        notes.append(f"* {e.row}, {e.model} {e.setting}: printed {e.printed:.{table.decimals}f}{right}; {e.note}")
    return tuple(notes)
