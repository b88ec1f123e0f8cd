"""Files that git left as pointers: a checkout without Git LFS has a few lines in the place of each large file."""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError

_FIRST = b"version https://git-lfs.github.com/spec/"  # the first line of every pointer (git-lfs, docs/spec.md)


def refuse_pointer(path: Path) -> None:
    """Raise InputError for a pointer of Git LFS in the place of a file."""
    try:
        with path.open("rb") as file:
            pointer = file.read(len(_FIRST)) == _FIRST
    except OSError:  # whoever reads the file names the fault
        return
    if pointer:
        raise InputError(f"{path}: is a pointer of Git LFS, and its content is absent; run `git lfs pull` there")
