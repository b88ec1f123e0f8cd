"""`rerankbench depth`: how deep to rerank, from a stored run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .output import emit


def depth(
    dirs: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Output folders of `rerankbench run`.")],
    metric: Annotated[str, typer.Option(help="Any metric, such as nDCG@10 or RR@10.")] = "nDCG@10",
    depths: Annotated[str, typer.Option(help="Reranking depths; that of the run is always among them.")] = (
        "5,10,20,50,100,200,500,1000"
    ),
    dataset: Annotated[str | None, typer.Option(help="Show one dataset or `mean` instead of all of them.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what each setting scores and costs when fewer candidates are reranked; deeper ones keep their places.

    Read from stored scores: no model is loaded. A star marks the frontier over setting and depth.
    """
    from ...rerankers.errors import InputError, suggest
    from ..board.frontier import names
    from ..replay.depth import depth_board
    from ..results import load_cells, with_metric
    from ..tables.depth import to_json, to_text

    board = depth_board(with_metric(load_cells(dirs), metric), metric, whole_numbers(depths, "--depths"))
    if dataset is not None and dataset not in names(board):
        raise InputError(f"--dataset '{dataset}': was not reranked{suggest(dataset, names(board))}")
    emit(json.dumps(to_json(board, dataset), indent=2) + "\n" if as_json else to_text(board, dataset))


def whole_numbers(text: str, option: str) -> list[int]:
    """`5,10,20`. Raises InputError for anything that is no number from 1 on."""
    from ...rerankers.errors import InputError

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and 0 < len(part) < 8 and int(part) for part in parts):
        raise InputError(f"{option} '{text:.60}': expected numbers from 1 on, such as 5,10,20")
    return sorted({int(part) for part in parts})
