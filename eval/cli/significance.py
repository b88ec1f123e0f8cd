"""`rerankbench significance`: which variants differ significantly; `rank` is its old name."""

from __future__ import annotations

import functools
import json
import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from .output import emit
from .stats_options import Correction


def significance(
    dirs: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Output folders of `rerankbench run`.")],
    metric: Annotated[str, typer.Option(help="Any metric, such as nDCG@10 or RR@10.")] = "nDCG@10",
    dataset: Annotated[
        str | None, typer.Option(help="A dataset, a group or `mean`; default: the mean, or the only dataset.")
    ] = None,
    correction: Annotated[
        Correction, typer.Option(help="For several tests: holm (no false positive) or bh (few among the significant).")
    ] = Correction.holm,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Rank variants with intervals of their ranks, tests against the best, and the smallest difference that would show.

    Beside the metric stands the same over judged passages only, and how many are judged; a variant that looks worse
    because it finds unjudged passages is named.
    """
    from ...rerankers.errors import InputError
    from ..board.ranking import standings
    from ..results import load_cells
    from ..tables.ranking import to_json, to_text

    row, ranked = standings(load_cells(dirs), metric, dataset, correction.value)
    if not ranked:
        raise InputError("no variant was run on every dataset, so there is no mean to rank by; give --dataset")
    write = to_json if as_json else to_text
    text = write(row, ranked, metric, correction.value)
    emit(text if isinstance(text, str) else json.dumps(text, indent=2) + "\n")


@functools.wraps(significance)
def rank(*arguments: Any, **options: Any) -> None:
    """The old name."""
    logging.getLogger("rerankbench").warning("`rerankbench rank` is called `rerankbench significance` now")
    significance(*arguments, **options)
