"""The commands, put together. One file each."""

from __future__ import annotations

from typing import Annotated

import typer

from .accept import accept
from .bench import bench
from .cascade import cascade
from .check import check
from .compare import compare
from .decide import decide
from .depth import depth
from .doctor import doctor
from .evaluate import evaluate
from .export import export
from .flops import flops
from .import_data import import_data
from .latency import latency
from .leaderboard import leaderboard
from .logs import log_to_stderr
from .ls import ls
from .pareto import pareto
from .parity import parity
from .plan import plan
from .price import price
from .published import published
from .push import pull, push
from .report import report
from .reproduce import reproduce
from .run import run
from .significance import rank, significance
from .spelling import Command, Group
from .table import table
from .track import track
from .trend import trend
from .verify import verify

app = typer.Typer(
    name="rerankbench",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version("rerankbench"))
        raise typer.Exit


@app.callback()
def _rerankbench(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Which reranker, at which depth, at which cost: nDCG@10 and exact FLOPs for rerankers."""
    log_to_stderr()


# ten for every day, the others by what they are for; the first line of a docstring is often too long for the overview
for _panel, _commands in {
    "Everyday": (
        (run, "Retrieve, rerank, judge; the same command resumes."),
        (table, "The table of stored results, in six formats."),
        (compare, "Two variants query by query: intervals, p-values, texts."),
        (report, "One HTML page about a run that opens anywhere."),
        (decide, "What to choose: rerank or not, how deep, at which cost."),
        (check, "Compare a run with the baseline; status 1 if it got worse."),
        (accept, "Make a run the baseline of the regression gate."),
        (evaluate, "Judge any run file, without a model."),
        (import_data, "Make a checked dataset from tables (CSV, Parquet, ...)."),
        (ls, "List models, datasets, experiments, metrics and more."),
    ),
    "Advanced: measure": (
        (plan, "What an experiment would cost: tokens, FLOPs, hours, bytes."),
        (flops, "FLOPs of one pair under a setting, without weights."),
        (latency, "How long one query takes: percentiles by phase, warmed up."),
        (bench, "Speed beside other libraries, on random weights."),
        (verify, "Do the weights score as published? A minute, before hours."),
        (reproduce, "A published table: plan, verify, run, compare; resumes."),
        (parity, "Two engines on the same pairs; status 1 if they differ."),
    ),
    "Advanced: decide": (
        (significance, "Which variants differ significantly: ranks, tests, power."),
        (pareto, "What each variant scores for its FLOPs; which are dominated."),
        (depth, "What fewer reranked candidates would score and cost."),
        (cascade, "Cheap setting first, expensive one on few, within a budget."),
        (price, "Dollars per 1,000 queries and per million pairs, and energy."),
    ),
    "Advanced: share": (
        (leaderboard, "One HTML page over many runs: filter, sort, permalinks."),
        (export, "TREC runs, mteb's result files, or a card's model-index."),
        (push, "Results to a dataset repository of the hub; a dry run first."),
        (pull, "Results from there, proven on arrival."),
        (track, "Every variant as a run of MLflow, trackio or W&B."),
    ),
    "Advanced: guard and look up": (
        (trend, "One HTML page: a baseline's means from commit to commit."),
        (published, "Published tables, their sources and their errata."),
        (doctor, "Versions, devices, folders, and what can be reached."),
    ),
}.items():
    for _command, _summary in _commands:
        app.command(cls=Command, short_help=_summary, rich_help_panel=_panel)(_command)
app.command("rank", cls=Command, hidden=True)(rank)
