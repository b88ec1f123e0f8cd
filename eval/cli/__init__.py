"""The command line. One file per command; this one only puts them together."""

from __future__ import annotations

import sys

import typer

from ...rerankers.errors import InputError, ScoreError
from .accept import accept
from .bench import bench
from .check import check
from .compare import compare
from .doctor import doctor
from .evaluate import evaluate
from .export import export
from .flops import flops
from .ls import ls
from .pareto import pareto
from .plan import plan
from .published import published
from .report import report
from .run import run
from .table import table

app = typer.Typer(
    name="rerankbench",
    help="Which reranker, at which depth, at which cost: nDCG@10 and exact FLOPs for rerankers.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.command()(run)
app.command()(plan)
app.command()(evaluate)
app.command()(check)
app.command()(accept)
app.command()(compare)
app.command()(table)
app.command()(report)
app.command()(export)
app.command()(published)
app.command()(ls)
app.command()(doctor)
app.command()(flops)
app.command()(bench)
app.command()(pareto)


def main() -> None:
    """Entry point: bad input is one line on stderr and status 2, an unusable score status 1."""
    try:
        app()
    except InputError as err:
        print(f"error: {err}", file=sys.stderr)
        sys.exit(2)
    except ScoreError as err:
        print(f"error: {err}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(141)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to continue", file=sys.stderr)
        sys.exit(130)
