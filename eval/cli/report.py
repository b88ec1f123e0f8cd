"""`rerankbench report`: a page to look at and to share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import emit
from .stats_options import Correction


def report(
    dirs: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Output folders of `rerankbench run`.")],
    output: Annotated[Path, typer.Option("-o", "--out", help="The HTML file to write.")] = Path("report.html"),
    published: Annotated[
        str | None, typer.Option(help="Compare with a published table (see `rerankbench published`).")
    ] = None,
    metric: Annotated[
        str, typer.Option(help="Metric to show; any that can be computed from the stored run, such as nDCG@5.")
    ] = "nDCG@10",
    correction: Annotated[
        Correction, typer.Option(help="For several tests: holm (no false positive) or bh (few among the significant).")
    ] = Correction.holm,
    texts: Annotated[
        bool,
        typer.Option("--texts/--no-texts", help="Texts and grades from the dataset, fetched if necessary."),
    ] = True,
) -> None:
    """Write one HTML page with the summary, the table, the frontier, the costs and the worst queries.

    It opens anywhere without a network: nothing on it is loaded from elsewhere.
    """
    from ..data import load_dataset
    from ..report import render
    from ..results import load_cells, with_metric
    from ..runner.provenance import environment, now

    made = f"rerankbench {environment()['versions']['rerankbench']}, {now()}"
    cells = with_metric(load_cells(dirs), metric)
    page = render(
        cells,
        metric=metric,
        published=published,
        load=load_dataset if texts else None,
        made=made,
        correction=correction.value,
    )
    emit(page, output)
    typer.echo(f"wrote {output} ({len(page.encode()) / 1e6:.1f} MB); open it in a browser", err=True)
