"""Where a command's result goes: stdout, or a file that is never half-written."""

from __future__ import annotations

import sys
from pathlib import Path

from ...rerankers.errors import InputError
from ..files import write_whole


def emit(text: str, output: Path | None = None) -> None:
    """Print `text`, or write it to a file. Raises InputError when the file cannot be written."""
    if output is None:
        sys.stdout.write(text)
        return
    if not output.parent.is_dir():
        raise InputError(f"{output}: cannot be written: {output.parent} is no folder")
    try:
        write_whole(output, text)
    except OSError as err:
        raise InputError(f"{output}: cannot be written: {err.strerror}") from err
