"""`rerankbench export`: results for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    dirs: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Output folders of `rerankbench run`.")],
    format: Annotated[str, typer.Option(help="trec, mteb or model-index.")] = "trec",
    plain: Annotated[bool, typer.Option("--plain", help="With trec: .trec files, not gzipped.")] = False,
    output: Annotated[Path, typer.Option("-o", "--out", help="Folder for the files.")] = Path("results/export"),
) -> None:
    """Write TREC runs, mteb's result files, or the model-index of a Hugging Face model card. Nothing is uploaded.

    Example: rerankbench export results/runs/quickstart --format trec
    """
    from ..exchange.formats import export as write
    from ..results import load_cells

    for path in write(load_cells(dirs), format, output, plain=plain):
        print(path)
