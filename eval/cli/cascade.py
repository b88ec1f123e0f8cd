"""`rerankbench cascade`: a cheap setting on many candidates, an expensive one on few, from a stored run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .depth import whole_numbers
from .output import emit


def cascade(
    dirs: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Output folders of `rerankbench run`.")],
    budget: Annotated[
        list[str] | None,
        typer.Option(
            help="FLOPs per query, such as 2TFLOP, or 70% of the most expensive setting's; can be repeated. "
            "Default: each setting's."
        ),
    ] = None,
    metric: Annotated[str, typer.Option(help="nDCG at some cutoff.")] = "nDCG@10",
    depths: Annotated[str, typer.Option(help="Candidates of a stage; the run's depth is always among them.")] = (
        "5,10,20,50,100,200,500,1000"
    ),
    stages: Annotated[int, typer.Option(min=1, max=3, help="Most stages of a cascade.")] = 3,
    splits: Annotated[int, typer.Option(min=1, max=1000, help="Number of random splits of the queries.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the splits.")] = 0,
    dataset: Annotated[str | None, typer.Option(help="One dataset instead of all of them.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Choose a cascade of stored settings within a budget on one half of the queries, and judge it on the other.

    Beside it stand the best single setting over all candidates and the best setting and depth, chosen in the same way.
    A later stage pays only for layers that no earlier one has computed. No model is loaded.
    """
    from ...rerankers.errors import InputError, suggest
    from ..replay.sweep import sweep
    from ..results import FIRST_STAGE, load_cells
    from ..tables.cascade import to_json, to_text
    from ..text.units import parse_flops

    cells = load_cells(dirs)
    known = list(dict.fromkeys(cell.manifest.dataset for cell in cells if cell.manifest.setting != FIRST_STAGE))
    if dataset is not None and dataset not in known:
        raise InputError(f"--dataset '{dataset}': was not reranked{suggest(dataset, known)}")
    results = sweep(
        [cell for cell in cells if dataset in (None, cell.manifest.dataset)],
        metric,
        depths=whole_numbers(depths, "--depths"),
        stages=stages,
        budgets=lambda most: [parse_flops(text, "--budget", most) for text in budget or ()],
        splits=splits,
        seed=seed,
    )
    if as_json:
        emit(json.dumps([to_json(one.plans, one.choices) for one in results], indent=2) + "\n")
    else:
        emit("\n".join([to_text(one.plans, one.choices, metric) for one in results]))
