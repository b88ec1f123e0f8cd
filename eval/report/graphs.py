"""Which charts there are: the frontier of the mean, and one small chart for each dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..board.costs import milliseconds, seconds_per_query
from ..board.evidence import Evidence, Interval
from ..board.figures import Figure
from ..board.frontier import MEAN, Point, first_stages, label, names, points, short_label
from ..board.pivot import Variant
from ..chart.layout import Dot, Legend, Level, Plot, legend, plot
from ..results import FIRST_STAGE, Cell
from ..text import units
from .cost import NOT_MEASURED


@dataclass(frozen=True)
class Graphs:
    """The big chart for wide and for narrow screens, and the small ones by dataset. None: nothing was counted."""

    title: str
    wide: Plot | None
    narrow: Plot | None
    small: tuple[tuple[str, Plot], ...]
    legend: tuple[Legend, ...]
    undrawn: tuple[str, ...]


def graphs(evidence: Evidence, cells: Sequence[Cell]) -> Graphs:
    """All charts. Variants without a mean or without counted FLOPs cannot be drawn in the big one and are named."""
    board = evidence.board
    index = {str(cell.path): i for i, cell in enumerate(cells)}
    models = list(dict.fromkeys(v.model for v in board.variants if v.setting != FIRST_STAGE and board.mean(v).have))
    rerankers = [v for v in board.variants if v.setting != FIRST_STAGE]

    all_points = points(cells, board.metric)

    def dots(row: str, intervals: bool) -> list[Dot]:
        drawn = [p for p in all_points if p.dataset == row and p.variant.setting != FIRST_STAGE]
        return [_dot(p, intervals) for p in drawn]

    def _dot(point: Point, intervals: bool) -> Dot:
        v, figure = point.variant, evidence.figure(point.dataset, point.variant)
        interval = evidence.interval(point.dataset, v) if intervals else None
        return Dot(
            series=models.index(v.model),
            name=short_label(v, rerankers),
            tip=_tip(evidence, v, figure, interval),
            x=point.flops,
            y=point.score,
            low=interval.low if interval else None,
            high=interval.high if interval else None,
            frontier=point.dominated_by is None,
            partial=point.partial,
            cells=tuple(index[str(cell.path)] for cell in figure.cells),
        )

    def levels(row: str) -> list[Level]:
        return [Level(label(v), score) for v, score in first_stages(board, row).items()]

    overall = names(board)[-1]
    big = dots(overall, True)
    by_row = [(row.name, drawn, levels(row.name)) for row in board.rows if (drawn := dots(row.name, False))]
    small = by_row if len(by_row) > 1 else []
    absent = set(rerankers) - {p.variant for p in all_points if p.dataset == overall}
    title = f"mean of {len(board.rows)} datasets" if overall == MEAN else overall
    return Graphs(
        title,
        plot(big, levels(overall), 860, 440) if big else None,
        plot(big, levels(overall), 380, 400) if big else None,
        tuple((name, plot(drawn, lines, 260, 170, small=True)) for name, drawn, lines in small),
        legend(models),
        tuple(label(v) for v in board.variants if v in absent),
    )


def _tip(evidence: Evidence, variant: Variant, figure: Figure, interval: Interval | None) -> str:
    """Lines for the hover; the first one is the name."""
    ends = f" (95 % interval {interval.low:.2f} to {interval.high:.2f})" if interval else ""
    seconds = seconds_per_query(figure.cells)
    passes = {name for cell in figure.cells for name in cell.manifest.cost.pass_settings}
    shared = f" for a pass of {len(passes)} settings" if len(passes) > 1 else ""
    time = NOT_MEASURED if seconds is None else f"{milliseconds(seconds)}{shared}"
    saved = "" if figure.saved is None else f", {units.share(figure.saved)} saved"
    lines = [label(variant), f"{evidence.board.metric} {figure.score:.2f}{ends}"]
    lines += [f"{units.flops(figure.flops or 0.0)} per query{saved}", f"forward time per query: {time}"]
    return "\n".join([*lines, *(f"partial: {phrase}" for phrase in figure.partial)])
