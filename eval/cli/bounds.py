"""The largest numbers that options take, and no NaN. FLOPs of a pair of more tokens would not fit 64 bits."""

from __future__ import annotations

import math

import typer

MOST_TOKENS = 1 << 20
MOST_QUERIES = 1_000_000_000


def number(value: float | None) -> float | None:
    """Refuses NaN, which is not below any `min` to typer 0.27 and older."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("nan is no number")
    return value
