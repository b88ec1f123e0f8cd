"""`rerankbench published`: the published figures, and whether they fit together."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from .output import emit


def published(
    name: Annotated[str | None, typer.Argument(help="A published table; without one, all are listed.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the tables, as without NAME.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Recompute every mean, and list what contradicts what.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="With --check: status 1 when a contradiction has no explanation.")
    ] = False,
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


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
