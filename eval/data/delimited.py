"""Cells of files separated by tabs: quoted as Python's csv, pandas, R and beir write them, or not at all."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

QUOTE = '"'
_QUOTED = re.compile('"(?:[^"]|"")*"')
_WHOLE = re.compile(r"[+-]?[0-9]{1,8}(?:\.0*)?")


class TextFile(Protocol):
    """What text is written to."""

    def write(self, text: str, /) -> object:
        """Write it."""


def is_quoted(rows: Iterable[Sequence[str]]) -> bool:
    """Return whether the writer of some rows quotes: every cell with a quote is in quotes, its own quotes doubled.

    One cell with a bare quote shows a writer that does not, whatever the others look like.
    """
    quoted = False
    for row in rows:
        for cell in row:
            if QUOTE in cell:
                if not _QUOTED.fullmatch(cell):
                    return False
                quoted = True
    return quoted


def unquote(cell: str) -> str:
    """Return a cell without the quotes around it."""
    return cell[1:-1].replace('""', QUOTE) if cell.startswith(QUOTE) else cell


def write_rows(file: TextFile, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows separated by tabs; a cell with a quote is in quotes."""
    csv.writer(file, delimiter="\t", lineterminator="\n").writerows(rows)


def parse_grade(value: object) -> int | None:
    """Parse a grade: a whole number, also as `1.0`; None for anything else, a truth value among it."""
    if isinstance(value, bool):
        return None
    text = str(value).strip()
    return int(text.partition(".")[0]) if _WHOLE.fullmatch(text) else None
