"""`rerankbench bench`: speed side by side with peers."""

from __future__ import annotations

from pathlib import Path

import typer


def bench(
    shape: str = typer.Argument("encoder-base", help="A shape of configs/bench.yaml, or a model folder."),
    setting: str = typer.Option("full", help="Setting of the timed variant: full, L10, L10-r2@3."),
    sweep: bool = typer.Option(False, help="Add a run that reads every cutoff layer on the way."),
    against: str = typer.Option("", help="Other settings of this engine to time beside it, comma-separated."),
    also_dtype: str = typer.Option("", help="Other dtypes of this engine to time beside it, comma-separated: fp8."),
    peer: list[str] = typer.Option(
        [], help="PEER[=PYTHON]: one of `peers` in configs/bench.yaml, and its interpreter; can be repeated."
    ),
    workload: str = typer.Option("retrieval", help="A workload of configs/bench.yaml: retrieval, long-queries."),
    queries: int = typer.Option(1, min=1, help="Number of queries."),
    candidates: int = typer.Option(0, min=0, help="Candidates per query; 0 takes the workload's."),
    passage_tokens: int = typer.Option(0, min=0, help="Tokens of every passage; 0 takes the workload's lengths."),
    dtype: str = typer.Option("float32", help="float32, bfloat16 or float16, all engines; int8, fp8: this one only."),
    device: str = typer.Option("cpu", help="cpu, cuda, cuda:0."),
    threads: int = typer.Option(0, min=0, help="CPU threads per engine; 0 takes all cores."),
    rounds: int = typer.Option(5, min=1, help="Timed rounds; one more runs before them."),
    rows: str = typer.Option("both", help="Of each peer: best (of its grid), default (as it is shipped), or both."),
    token_budget: int = typer.Option(0, min=0, help="Most tokens in one forward pass; 0 lets the engine choose."),
    seed: int = typer.Option(0, help="Seed of the weights and of the texts."),
    output: Path | None = typer.Option(None, "-o", "--out", help="Write JSON here, and its table beside it as .md."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON instead of the table."),
) -> None:
    """Score the same generated pairs with this engine and with peers, in alternating rounds.

    Every engine runs in its own process on the same random-weight checkpoint, so the figures are speed and never
    quality. Scores are compared: a peer that disagrees is shown to. A peer runs at the best place of its grid
    (batch sizes, streams), which is tried before the rounds, and beside it as its vendor ships it.

    Example: rerankbench bench encoder-base --peer sentence-transformers --rounds 5
    """
    import json
    import sys

    from ..bench.options import BenchOptions, Hardware
    from ..bench.run import run_bench
    from ..bench.summary import markdown

    options = BenchOptions(
        shape=shape,
        setting=setting,
        sweep=sweep,
        against=tuple(name for name in against.split(",") if name),
        dtypes=tuple(name for name in also_dtype.split(",") if name),
        peers=tuple(peer),
        workload=workload,
        queries=queries,
        candidates=candidates,
        passage_tokens=passage_tokens,
        rounds=rounds,
        rows=rows,
        token_budget=token_budget,
        seed=seed,
        command=_command(sys.argv[1:]),
    )
    result = run_bench(options, Hardware(device, dtype, threads), lambda line: print(line, file=sys.stderr, flush=True))
    table, whole = markdown(result), json.dumps(result, indent=1)
    if output:
        _write({output: whole, output.with_suffix(".md"): table})
    print(whole if as_json else table)


def _write(files: dict[Path, str]) -> None:
    from ...rerankers.storage.atomic import replacing

    for path, text in files.items():
        with replacing(path) as file:
            file.write(f"{text}\n".encode())


def _command(arguments: list[str]) -> str:
    """How to repeat it; where a peer's interpreter lies says nothing to others."""
    import re
    import shlex

    return re.sub(r"(--peer[ =][\w-]+)=\S+", r"\1=PYTHON", shlex.join(["rerankbench", *arguments]))
