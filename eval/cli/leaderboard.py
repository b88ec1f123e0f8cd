"""`rerankbench leaderboard`: many runs on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import emit


def leaderboard(
    dirs: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Output folders of `rerankbench run`.")],
    output: Annotated[Path, typer.Option("-o", "--out", help="The HTML file to write.")] = Path("leaderboard.html"),
    metric: Annotated[str, typer.Option(help="Any metric that can be computed from the stored runs.")] = "nDCG@10",
) -> None:
    """Write one HTML page with every variant of many runs: filter by family, size, licence and training data, and sort.

    It opens from a file, without a server or a network; its address keeps filters and order.
    """
    from ..report.leaderboard import leaderboard as page_of
    from ..results import load_cells, with_metric
    from ..runner.provenance import environment, now

    made = f"rerankbench {environment()['versions']['rerankbench']}, {now()}"
    page = page_of(with_metric(load_cells(dirs), metric), metric=metric, made=made)
    emit(page, output)
    typer.echo(f"wrote {output} ({len(page.encode()) / 1e6:.1f} MB); open it in a browser", err=True)
