"""`rerankbench push` and `pull`: folders of results by way of the hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..results import Cell


def push(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Output folder of `rerankbench run`.")],
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Dataset repository on the hub.")],
    name: Annotated[str | None, typer.Option(help="Folder in the repository; default: the name of DIR.")] = None,
    public: Annotated[bool, typer.Option("--public", help="Make a new repository public; default: private.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Send it; default: only print what would be sent.")] = False,
) -> None:
    """Send cells (not scores and candidates) to a dataset repository of the Hugging Face hub; without --yes a dry run.

    Example: `rerankbench push results/runs/quickstart me/results --yes`
    """
    from ..exchange import hub as share
    from ..text.units import size

    what = share.plan_upload(folder, repository, name, _page)
    print(f"{what.cells} cells in {len(what.listed)} files, {size(what.size)}, to {repository}, folder {what.name}")
    if not yes:
        print(*what.listed, sep="\n")
        print("nothing was sent: a dry run; --yes sends it")
        return
    print(share.push(what, public=public))


def _page(cells: Sequence[Cell]) -> str:
    """The README of a folder with these cells."""
    from ..tables.run_page import run_page

    names = list(cells[0].manifest.metrics)
    return run_page(cells, "nDCG@10" if "nDCG@10" in names else names[0])


def pull(
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Dataset repository on the hub.")],
    name: Annotated[str, typer.Argument(help="Folder in the repository.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="DIR", help="Default: results/pulled/NAME.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Commit, branch or tag.")] = None,
) -> None:
    """Fetch results that somebody pushed. Every cell is proven before the folder is there."""
    from ..exchange import hub as share

    to = out or Path("results/pulled") / name
    cells = share.pull(repository, name, to, _page, revision)
    print(f"{len(cells)} cells in {to}")
