"""The folder of a run: made by one, without links, and free of what dead processes left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...rerankers.errors import InputError
from ...rerankers.storage.atomic import clear_left_behind, refuse_odd, write_whole
from ..results import CONTEXTS

MARK = ".rerankbench"  # the file that a run puts into its folder
PARTS = ("cells", "scores", "candidates", CONTEXTS)


def claim(out: Path, overwrite: bool) -> None:
    """Make `out` the folder of a run, or check that it is one; `overwrite` removes what a run left there.

    Raises InputError for a folder that has something else under the names of a run, and for links below it: nothing
    is written through one.
    """
    held = [name for name in PARTS if os.path.lexists(out / name)]
    if held and not (out / MARK).is_file():
        raise InputError(
            f"{out / held[0]}: was not made by a run of this release; move it away or choose another --out"
        )
    for name in held:
        refuse_odd(out / name)
        if overwrite:
            shutil.rmtree(out / name)
    for folder in (out, out / "candidates", *(out / "candidates").glob("*/")):
        clear_left_behind(folder)
    if not (out / MARK).is_file():
        write_whole(
            out / MARK, "made by rerankbench run; --overwrite removes cells, scores and candidates beside this\n"
        )


@contextmanager
def removed_if_refused(out: Path) -> Iterator[None]:
    """Remove a folder that was made within and holds nothing when the input is refused."""
    fresh = not os.path.lexists(out)
    try:
        yield
    except InputError:
        if fresh and out.is_dir() and not any(path.is_file() for name in PARTS for path in (out / name).rglob("*")):
            shutil.rmtree(out, ignore_errors=True)
        raise
