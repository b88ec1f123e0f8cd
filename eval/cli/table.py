"""`rerankbench table`: a comparison table from stored results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from .output import emit


def table(
    dirs: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Output folders of `rerankbench run`.")],
    format: Annotated[str, typer.Option(help="text, md (or markdown), csv, latex, html or json.")] = "text",
    metric: Annotated[
        str, typer.Option(help="Metric to show; any that can be computed from the stored run, such as nDCG@5.")
    ] = "nDCG@10",
    published: Annotated[
        str | None,
        typer.Option(help="Compare with a published table (see `rerankbench published`): difference and verdict."),
    ] = None,
    layout: Annotated[
        str, typer.Option(help="datasets (or beir): datasets as rows; variants (or miracl): variants as rows; auto.")
    ] = "auto",
    sort: Annotated[str, typer.Option(help="name, or score: the variants with the best mean first.")] = "name",
    against: Annotated[
        str | None,
        typer.Option(
            metavar="VARIANT", help="Mark what is significantly above or below first-stage, or MODEL@SETTING."
        ),
    ] = None,
    all_rows: Annotated[bool, typer.Option("--all-rows", help="Also show the members of macro groups.")] = False,
    costs: Annotated[bool, typer.Option(help="Show FLOPs per query and FLOPs saved.")] = True,
    output: Annotated[Path | None, typer.Option("-o", "--out", help="Write to a file instead of stdout.")] = None,
) -> None:
    """Show stored results as a table: datasets and their mean against the first stage and each variant.

    The mean gives every row one weight, a macro group such as CQADupStack being one row, and is shown only where
    every row was run. Results of --limit or --sample are marked as partial and never count as reproduced.
    """
    from ..results import load_cells, with_metric
    from ..tables import Format, Sort, TableLayout, render

    text = render(
        with_metric(load_cells(dirs), metric),
        metric=metric,
        format=cast(Format, format),
        published=published,
        costs=costs,
        layout=cast(TableLayout, layout),
        all_rows=all_rows,
        sort=cast(Sort, sort),
        against=against,
    )
    emit(text, output)
