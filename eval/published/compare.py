"""Measured against published: a difference and a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .table import PublishedTable

Verdict = Literal["reproduced", "off", "partial", "not run"]


@dataclass(frozen=True)
class Comparison:
    """One figure beside the published one, both x 100. `difference` is None when nothing was measured."""

    published: float
    difference: float | None
    verdict: Verdict


def compare(
    table: PublishedTable, row: str, model: str, setting: str, value: float | None, *, partial: bool
) -> Comparison | None:
    """Compare a figure (x 100; None: not run) with `table`; None where the table has no such figure.

    A partial figure is never `reproduced` and never `off`: it is not of its whole dataset.
    """
    published = table.value(row, model, setting)
    if published is None:
        return None
    if value is None:
        return Comparison(published, None, "not run")
    difference = value - published
    if partial:
        return Comparison(published, difference, "partial")
    allowed = table.allowed(row, model, setting)
    return Comparison(published, difference, "reproduced" if abs(difference) <= allowed + 1e-9 else "off")
