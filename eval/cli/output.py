"""Where a command's result goes: stdout, or a file that is never half-written."""

from __future__ import annotations

import sys
from pathlib import Path

from ...rerankers.errors import InputError
from ...rerankers.storage.atomic import clear_left_behind, write_whole
from ..text.sanitize import clean


def emit(text: str, output: Path | None = None) -> None:
    """Print `text`, or write it to a file, inert in both. Raises InputError when the file cannot be written."""
    if output is None:
        sys.stdout.write(text)
        return
    if not output.parent.is_dir():
        raise InputError(f"{output}: cannot be written: {output.parent} is no folder")
    if output.is_symlink():
        raise InputError(f"{output}: is a link, and nothing is written through links; name the file itself")
    try:
        clear_left_behind(output.parent, output.name)
        write_whole(output, clean(text))
    except OSError as err:
        raise InputError(f"{output}: cannot be written: {err.strerror}") from err


def annotate(line: str) -> None:
    """A command to CI on stderr, where anything else that looks like one is made inert."""
    write = getattr(sys.stderr, "command", sys.stderr.write)
    write(line)
