"""`rerankbench run`: an experiment from candidates to the table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .bounds import MOST_QUERIES


def _print_schema(wanted: bool) -> None:
    if wanted:
        import json

        from ..experiment.schema import Experiment

        print(json.dumps(Experiment.model_json_schema(), indent=2))
        raise typer.Exit


def run(
    experiment: Annotated[str, typer.Argument(help="Experiment file, or a name from `rerankbench ls experiments`.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key: --set first_stage.k=50 --set engine.device=cpu"),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_QUERIES, help="The first N queries of each dataset; results are marked partial."),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_QUERIES, help="A sample of N queries, with intervals; results are marked."),
    ] = None,
    sample_seed: Annotated[int, typer.Option(min=0, help="Another seed is another sample.")] = 0,
    out: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Output folder; default results/runs/NAME, or NAME-limit-N, NAME-sample-N."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Drop what a run left there and start anew.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the cells as JSON instead of a table.")] = False,
    schema: Annotated[
        bool,
        typer.Option("--schema", callback=_print_schema, is_eager=True, help="Print the JSON Schema of experiments."),
    ] = False,
) -> None:
    """Retrieve, rerank, judge, and print nDCG@10 beside FLOPs. Run it again to continue where it stopped.

    Example: rerankbench run quickstart --limit 5
    """
    import shlex
    import sys

    from ...rerankers.errors import InputError
    from ...rerankers.registry import find_spec
    from ..experiment.file import load_experiment
    from ..first_stage.retriever import BM25, load_retriever
    from ..runner.run import run_experiment
    from ..tables import render
    from .logs import log_to_stderr

    log_to_stderr()
    if out is not None and not out.strip():
        raise InputError("--out is empty; name a folder")
    wanted = load_experiment(experiment, set_ or ())
    for entry in wanted.rerankers:
        find_spec(entry.model)  # an unknown name is told before any work
    if wanted.first_stage.retriever not in (None, BM25):
        load_retriever(str(wanted.first_stage.retriever))
    suffix = "" if limit is None else f"-limit-{limit}"
    suffix += "" if sample is None else f"-sample-{sample}" + (f"-seed-{sample_seed}" if sample_seed else "")
    folder = Path(out) if out else Path("results/runs") / f"{wanted.name}{suffix}"
    command = shlex.join(["rerankbench", *sys.argv[1:]])
    cells = run_experiment(
        wanted, folder, limit=limit, sample=sample, sample_seed=sample_seed, overwrite=overwrite, command=command
    )
    metric = "nDCG@10" if "nDCG@10" in wanted.metrics else wanted.metrics[0]
    print(render(cells, metric=metric, format="json" if as_json else "text"), end="")
    print(f"results: {folder}", file=sys.stderr)
