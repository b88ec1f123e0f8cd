"""Aligned text for terminals. Widths are what a terminal shows: wide characters count 2, combining ones 0."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Collection, Sequence

_LEAST = 20  # columns that the last column of a listing has at least


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
    keys: int | None = None,
) -> str:
    """Return rows below a head, two blanks between columns; the last column wraps at the width of the terminal.

    Where the others do not fit beside each other, they follow in blocks that all begin with the first `keys` columns,
    by default those before the first one that is aligned to the right.
    `right` are the columns that are aligned to the right; `notes` has a line for each row, written below it; `groups`
    has the name of each row's group, written above the first of neighbours that share it.
    """
    everything = [head, *rows] if any(head) else list(rows)
    if not rows:
        return "none\n"
    widths = [max(width(row[i]) for row in everything) for i in range(len(head))]
    leading = next((i for i in range(len(head)) if i in right), 1) if keys is None else keys
    longest = max(width(word) for row in everything for word in row[-1].split(" "))
    least = min(widths[-1], longest if len(head) - 1 not in right else widths[-1], _LEAST)
    blocks = _split([*widths[:-1], least], min(max(1, leading), len(head) - 1))
    return "\n".join(
        _write_block(
            [[row[i] for i in columns] for row in everything],
            [widths[i] for i in columns],
            {place for place, i in enumerate(columns) if i in right},
            (notes, groups) if number == 0 else (None, groups),
            headed=len(everything) > len(rows),
        )
        for number, columns in enumerate(blocks)
    )


def _split(needed: Sequence[int], keys: int) -> list[list[int]]:
    """Return the columns of each block; one block where they fit, or where the keys alone take most of the room."""
    room, own = terminal_width(), sum(needed[:keys]) + 2 * keys
    if sum(needed) + 2 * (len(needed) - 1) <= room or own > 0.75 * room:
        return [list(range(len(needed)))]
    blocks: list[list[int]] = [[]]
    for column in range(keys, len(needed)):
        taken = own + sum(needed[i] + 2 for i in blocks[-1])
        if blocks[-1] and taken + needed[column] > room:
            blocks.append([])
        blocks[-1].append(column)
    return [[*range(keys), *columns] for columns in blocks]


def _write_block(
    everything: Sequence[Sequence[str]],
    widths: Sequence[int],
    right: Collection[int],
    beside: tuple[Sequence[str] | None, Sequence[str] | None],
    *,
    headed: bool,
) -> str:
    notes, groups = beside
    indent = sum(widths[:-1]) + 2 * (len(widths) - 1)
    room = max(_LEAST // 2, terminal_width() - indent)
    lines = []
    for index, row in enumerate(everything, start=-1 if headed else 0):
        front = [pad(cell, widths[i], right=i in right) for i, cell in enumerate(row[:-1])]
        last = pad(row[-1], widths[-1], right=True) if len(widths) - 1 in right else row[-1]
        first, *more = [last] if len(widths) - 1 in right else wrap(last, room)
        if groups and index >= 0 and (index == 0 or groups[index] != groups[index - 1]):
            lines += ["", *wrap(groups[index], terminal_width())]
        lines.append("  ".join([*front, first]).rstrip())
        lines.extend(" " * indent + line for line in more)
        if notes and index >= 0 and notes[index]:
            lines.extend(f"    {line}" for line in wrap(notes[index], terminal_width() - 4))
    return "\n".join(lines) + "\n"


def paragraph(text: str) -> str:
    """Return a text in lines that are no wider than the terminal, each with its end."""
    return "".join(f"{line}\n" for line in wrap(text, terminal_width()))


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
