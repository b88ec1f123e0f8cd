"""Where a command's result goes: stdout, or a file that is never half-written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ...rerankers.errors import InputError


def emit(text: str, output: Path | None = None) -> None:
    """Print `text`, or write it to a file. Raises InputError when the file cannot be written."""
    if output is None:
        sys.stdout.write(text)
        return
    temporary = output.with_name(f"{output.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(output)
    except OSError as err:
        raise InputError(f"{output}: cannot be written: {err.strerror}") from err
