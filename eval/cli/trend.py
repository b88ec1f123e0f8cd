"""`rerankbench trend`: a baseline over time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .output import emit


def trend(
    baseline: Annotated[Path, typer.Argument(help="A baseline of `rerankbench accept` in a git repository.")],
    output: Annotated[Path, typer.Option("-o", "--out", help="The HTML file to write.")] = Path("trend.html"),
    metric: Annotated[str, typer.Option(help="A metric of its cells.")] = "nDCG@10",
) -> None:
    """Write one HTML page that shows how the means of a baseline moved from commit to commit."""
    from ..report.trend import trend as page_of
    from ..runner.provenance import environment, now

    page = page_of(baseline, metric, f"rerankbench {environment()['versions']['rerankbench']}, {now()}")
    emit(page, output)
    typer.echo(f"wrote {output} ({len(page.encode()) / 1e6:.1f} MB); open it in a browser", err=True)
