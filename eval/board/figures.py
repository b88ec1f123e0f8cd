"""One number of a table, and what a mean of such numbers is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..results import Cell


@dataclass(frozen=True)
class Figure:
    """A cell, or a macro mean of figures.

    Attributes:
        score: the metric x 100; None when it is not run, or when only some of a mean's figures are.
        have, of: how many of a mean's figures there are, of how many; 1 of 1 for a cell.
        partial: why the score does not stand for what the row is called, one phrase per reason.
        interval: 95 % interval of the score, where queries were sampled.
        flops, full: reference FLOPs per query, of the setting and of the same model at full depth and uncompressed;
            None where they were not measured.
        cells: what the figure was made of.
    """

    score: float | None
    have: int = 1
    of: int = 1
    partial: tuple[str, ...] = ()
    interval: tuple[float, float] | None = None
    flops: float | None = None
    full: float | None = None
    cells: tuple[Cell, ...] = ()

    @property
    def saved(self) -> float | None:
        """Share of the full model's FLOPs that the setting saves, in per cent."""
        return 100 * (1 - self.flops / self.full) if self.flops is not None and self.full else None


NOT_RUN = Figure(score=None, have=0)


def figure(cell: Cell, metric: str) -> Figure:
    """The figure of one cell; not run when the cell lacks the metric."""
    manifest = cell.manifest
    if metric not in manifest.metrics:
        return NOT_RUN
    flops, queries = manifest.flops, manifest.counts.queries
    return Figure(
        score=100 * manifest.metrics[metric],
        partial=(reason(manifest.partial),) if manifest.partial else (),
        interval=(100 * ends[0], 100 * ends[1]) if (ends := manifest.intervals.get(metric)) else None,
        flops=flops.reference / queries if flops and queries else None,
        full=flops.full / queries if flops and queries else None,
        cells=(cell,),
    )


def macro(figures: Sequence[Figure]) -> Figure:
    """The mean of figures, each with one weight. Without a score unless all of them have one."""
    have = sum(f.score is not None for f in figures)
    complete = have == len(figures)
    return Figure(
        score=_mean([f.score for f in figures]),
        have=have,
        of=len(figures),
        partial=tuple(dict.fromkeys(reason for f in figures for reason in f.partial)),
        interval=_macro_interval(figures),
        flops=_mean([f.flops for f in figures]) if complete else None,
        full=_mean([f.full for f in figures]) if complete else None,
        cells=tuple(cell for f in figures for cell in f.cells),
    )


def _macro_interval(figures: Sequence[Figure]) -> tuple[float, float] | None:
    """Datasets are sampled independently, so their deviations add as squares; whole datasets add none."""
    scores = [f.score for f in figures if f.score is not None]
    if len(scores) < len(figures) or not any(f.interval for f in figures):
        return None
    sampled = [(f.score, *f.interval) for f in figures if f.interval and f.score is not None]
    mean, count = sum(scores) / len(scores), len(scores)
    below = sum((score - low) ** 2 for score, low, _ in sampled) ** 0.5 / count
    above = sum((high - score) ** 2 for score, _, high in sampled) ** 0.5 / count
    return mean - below, mean + above


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def reason(partial: dict[str, Any]) -> str:
    """Why a cell is partial, as a phrase."""
    rest = dict(partial)
    phrases = []
    if "limit" in rest:
        phrases.append(f"first {rest.pop('limit')} queries")
    if "sample" in rest:
        phrases.append(f"sample of {rest.pop('sample')} queries")
    phrases.extend(f"{key} {value}" for key, value in rest.items())
    return ", ".join(phrases)
