"""One number of a table, and what a mean of such numbers is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..results import Cell


@dataclass(frozen=True)
class Limit:
    """What any reranker of the same candidates can reach, all x 100.

    Attributes:
        first: the metric of the first stage.
        ceiling: the metric of the candidates in the order of their grades.
        recall: share of the relevant documents that are among the candidates; a mean over queries, those without a
            relevant document counting 0 as in trec_eval.
    """

    first: float
    ceiling: float
    recall: float


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
        limit: what the candidates allow; None where no judgements are stored.
        cells: what the figure was made of.
    """

    score: float | None
    have: int = 1
    of: int = 1
    partial: tuple[str, ...] = ()
    interval: tuple[float, float] | None = None
    flops: float | None = None
    full: float | None = None
    limit: Limit | None = None
    cells: tuple[Cell, ...] = ()

    @property
    def saved(self) -> float | None:
        """Share of the full model's FLOPs that the setting saves, in per cent."""
        return 100 * (1 - self.flops / self.full) if self.flops is not None and self.full else None

    @property
    def headroom(self) -> float | None:
        """Share of what was to gain over the first stage that was gained, in per cent; negative for a loss."""
        if self.limit is None or self.score is None or self.limit.ceiling <= self.limit.first:
            return None
        return 100 * (self.score - self.limit.first) / (self.limit.ceiling - self.limit.first)


NOT_RUN = Figure(score=None, have=0)


def figure(cell: Cell, metric: str, limit: Limit | None = None) -> Figure:
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
        limit=limit,
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
        limit=_macro_limit([f.limit for f in figures]) if complete else None,
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


def _macro_limit(limits: Sequence[Limit | None]) -> Limit | None:
    known = [limit for limit in limits if limit is not None]
    if not known or len(known) < len(limits):
        return None
    parts = [(limit.first, limit.ceiling, limit.recall) for limit in known]
    return Limit(*(sum(values) / len(known) for values in zip(*parts)))


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
