"""`rerankbench run`: an experiment from candidates to the table."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .bounds import MOST_QUERIES
from .family_options import Options, parse_options
from .names import dataset_names, experiment_names, model_names

if TYPE_CHECKING:
    from ..experiment.schema import Experiment


def _print_schema(wanted: bool) -> None:
    if wanted:
        from ..experiment.json_schema import schema_text
        from .output import emit

        emit(schema_text())
        raise typer.Exit


_Experiment = Annotated[
    str | None,
    typer.Argument(
        help="Experiment file, or a name from `rerankbench ls experiments`; or give --dataset and --model.",
        autocompletion=experiment_names,
    ),
]
_Models = Annotated[
    list[str] | None,
    typer.Option("--model", "-m", help="A reranker, without a file; can be repeated.", autocompletion=model_names),
]
_Datasets = Annotated[
    list[str] | None,
    typer.Option("--dataset", "-d", help="A dataset, without a file; can be repeated.", autocompletion=dataset_names),
]
_Retriever = Annotated[str | None, typer.Option(help="With --dataset: where candidates come from; bm25.")]
_Candidates = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="With --dataset: a TREC run to rerank, or a publisher's lists by name."),
]
_Depth = Annotated[int | None, typer.Option(min=1, max=MOST_QUERIES, help="With --dataset: candidates per query; 100.")]
_Template = Annotated[
    str | None, typer.Option(help="With --model: the template of a causal language model, such as qwen3-reranker.")
]
_Name = Annotated[str | None, typer.Option(help="Name of the run, and of its folder in results/runs.")]
_Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key: --set first_stage.k=50 --set engine.device=cpu"),
]
_Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps or auto: `--set engine.device=…`.")]
_DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the whole experiment and its plan; compute and fetch nothing.")
]
_Limit = Annotated[
    int | None,
    typer.Option(min=1, max=MOST_QUERIES, help="The first N queries of each dataset; results are marked partial."),
]
_Sample = Annotated[
    int | None,
    typer.Option(min=1, max=MOST_QUERIES, help="A sample of N queries, with intervals; results are marked."),
]
_Out = Annotated[
    str | None,
    typer.Option(
        "-o", "--out", metavar="DIR", help="Output folder; default results/runs/NAME, or NAME-limit-N, NAME-sample-N."
    ),
]
_SPELLED = {"options": "--option and --template"}


def run(
    experiment: _Experiment = None,
    model: _Models = None,
    dataset: _Datasets = None,
    retriever: _Retriever = None,
    candidates: _Candidates = None,
    k: _Depth = None,
    template: _Template = None,
    option: Options = [],  # noqa: B006  # typer's way to write a list
    name: _Name = None,
    set_: _Changes = None,
    device: _Device = None,
    dry_run: _DryRun = False,
    limit: _Limit = None,
    sample: _Sample = None,
    sample_seed: Annotated[int, typer.Option(min=0, help="Another seed is another sample.")] = 0,
    out: _Out = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Remove what a run left there first.")] = False,
    format: Annotated[str, typer.Option(help="text, markdown, csv, latex, html or json.")] = "text",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    schema: Annotated[
        bool,
        typer.Option("--schema", callback=_print_schema, is_eager=True, help="Print the JSON Schema of experiments."),
    ] = False,
) -> None:
    """Retrieve, rerank, judge, and print nDCG@10 beside FLOPs. Run it again to continue where it stopped.

    Examples: `rerankbench run quickstart --limit 5`,
    `rerankbench run --model all-minilm-l6-v2 --dataset builtin/en`
    """
    import sys

    from .. import api

    shown = _checked(out, "json" if as_json else format)
    own = parse_options([*([] if template is None else [f"template={json.dumps(template)}"]), *option])
    given = {"retriever": retriever, "k": k, "candidates": candidates, "options": own}
    source = _source(experiment, model, dataset, given)
    wanted = api.read_experiment(source, [*(set_ or ()), *_named("engine.device", device), *_named("name", name)])
    if isinstance(source, dict) or dry_run:
        print(_as_yaml(wanted, whole=dry_run), end="", file=sys.stdout if dry_run else sys.stderr)
    folder = Path(out) if out else api.results_folder(wanted.name, limit, sample, sample_seed)
    if dry_run:
        _tell_plan(wanted, limit or sample, folder)
        return
    part: dict[str, Any] = {"limit": limit, "sample": sample, "sample_seed": sample_seed}
    cells = api.run(wanted, out=folder, overwrite=overwrite, command=shlex.join(["rerankbench", *sys.argv[1:]]), **part)
    print(api.table(cells, metric=api.main_metric(wanted), format=shown), end="")
    print(f"results: {folder}", file=sys.stderr)


def _checked(out: str | None, format: str) -> str:
    from ...rerankers.errors import InputError
    from ..tables import format_named

    if out is not None and not out.strip():
        raise InputError("--out is empty; name a folder")
    return format_named(format)


def _named(key: str, value: str | None) -> list[str]:
    return [] if value is None else [f"{key}={json.dumps(value)}"]


def _tell_plan(wanted: Experiment, limit: int | None, folder: Path) -> None:
    from .. import api
    from ..plan.plan import make_plan
    from .plan import plan_text

    api.check_retriever(wanted)
    print(f"\n{plan_text(make_plan(wanted, limit=limit))}\nresults would be in {folder}")


def _source(
    experiment: str | None, models: list[str] | None, datasets: list[str] | None, given: dict[str, Any]
) -> str | dict[str, Any]:
    from ...rerankers.errors import InputError
    from ..experiment.arguments import from_arguments

    if experiment is None:
        return from_arguments(models or (), datasets or (), **given)
    for option, value in {"model": models, "dataset": datasets, **given}.items():
        if value:
            raise InputError(
                f"{_SPELLED.get(option, f'--{option}')}: is for a run without a file; "
                f"change '{experiment}' with --set, or leave it out"
            )
    return experiment


def _as_yaml(experiment: Experiment, *, whole: bool) -> str:
    """The file that the words stand for; with every default when `whole`."""
    import yaml

    said = experiment.model_dump(mode="json", exclude_unset=not whole, exclude_none=whole)
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True)
