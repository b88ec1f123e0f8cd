"""A grid as one HTML page without scripts or anything from elsewhere."""

from __future__ import annotations

from html import escape

from .layout import Grid, GridCell

_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25em .8em; text-align: right; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; white-space: pre; }
thead tr, tr.rule td, tr.rule th { border-top: 1px solid #888; }
thead { border-bottom: 1px solid #888; }
small, ul { color: #555; }
"""


def write(grid: Grid) -> str:
    """A page with the table and its notes as a list."""
    heads = "".join(f"<th>{'<br>'.join(escape(part) for part in head)}</th>" for head in grid.head)
    body = "\n".join(_row(row, index in grid.rules) for index, row in enumerate(grid.rows))
    items = "\n".join(f"<li>{escape(note)}</li>" for note in grid.notes)
    notes = f"<ul>\n{items}\n</ul>\n" if items else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>rerankbench</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<table>\n<thead>\n<tr>{heads}</tr>\n</thead>\n<tbody>\n{body}\n"
        f"</tbody>\n</table>\n{notes}</body>\n</html>\n"
    )


def _row(row: tuple[GridCell, ...], rule: bool) -> str:
    label, *entries = row
    cells = "".join(f"<td>{_cell(entry)}</td>" for entry in entries)
    kind = ' class="rule"' if rule else ""
    return f"<tr{kind}><th>{escape(label.text)}</th>{cells}</tr>"


def _cell(entry: GridCell) -> str:
    text = escape(entry.text)
    text = f"<b>{text}</b>" if entry.best else text
    detail = f"<br><small>{escape(entry.detail)}</small>" if entry.detail else ""
    return f"{text}{escape(entry.marks)}{detail}"
