"""The templates and the style of a chart."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment(*folders: Path) -> Environment:
    """Return templates of `folders` and of the chart; every value is escaped."""
    return Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def style() -> str:
    """Return CSS with variables that follow the reader's light or dark mode."""
    return "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in ("colours.css", "chart.css"))


def plain_style() -> str:
    """Return CSS for a file on white paper, light and without variables, which few SVG programs support."""
    colours = dict(re.findall(r"--(\w+): light-dark\((#\w+),", (TEMPLATES / "colours.css").read_text(encoding="utf-8")))
    colours["bg"] = "#ffffff"
    rules = (TEMPLATES / "chart.css").read_text(encoding="utf-8")
    return re.sub(r"var\(--(\w+)\)", lambda name: colours[name[1]], rules)
