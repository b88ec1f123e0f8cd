"""`rerankbench pareto`: quality per cost, and which variants are worth their cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .output import emit


def pareto(
    dirs: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Output folders of `rerankbench run`.")],
    metric: Annotated[
        str, typer.Option(help="Metric to show; any that can be computed from the stored run, such as nDCG@5.")
    ] = "nDCG@10",
    dataset: Annotated[str | None, typer.Option(help="Show one dataset or `mean` instead of all of them.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw FILE.svg, or .png and .pdf (extra `plots`).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what each variant scores per PFLOP, and mark those that another one beats at no more FLOPs.

    FLOPs are reference counts per query; a first stage costs none. The mean covers variants that were run on every
    dataset. A variant whose FLOPs were not counted has a line of its own.
    """
    from ...rerankers.errors import InputError, suggest
    from ..board.frontier import points_of, uncounted
    from ..board.pivot import pivot
    from ..results import load_cells, with_metric
    from ..tables.pareto import to_json, to_text

    cells = with_metric(load_cells(dirs), metric)
    board = pivot(cells, metric)
    points, unplaced = points_of(board), uncounted(board)
    if dataset is not None:
        known = {p.dataset for p in (*points, *unplaced)}
        if dataset not in known:
            raise InputError(f"--dataset '{dataset}': no variant has a score there{suggest(dataset, known)}")
        points = [p for p in points if p.dataset == dataset]
        unplaced = [p for p in unplaced if p.dataset == dataset]
    if plot is not None:
        from ..chart.picture import draw

        draw(cells, plot, metric, dataset)
    text = json.dumps(to_json(points, unplaced), indent=2) + "\n" if as_json else to_text(points, metric, unplaced)
    emit(text)
