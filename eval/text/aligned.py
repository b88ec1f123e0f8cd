"""Aligned text for terminals. Widths are what a terminal shows: wide characters count 2, combining ones 0."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Collection, Sequence


def width(text: str) -> int:
    """Return columns that `text` takes in a terminal."""
    return sum(_width(char) for char in text)


def _width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """Return `text` filled up with blanks, aligned to the right if wanted."""
    blanks = " " * (columns - width(text))
    return blanks + text if right else text + blanks


def terminal_width() -> int:
    """Return columns of the terminal; `COLUMNS` overrides it, and it is 100 where there is none."""
    return shutil.get_terminal_size(fallback=(100, 24)).columns


def listing(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[int] = (),
    notes: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
) -> str:
    """Return rows below a head, two blanks between columns; the last column wraps at the width of the terminal.

    `right` are the columns that are aligned to the right; `notes` has a line for each row, written below it; `groups`
    has the name of each row's group, written above the first of neighbours that share it.
    """
    everything = [head, *rows] if any(head) else list(rows)
    if not rows:
        return "none\n"
    widths = [max(width(row[i]) for row in everything) for i in range(len(head))]
    indent = sum(widths[:-1]) + 2 * (len(head) - 1)
    room = max(20, terminal_width() - indent)
    lines = []
    for index, row in enumerate(everything, start=len(rows) - len(everything)):
        front = [pad(cell, widths[i], right=i in right) for i, cell in enumerate(row[:-1])]
        last = pad(row[-1], widths[-1], right=True) if len(head) - 1 in right else row[-1]
        first, *more = wrap(last, room)
        if groups and index >= 0 and (index == 0 or groups[index] != groups[index - 1]):
            lines += ["", *wrap(groups[index], terminal_width())]
        lines.append("  ".join([*front, first]).rstrip())
        lines.extend(" " * indent + line for line in more)
        if notes and index >= 0 and notes[index]:
            lines.extend(f"    {line}" for line in wrap(notes[index], terminal_width() - 4))
    return "\n".join(lines) + "\n"


def wrap(text: str, columns: int) -> list[str]:
    """Return lines of at most `columns` where words allow it, broken at blanks; at least one line."""
    lines, line = [], ""
    for word in text.split(" "):
        if line and width(line) + 1 + width(word) > columns:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]
