"""A grid as aligned text. The best of a row stands in brackets; what does not fit beside goes below."""

from __future__ import annotations

import re

from ..text.aligned import pad, terminal_width, width, wrap
from .layout import Grid, GridCell

_GAP = "  "
_HEAD = 16
_NARROW_HEAD = 10  # above figures of variants that are rows


def write(grid: Grid) -> str:
    """The grid in blocks that are no wider than the terminal, then its notes."""
    columns = [_column([row[index] for row in grid.rows], first=index == 0) for index in range(len(grid.head))]
    rooms = [max(_NARROW_HEAD, *map(width, cells)) - 1 if grid.transposed else _HEAD for cells in columns]
    corner, *others = [_wrap_head(parts, room) for parts, room in zip(grid.head, rooms)]
    heads = [corner, *([f"{line} " for line in lines] for lines in others)]  # figures end in a blank or a bracket
    widths = [max(map(width, [*head, *cells])) for head, cells in zip(heads, columns)]
    table = list(zip(*columns))
    blocks = [_block(heads, table, grid.rules, widths, shown) for shown in _split(widths, terminal_width())]
    best = any(entry.best for row in grid.rows for entry in row)
    notes = [*([f"[ ] best of the {'column' if grid.transposed else 'row'}"] if best else []), *grid.notes]
    notes = [line for note in notes for line in wrap(note, terminal_width())]
    return "\n".join([*blocks, "".join(f"{note}\n" for note in notes)] if notes else blocks)


def _column(entries: list[GridCell], *, first: bool) -> list[str]:
    """Figures aligned at their right, details at their left."""
    if first:
        return [entry.text for entry in entries]
    figures = [f"[{e.text}{e.marks}]" if e.best else f"{e.text}{e.marks} " for e in entries]
    figure_width, detail_width = max(map(width, figures)), max(width(e.detail) for e in entries)
    if not detail_width:
        return figures
    return [f"{pad(f, figure_width, right=True)} {pad(e.detail, detail_width)}" for f, e in zip(figures, entries)]


def _wrap_head(parts: tuple[str, ...], room: int) -> list[str]:
    """Each part on lines of its own, long ones broken at blanks and after hyphens and slashes."""
    lines: list[str] = []
    for part in parts:
        line = ""
        for piece in re.sub(r"([-/ ])", "\\1\0", part).split("\0"):
            if line and width((line + piece).rstrip()) > room:
                lines.append(line.rstrip())
                line = ""
            line += piece
        lines.append(line)
    return lines


def _split(widths: list[int], room: int) -> list[list[int]]:
    """Columns of each block; the first column opens every block."""
    blocks: list[list[int]] = []
    for column in range(1, len(widths)):
        taken = sum(widths[c] + len(_GAP) for c in [0, *(blocks[-1] if blocks else ())])
        if not blocks or taken + widths[column] > room:
            blocks.append([])
        blocks[-1].append(column)
    return [[0, *columns] for columns in blocks]


def _block(
    heads: list[list[str]], table: list[tuple[str, ...]], rules: tuple[int, ...], widths: list[int], columns: list[int]
) -> str:
    def line(texts: list[str]) -> str:
        cells = [pad(text, widths[c], right=c > 0) for c, text in zip(columns, texts)]
        return _GAP.join(cells).rstrip() + "\n"

    height = max(len(heads[c]) for c in columns)
    rule = "-" * (sum(widths[c] + len(_GAP) for c in columns) - len(_GAP)) + "\n"
    out = ""
    for level in range(height):
        # heads stand on the rule: short ones get blank lines above
        out += line([([""] * (height - len(heads[c])) + heads[c])[level] for c in columns])
    out += rule
    for index, row in enumerate(table):
        if index in rules:
            out += rule
        out += line([row[c] for c in columns])
    return out
