"""`rerankbench latency`: how long one query takes."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from .depth import whole_numbers
from .family_options import Options, parse_options
from .output import emit


def latency(
    model: Annotated[str, typer.Argument(help="Model name, YAML specification, folder or hub id.")],
    setting: Annotated[str, typer.Option(help="full, L25, L25-r2@8.")] = "full",
    candidates: Annotated[int, typer.Option(min=1, help="Candidates of a query.")] = 100,
    concurrency: Annotated[str, typer.Option(help="Number of clients at the same time, such as 1,4.")] = "1",
    queries: Annotated[int, typer.Option(min=1, help="Timed queries; 100 or more give p99.")] = 100,
    warmup: Annotated[int, typer.Option(min=0, help="Queries scored before the timed ones.")] = 3,
    run: Annotated[
        Path | None,
        typer.Option(help="Folder of a run: time its queries and candidates; its tables then show the latency."),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="With --run: which of its datasets; default the first.")] = None,
    name: Annotated[str | None, typer.Option(help="With --run: what its tables call the model.")] = None,
    query_words: Annotated[int, typer.Option(min=1, help="Without --run: words of a generated query.")] = 20,
    passage_words: Annotated[int, typer.Option(min=5, help="Without --run: words of a passage, on average.")] = 110,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:0.")] = "auto",
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16, float16, int8 or fp8.")] = "auto",
    option: Options = [],  # noqa: B006  # typer's way to write a list
    threads: Annotated[int, typer.Option(min=0, help="CPU threads; 0 takes torch's default.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time one query at a time after warm-up: percentiles of the whole and by phase, and time to first use.

    This is latency, not throughput: `run` and `bench` report pairs per second of many queries together.

    Example: rerankbench latency all-minilm-l6-v2 --candidates 100 --concurrency 1,4
    """
    from ...rerankers.errors import InputError
    from ...rerankers.options import LoadOptions, TextOptions
    from ...rerankers.registry import choose, find_spec, load
    from ...rerankers.settings import Setting
    from ..latency.requests import as_in, generated, known_to, of_run
    from ..latency.run import Trial, label_of, measure
    from ..results.latency import write_latency
    from ..tables.latency import to_text

    spec = choose(find_spec(model), parse_options(option))
    wanted, clients = Setting.parse(setting), whole_numbers(concurrency, "--concurrency")
    text, needed = TextOptions(), 1 + warmup + queries * len(clients)
    options, label = LoadOptions(device=device, dtype=dtype), name or label_of(model)
    if run is None:
        if dataset is not None or name is not None:
            raise InputError("--dataset and --name: only with --run")
        groups, source = generated(needed, candidates, (query_words, passage_words))
    else:
        groups, source, data = of_run(run, dataset, needed, candidates)
        text, options, own = as_in(run, label, data.policy.task, options)
        spec = choose(spec, own)
    if threads:
        import torch

        torch.set_num_threads(threads)
    command = shlex.join(["rerankbench", *sys.argv[1:]])
    asked = Trial(spec, label, wanted, text, options, clients, groups, source, queries, warmup, command)
    measurement = measure(asked, load)
    if run is not None:
        remark = "" if known_to(run, measurement) else "; no table shows it: no cell is of this model and text"
        print(f"kept in {write_latency(run, measurement)}{remark}", file=sys.stderr)
    emit(measurement.model_dump_json(indent=1) + "\n" if as_json else to_text(measurement))
