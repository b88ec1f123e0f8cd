"""`rerankbench published`: the published figures, and whether they fit together."""

from __future__ import annotations

from typing import Annotated

import typer

from ...rerankers.errors import InputError
from ..text.sanitize import to_json
from .output import emit


def published(
    name: Annotated[str | None, typer.Argument(help="A published table; without one, all are listed.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the tables, as without NAME.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Recompute every mean, and list contradictions.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="With --check: status 1 when a contradiction has no explanation.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="What every source prints of this model, side by side, and what differs.")
    ] = None,
    row: Annotated[str | None, typer.Option(help="With --model: of this row, instead of the means.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show published tables with their sources and errata, and check that they fit together.

    A printed mean is consistent when it lies within half a unit of its last digit of the mean of its rows.
    """
    from ..published import list_published, load_published
    from ..published.report import check_tables, to_text
    from ..tables.as_published import grid_of
    from ..tables.as_text import write
    from ..text.aligned import listing

    if model is not None:
        emit(_of_model(model, row, as_json))
        return
    if row is not None:
        raise InputError("--row goes with --model; name a table to see all of its rows")
    names = [load_published(name).name] if name else list_published()
    if check:
        report = check_tables(names)
        emit(_json(report.to_json()) if as_json else to_text(report))
        if strict and report.unexplained:
            raise typer.Exit(1)
    elif name and not list_:
        table = load_published(name)
        emit(_json(table.model_dump()) if as_json else write(grid_of(table)))
    else:
        tables = [load_published(name) for name in names]
        if as_json:
            emit(_json([table.model_dump(include={"name", "title", "metric", "source"}) for table in tables]))
        else:
            rows = [(t.name, str(len(t.columns)), str(len(t.rows)), t.title) for t in tables]
            emit(listing(("NAME", "COLUMNS", "ROWS", "TABLE"), rows, right=(1, 2)))


def _of_model(model: str, row: str | None, as_json: bool) -> str:
    from ..published.sources import facts, figures_of
    from ..text.aligned import listing

    figures = figures_of(model, row)
    names = ("first_stage", "depth", "length", "precision", "sets")
    if as_json:
        records = [dict(zip(names, facts(one))) for one in figures]
        own = [{"row": f.row, "setting": f.setting, "printed": f.printed, "corrected": f.corrected} for f in figures]
        return _json([{"table": f.table.name, **o, **t} for f, o, t in zip(figures, own, records)])
    rows = []
    for one in figures:
        printed = f"{one.printed:.{one.table.decimals}f}"
        right = "" if one.corrected is None else f" ({one.corrected:.{one.table.decimals}f})"
        rows.append((printed + right, one.setting, *facts(one), one.table.name))
    head = (figures[0].table.metric, "SETTING", "FIRST STAGE", "TOP", "TOKENS", "PRECISION", "OVER", "TABLE")
    sources = [one.table.source.title for one in figures]
    return listing(head, rows, notes=sources) + "in brackets: what its rows or another source say; ?: not stated\n"


def _json(value: object) -> str:
    return to_json(value, indent=2) + "\n"
