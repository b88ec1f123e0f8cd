"""A grid as a LaTeX tabular with booktabs rules."""

from __future__ import annotations

from collections.abc import Iterable

from .layout import Grid, GridCell

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "*": r"\textasteriskcentered{}",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "§": r"\S{}",
    "¶": r"\P{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "–": "--",
    "°": r"\textdegree{}",
    "−": r"$-$",
    "×": r"$\times$",
    "▲": r"$^{\uparrow}$",
    "▼": r"$^{\downarrow}$",
    **{char: f"\\{char}" for char in "&%$#_{}"},
}


PAGE = 88  # characters that fit between the margins of a page of LaTeX's article at 10 pt
_LATIN = "\u024f"  # beyond this letter pdflatex has no fonts by itself


def width(grid: Grid) -> int:
    """About how many characters wide a grid is, two more between columns."""
    columns = [[*head, *(row[i].text + row[i].detail for row in grid.rows)] for i, head in enumerate(grid.head)]
    return sum(max(map(len, texts)) + 2 for texts in columns)


def write(grid: Grid) -> str:
    r"""A tabular with its notes below; needs `\usepackage{booktabs,graphicx}`. What is too wide shrinks to the line."""
    height = max(len(head) for head in grid.head)
    heads = [
        _row(_escape(head[level].replace(" x 100", " × 100")) if level < len(head) else "" for head in grid.head)
        for level in range(height)
    ]
    body = []
    for index, row in enumerate(grid.rows):
        body += [r"\midrule"] if index in grid.rules else []
        body.append(_row(_cell(entry) for entry in row))
    lines = [
        r"% needs \usepackage{booktabs,graphicx}",
        r"\noindent\resizebox{\ifdim\width>\linewidth \linewidth\else \width\fi}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * (len(grid.head) - 1)}}}",
        r"\toprule",
        *heads,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}}",
        r"\par",
        *(rf"{{\footnotesize\noindent {_escape(note)}\par}}" for note in grid.notes),
    ]
    text = "\n".join(lines) + "\n"
    strange = any(char > _LATIN and char not in _SPECIAL for char in text)
    return f"% has letters beyond Latin: XeLaTeX or LuaLaTeX, and a font that has them\n{text}" if strange else text


def _row(cells: Iterable[str]) -> str:
    row = " & ".join(cells)
    return ("{}" if row.startswith("[") else "") + row + r" \\"  # a bracket after \\ would be read as an option


def _cell(entry: GridCell) -> str:
    text = _escape(entry.text)
    text = rf"\textbf{{{text}}}" if entry.best else text
    detail = rf" {{\scriptsize {_escape(entry.detail)}}}" if entry.detail else ""
    indent = r"\quad " if entry.text.startswith("  ") else ""
    return f"{indent}{text.lstrip()}{_escape(entry.marks)}{detail}"


def _escape(text: str) -> str:
    return "".join(_SPECIAL.get(char, char) for char in text.replace("\n", " "))
