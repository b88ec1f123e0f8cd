"""`rerankbench decide`: what to choose, and the figures behind it, on one page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .output import emit


def decide(
    dirs: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Output folders of `rerankbench run`.")],
    metric: Annotated[
        str, typer.Option(help="Metric to choose by; any that the stored run can answer, such as nDCG@5.")
    ] = "nDCG@10",
    as_json: Annotated[bool, typer.Option("--json", help="Print the advice as JSON.")] = False,
) -> None:
    """Say what to choose: whether to rerank, with which variant, how deep, at which cost; then the figures.

    The figures are those of `pareto`, `depth`, `cascade` and `price`, which have more options. No model is loaded.
    """
    from ...rerankers.errors import InputError
    from ..board.evidence import Evidence
    from ..board.frontier import names, points_of, uncounted
    from ..board.pivot import pivot
    from ..board.prices import prices
    from ..metrics.measures import parse_metric
    from ..replay.cascade import options
    from ..replay.choice import choose
    from ..replay.depth import depth_board
    from ..replay.pool import pools
    from ..report.choice import advise
    from ..report.depths import depths
    from ..results import load_cells, with_metric
    from ..tables import cascade, depth, pareto, price
    from ..text.aligned import listing

    cells = with_metric(load_cells(dirs), metric)
    board = pivot(cells, metric)
    advice = advise(Evidence(board), depths(cells, metric).options)
    if as_json:
        emit(json.dumps([{"about": one.about, "text": one.text} for one in advice], indent=2) + "\n")
        return
    row = names(board)[-1]
    placed, unplaced = ([p for p in of if p.dataset == row] for of in (points_of(board), uncounted(board)))
    parts = [listing(("", ""), [(one.about, one.text) for one in advice])]
    parts.append(pareto.to_text(placed, metric, unplaced))  # pyright: ignore[reportArgumentType]
    try:
        swept = depth_board(cells, metric)
        parts.append(depth.to_text(swept, names(swept)[-1]))
        for pool in pools(cells) if parse_metric(metric).base == "nDCG" else ():
            if any(scores.flops is not None for scores in pool.scores):
                plans = options(pool, metric, stages=2)
                most = [float(plans.flops.mean(axis=1).max())]
                parts.append(cascade.to_text(plans, choose(plans, most), metric))
    except InputError as err:
        parts.append(f"no depths and cascades: {err}\n")
    parts.append(price.to_text(price.rows(board, prices()), metric))
    emit("\n".join(parts))
