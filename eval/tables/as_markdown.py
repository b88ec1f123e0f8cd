"""A grid as a GitHub table."""

from __future__ import annotations

from collections.abc import Iterable

from .layout import Grid, GridCell

_SPECIAL = "\\`*_[]<>|&~#"


def write(grid: Grid) -> str:
    """The table, a blank line, and the notes as a list."""
    lines = [
        _row(" ".join(_escape(part) for part in head) for head in grid.head),
        _row([":--", *["--:"] * (len(grid.head) - 1)]),
        *(_row(_cell(entry) for entry in row) for row in grid.rows),
    ]
    notes = [f"- {_escape(note)}" for note in grid.notes]
    return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(entry: GridCell) -> str:
    text = _escape(entry.text)
    text = f"**{text}**" if entry.best else text
    detail = f" ({_escape(entry.detail)})" if entry.detail else ""
    return f"{text}{_escape(entry.marks)}{detail}".replace("  ", "&nbsp;&nbsp;")


def _escape(text: str) -> str:
    return "".join(f"\\{char}" if char in _SPECIAL else char for char in text.replace("\n", " "))
