"""`rerankbench parity`: the same candidates through two engines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .bounds import MOST_QUERIES, number
from .names import dataset_names
from .output import emit

if TYPE_CHECKING:
    from ..compare.parity import Parity
    from ..compare.selector import Selector

_Datasets = Annotated[
    list[str] | None,
    typer.Option(help="Dataset to score; can be repeated. Default: builtin/en.", autocompletion=dataset_names),
]
_Out = Annotated[
    Path | None,
    typer.Option("-o", "--out", metavar="DIR", help="Folder of the run; default results/runs/parity-…."),
]


def parity(
    a: Annotated[str, typer.Argument(help="A model, or DIR#model@setting of a run that is stored.")],
    b: Annotated[str, typer.Argument(help="The same for the other side.")],
    of_a: Annotated[
        list[str] | None,
        typer.Option("--a", metavar="KEY=VALUE", help="Of model A: a key of an experiment's reranker, or family=NAME."),
    ] = None,
    of_b: Annotated[list[str] | None, typer.Option("--b", metavar="KEY=VALUE", help="The same for model B.")] = None,
    dataset: _Datasets = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=MOST_QUERIES, help="Only the first N queries of each dataset.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A key of the experiment: --set first_stage.k=50"),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(min=0, callback=number, help="Status 1 when two scores of a pair differ more; inf: never."),
    ] = 3e-4,
    metric_tolerance: Annotated[
        float,
        typer.Option(min=0, callback=number, help="Status 1 when the metric differs more, x 100; inf: never."),
    ] = math.inf,
    metric: Annotated[str, typer.Option(help="Metric of the values by query.")] = "nDCG@10",
    out: _Out = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
) -> None:
    """Show how far two engines lie apart on the same pairs: scores, rank correlation, top 10s, metric with interval.

    Example: rerankbench parity bge-reranker-base bge-reranker-base --b dtype=bfloat16 --tolerance 0.1
    """
    from ...rerankers.errors import InputError
    from ..compare import parity as figures
    from ..compare import parity_text
    from ..compare.selector import Selector

    sides = Selector.parse(a), Selector.parse(b)
    stored = [(side.folder / "cells").is_dir() for side in sides]
    if all(stored):
        if of_a or of_b or dataset or limit or set_ or out:
            raise InputError("A and B are stored runs, which no other option than the metric's and tolerances changes")
    elif any(stored):
        raise InputError(
            f"{(a, b)[stored.index(True)]}: is a stored run and the other side is none; give two of a kind"
        )
    else:
        sides = _scored((a, b), (of_a or (), of_b or ()), dataset or ["builtin/en"], set_ or (), limit, out)
    parities = figures.parity(*sides, metric=metric, seed=seed)
    verdict = _beyond(parities, tolerance, metric_tolerance)
    write = parity_text.to_json if as_json else parity_text.to_text
    names = [" ".join((name, *words)) for name, words in ((a, of_a or ()), (b, of_b or ()))]
    emit(write(parities, metric, names, verdict).rstrip("\n") + "\n")
    if verdict:
        raise typer.Exit(1)


def _scored(
    models: Sequence[str],
    options: Sequence[Sequence[str]],
    datasets: Sequence[str],
    changes: Sequence[str],
    limit: int | None,
    out: Path | None,
) -> tuple[Selector, Selector]:
    """Both models run; what is stored of an earlier call is not scored again."""
    import shlex
    import sys

    from ..compare.selector import Selector
    from ..experiment.parity_experiment import SIDES, two_sided, with_families
    from ..results import digest
    from ..runner.run import run_experiment
    from ..runner.subset import Part

    experiment, families = two_sided(models, options, datasets, changes)
    name = digest({"experiment": experiment.model_dump(mode="json"), "families": families, "limit": limit})
    folder = out or Path("results/runs") / f"parity-{name.removeprefix('sha256:')[:8]}"
    command = shlex.join(["rerankbench", *sys.argv[1:]])
    run_experiment(experiment, folder, specs=with_families(experiment, families), part=Part(limit), command=command)
    print(f"results: {folder}", file=sys.stderr)
    return Selector(folder, SIDES[0]), Selector(folder, SIDES[1])


def _beyond(parities: Sequence[Parity], tolerance: float, metric_tolerance: float) -> list[str]:
    lines = [
        f"{p.dataset}: a score differs by {p.largest:.2g}, more than {tolerance:g}"
        for p in parities
        if p.largest > tolerance
    ]
    return lines + [
        f"{p.dataset}: the metric differs by {100 * p.paired.mean:+.3f} points, more than {metric_tolerance:g}"
        for p in parities
        if abs(100 * p.paired.mean) > metric_tolerance
    ]
