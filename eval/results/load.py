"""The cells of run folders, proven, and what is missing there."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...rerankers.errors import InputError
from ..text.natural import natural
from .collection import Cells
from .memo import Memo, memo_of
from .missing import Place, warn_of_missing
from .proof import FILES, prove, unproven
from .records import QRELS, Cell, load_manifest

MANIFEST = "manifest.json"
log = logging.getLogger("rerankbench")
_OF_A_CELL = frozenset({MANIFEST, *FILES, QRELS})
Choice = Callable[[str, str], bool]


@dataclass(frozen=True)
class CellFolder:
    """A cell's folder below that of a run, and its files as they were found there.

    `parts` are those of its path below `cells/`.
    """

    root: Path
    parts: tuple[str, ...]
    files: Mapping[str, os.DirEntry[str]]

    @property
    def path(self) -> Path:
        """The folder."""
        return self.root.joinpath("cells", *self.parts)

    @property
    def place(self) -> Place:
        """Dataset, model and setting, as its path has them."""
        *dataset, model, setting = ("", "", *self.parts)
        return "/".join(filter(None, dataset)), model, setting

    @property
    def name(self) -> str:
        """For the memo."""
        return "/".join(self.place)

    @property
    def states(self) -> list[os.stat_result]:
        """Of its files, by name, as they are when this is first read."""
        return [self.files[name].stat(follow_symlinks=False) for name in sorted(self.files)]


def find_cells(root: Path) -> list[CellFolder]:
    """Find all folders below `root` with files of a cell, by path, numbers by value. Nothing of them is read."""
    return sorted(_walk(root, os.fspath(root / "cells"), ()), key=lambda folder: natural(folder.parts))


def find_cell(root: Path, path: Path) -> CellFolder:
    """Find the folder of a cell, whether it is there or not."""
    parts = path.relative_to(root / "cells").parts
    return next(_walk(root, os.fspath(path), parts, deep=False), CellFolder(root, parts, {}))


def load_cells(roots: Iterable[Path], choose: Choice | None = None, *, afresh: bool = False) -> Cells:
    """Load cells below some run folders, proven, in the order of the folders, then by path.

    Args:
        roots: output folders of runs. One line is logged for each that lacks cells of its experiment.
        choose: of (model, setting), which are read; None: all.
        afresh: proves also what was proven before and has not been touched since.

    Of several folders one without a cell is left out with a warning; alone it is refused.
    Raises InputError when a folder is missing, none has a cell, or one has a cell that cannot be read or proven.
    """
    cells = Cells()
    roots = list(roots)
    for root in roots:
        if not root.is_dir():
            raise InputError(f"{root}: no such folder; give the output folder of `rerankbench run`")
        folders = find_cells(root)
        if not any(MANIFEST in folder.files for folder in folders):
            if len(roots) > 1 and not folders:
                log.warning("%s: left out, for it has no finished cell", root)
                continue
            raise InputError(f"{root}: has no finished cell (no cells/**/manifest.json); did the run finish?")
        for folder in folders:
            if MANIFEST not in folder.files:
                raise unproven(folder.path / MANIFEST, "is gone, and the cell's other files are there")
        chosen = [folder for folder in folders if choose is None or choose(*folder.place[1:])]
        proven = _prove_cells(chosen, root, memo_of(root), afresh)
        warn_of_missing(root, proven, {folder.place for folder in folders})
        cells += proven
    if len(roots) > 1 and not cells and choose is None:
        raise InputError("none of the folders has a finished cell; did the runs finish?")
    return cells


def _prove_cells(folders: Sequence[CellFolder], root: Path, memo: Memo, afresh: bool) -> list[Cell]:
    cells = []
    for folder in folders:
        known = not afresh and memo.knows(folder.name, folder.states)
        cell = Cell(folder.path, load_manifest(folder.path / MANIFEST, known))
        if not known:
            prove(cell, root)
            memo.add(folder.name, folder.states)
        cells.append(cell)
    memo.save()
    return cells


def _walk(root: Path, top: str, parts: tuple[str, ...], deep: bool = True) -> Iterator[CellFolder]:
    try:
        with os.scandir(top) as entries:
            listed = list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return
    files = {entry.name: entry for entry in listed if entry.name in _OF_A_CELL}
    if files:
        yield CellFolder(root, parts, files)
    for entry in listed if deep else ():
        if entry.name not in files and entry.is_dir(follow_symlinks=False):
            yield from _walk(root, entry.path, (*parts, entry.name))
