"""`rerankbench price`: what scoring costs in dollars and joules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .output import emit


def price(
    dirs: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Output folders of `rerankbench run`.")],
    usd_per_hour: Annotated[
        float | None, typer.Option(help="Price of the device that was used, instead of configs/prices.yaml.")
    ] = None,
    prices: Annotated[Path | None, typer.Option(help="Prices to use instead of configs/prices.yaml.")] = None,
    metric: Annotated[str, typer.Option(help="Metric to show beside the price.")] = "nDCG@10",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show dollars per 1,000 queries and per million pairs, from measured throughput or billed units, and energy.

    Device-hours include tokenising and storing; a machine that waits is not counted.
    """
    from ...rerankers.errors import InputError
    from ..board import prices as known_prices
    from ..board.pivot import pivot
    from ..results import load_cells, with_metric
    from ..tables.price import rows, to_text

    if usd_per_hour is not None and prices is not None:
        raise InputError("--usd-per-hour and --prices: give one of them")
    if usd_per_hour is not None and not 0 < usd_per_hour < 1e6:
        raise InputError(f"--usd-per-hour {usd_per_hour:g}: must be above 0")
    known = known_prices.prices() if prices is None else known_prices.prices(prices)
    if usd_per_hour is not None:  # the empty name is part of every device's
        known = (known_prices.Price("", usd_per_hour, "now", "--usd-per-hour", "the command line"),)
    priced = rows(pivot(with_metric(load_cells(dirs), metric), metric), known)
    emit(json.dumps(priced, indent=2) + "\n" if as_json else to_text(priced, metric))
