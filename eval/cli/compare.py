"""`rerankbench compare`: two runs, query by query."""

from __future__ import annotations

from typing import Annotated

import typer

from .output import emit
from .stats_options import Correction


def compare(
    a: Annotated[
        str,
        typer.Argument(help="DIR, DIR#model, DIR#model@setting, DIR#@setting, or a baseline of the gate, FILE.json."),
    ],
    b: Annotated[str, typer.Argument(help="The same for the other side.")],
    worst: Annotated[int, typer.Option(min=0, help="Show this many queries per dataset that changed most.")] = 10,
    texts: Annotated[
        bool,
        typer.Option("--texts/--no-texts", help="Texts and grades from the dataset, fetched if necessary."),
    ] = True,
    metric: Annotated[str, typer.Option(help="Metric of the run's values by query.")] = "nDCG@10",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    correction: Annotated[
        Correction, typer.Option(help="For several tests: holm (no false positive) or bh (few among the significant).")
    ] = Correction.holm,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the randomisation test and of the bootstrap.")] = 0,
) -> None:
    """Show paired differences B - A by dataset, and both top 10s of the queries that changed most."""
    from .. import api
    from ..compare import runs_text as compare_text
    from ..data import load_dataset

    load = load_dataset if texts else None
    comparison = api.compare(a, b, metric=metric, worst=worst, load=load, seed=seed, correction=correction.value)
    emit(f"{compare_text.to_json(comparison, metric) if as_json else compare_text.to_text(comparison, metric)}\n")
