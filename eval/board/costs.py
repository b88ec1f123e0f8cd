"""What a variant cost and could gain: every such column of the tables and of the report is one row here.

A value of None is "not measured".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..results import Cell, Manifest, ServerUsage
from ..results.latency import latency_of
from ..text import units
from .figures import Figure
from .prices import usd_per_million_pairs, usd_per_thousand_queries

Subject = TypeVar("Subject")
Cells = Sequence[Cell]


@dataclass(frozen=True)
class Column(Generic[Subject]):
    """A head, what stands below it, and how that is written; `optional`: left out where nothing was measured."""

    head: str
    value: Callable[[Subject], float | None]
    write: Callable[[float], str]
    optional: bool = False


def seconds_per_query(cells: Cells) -> float | None:
    """Forward seconds of the passes, per query; None unless every cell has them."""
    spent = _forward(cells)
    queries = sum(cell.manifest.counts.queries for cell in cells)
    return spent / queries if spent is not None and queries else None


def _forward(cells: Cells) -> float | None:
    return _sum(cells, lambda m: m.cost.forward_seconds)


def _pairs(cells: Cells) -> float:
    return float(sum(cell.manifest.counts.pairs for cell in cells))


def _pairs_per_second(cells: Cells) -> float | None:
    scoring = _sum(cells, lambda m: m.counts.pairs / m.cost.pairs_per_second if m.cost.pairs_per_second else None)
    return _pairs(cells) / scoring if scoring else None


def _tflops(cells: Cells) -> float | None:
    return _ratio(_done(cells), _forward(cells))


def _share_of_peak(cells: Cells) -> float | None:
    return _ratio(_done(cells), _sum(cells, lambda m: _times(m.cost.peak_tflops, m.cost.forward_seconds)))


def _done(cells: Cells) -> float | None:
    return _sum(cells, lambda m: _times(m.cost.tflops, m.cost.forward_seconds))


def _peak_memory(cells: Cells) -> float | None:
    memory = (cell.manifest.cost.peak_memory_bytes for cell in cells)
    return max((bytes_ for bytes_ in memory if bytes_ is not None), default=None)


def _requests_per_second(cells: Cells) -> float | None:
    return _ratio(_sum(cells, lambda m: m.cost.asked and m.cost.asked.requests), _forward(cells))


def _slowest(value: Callable[[ServerUsage], float | None]) -> Callable[[Cells], float | None]:
    """Percentiles of several datasets cannot be put together."""
    return lambda cells: max(
        (x for cell in cells if (asked := cell.manifest.cost.asked) and (x := value(asked)) is not None),
        default=None,
    )


def _times(a: float | None, b: float | None) -> float | None:
    return a * b if a is not None and b is not None else None


def _ratio(a: float | None, b: float | None) -> float | None:
    return a / b if a is not None and b else None


def _sum(cells: Cells, value: Callable[[Manifest], float | None]) -> float | None:
    """Over all cells; None unless every one has it."""
    values = [value(cell.manifest) for cell in cells]
    known = [x for x in values if x is not None]
    return sum(known) if known and len(known) == len(values) else None


def _summed(value: Callable[[Manifest], float | None]) -> Callable[[Cells], float | None]:
    return lambda cells: _sum(cells, value)


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _rate(value: float) -> str:
    return f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def _seconds(value: float) -> str:
    return f"{value:,.1f} s"


def _short_time(value: float) -> str:
    return f"{value:,.3f} s"


def _share(value: float) -> str:
    return units.share(100 * value)


SHARE_OF_PEAK = Column[Cells]("share of peak", _share_of_peak, _share)


def _points(value: float) -> str:
    return f"{value:.2f}"


def served_alone(mean: Figure, percentile: str) -> float | None:
    """Of one query with one client, as `rerankbench latency --run` kept it with the run; never from throughput."""
    for cell in mean.cells:
        latency = latency_of(cell)
        for served in latency.served if latency else ():
            if served.clients == 1:
                return getattr(served.total, percentile)
    return None


def milliseconds(seconds: float) -> str:
    """`12.3 ms`, `1.23 s`."""
    return f"{seconds:,.2f} s" if seconds >= 0.9995 else f"{1000 * seconds:.3g} ms"


# of the mean over datasets: below the scores of a table, beside those of the report
OF_MEAN: list[Column[Figure]] = [
    Column("ceiling", lambda mean: mean.limit and mean.limit.ceiling, _points, optional=True),
    Column("headroom taken", lambda mean: mean.headroom, units.share, optional=True),
    Column("candidates' recall", lambda mean: mean.limit and mean.limit.recall, _points, optional=True),
    Column("FLOPs per query", lambda mean: mean.flops, units.flops),
    Column("FLOPs saved", lambda mean: mean.saved, units.share),
    Column("latency p50", lambda mean: served_alone(mean, "p50"), milliseconds, optional=True),
    Column("latency p95", lambda mean: served_alone(mean, "p95"), milliseconds, optional=True),
]


def shown(means: Sequence[Figure]) -> list[Column[Figure]]:
    """The columns of the mean that some of these figures have; all that are not `optional` where FLOPs were counted."""
    counted = any(cell.manifest.flops for mean in means for cell in mean.cells)
    return [
        column
        for column in OF_MEAN
        if (counted and not column.optional) or any(column.value(mean) is not None for mean in means)
    ]


# of all cells of a variant: the report's cost table
OF_CELLS: list[Column[Cells]] = [
    Column("datasets", lambda cells: float(len(cells)), _count),
    Column("pairs", _pairs, _count),
    Column("reference", _summed(lambda m: m.flops and m.flops.reference), units.flops),
    Column("useful", _summed(lambda m: m.flops and m.flops.useful), units.flops),
    Column("executed", _summed(lambda m: m.flops and m.flops.executed), units.flops),
    Column("tokens", _summed(lambda m: m.tokens and m.tokens.query + m.tokens.passage + m.tokens.prompt), _count),
    Column("padding", _summed(lambda m: m.tokens and m.tokens.padded), _count),
    Column("shared", _summed(lambda m: m.tokens and m.tokens.shared), _count),
    Column("forward", _forward, _seconds),
    Column("pairs/s", _pairs_per_second, _rate),
    Column("TFLOP/s", _tflops, _rate),
    SHARE_OF_PEAK,
    Column("peak memory", _peak_memory, units.size),
    Column("energy", _summed(lambda m: m.cost.energy_joules), units.energy),
    Column("$/1,000 queries", usd_per_thousand_queries, units.usd),
    Column("$/million pairs", usd_per_million_pairs, units.usd),
]

# of all cells of a variant that a server scored: more columns of the report's cost table, where there is one
OF_SERVED: list[Column[Cells]] = [
    Column("requests", _summed(lambda m: m.cost.asked and m.cost.asked.requests), _count),
    Column("requests/s", _requests_per_second, _rate),
    Column("p50, slowest dataset", _slowest(lambda asked: asked.p50_seconds), _short_time),
    Column("p95, slowest dataset", _slowest(lambda asked: asked.p95_seconds), _short_time),
    Column("billed", _summed(lambda m: m.cost.asked and m.cost.asked.billed), _count),
]
