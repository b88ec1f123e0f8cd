"""What a variant cost, summed over its cells; None is "not measured"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..board.frontier import label
from ..board.pivot import Board, Variant
from ..results import FIRST_STAGE, Cell, Manifest
from ..text import units

NOT_MEASURED = "not measured"
HEADS = (
    "datasets",
    "pairs",
    "reference",
    "useful",
    "executed",
    "tokens",
    "padding",
    "shared",
    "forward",
    "pairs/s",
    "TFLOP/s",
    "share of peak",
    "peak memory",
)
_COUNTS = {"pairs", "tokens", "padding", "shared"}


@dataclass(frozen=True)
class CostLine:
    """One variant. `texts` and `values` follow `HEADS`; `shares` are the settings that its passes served."""

    name: str
    texts: tuple[str, ...]
    values: tuple[float | None, ...]
    shares: tuple[str, ...]

    @property
    def implausible(self) -> bool:
        """Whether more than the peak was reached, which says that the peak is wrong."""
        return (self.values[HEADS.index("share of peak")] or 0.0) > 1


def cost_lines(board: Board) -> list[CostLine]:
    """One line per reranker variant that was run."""
    return [_line(v, cells) for v in board.variants if v.setting != FIRST_STAGE and (cells := cells_of(board, v))]


def cells_of(board: Board, variant: Variant) -> list[Cell]:
    """A variant's cells, each once, in the order of the rows."""
    names = [name for row in board.rows for name in (row.members or (row.name,))]
    return [cell for name in names for cell in board.figure(name, variant).cells]


def seconds_per_query(cells: Sequence[Cell]) -> float | None:
    """Forward seconds of the passes, per query; None unless every cell has them."""
    spent = _sum(cells, lambda m: m.cost.forward_seconds)
    queries = sum(cell.manifest.counts.queries for cell in cells)
    return spent / queries if spent is not None and queries else None


def _line(variant: Variant, cells: Sequence[Cell]) -> CostLine:
    forward = _sum(cells, lambda m: m.cost.forward_seconds)
    scoring = _sum(cells, lambda m: m.counts.pairs / m.cost.pairs_per_second if m.cost.pairs_per_second else None)
    done = _sum(cells, lambda m: _times(m.cost.tflops, m.cost.forward_seconds))
    possible = _sum(cells, lambda m: _times(m.cost.peak_tflops, m.cost.forward_seconds))
    pairs = sum(cell.manifest.counts.pairs for cell in cells)
    memory = [cell.manifest.cost.peak_memory_bytes for cell in cells]
    values = (
        float(len(cells)),
        float(pairs),
        _sum(cells, lambda m: m.flops and m.flops.reference),
        _sum(cells, lambda m: m.flops and m.flops.useful),
        _sum(cells, lambda m: m.flops and m.flops.executed),
        _sum(cells, lambda m: m.tokens and m.tokens.query + m.tokens.passage + m.tokens.prompt),
        _sum(cells, lambda m: m.tokens and m.tokens.padded),
        _sum(cells, lambda m: m.tokens and m.tokens.shared),
        forward,
        pairs / scoring if scoring else None,
        done / forward if done is not None and forward else None,
        done / possible if done is not None and possible else None,
        max((m for m in memory if m is not None), default=None),
    )
    shares = tuple(dict.fromkeys(name for cell in cells for name in cell.manifest.cost.pass_settings))
    return CostLine(label(variant), tuple(map(_write, HEADS, values)), values, shares if len(shares) > 1 else ())


def _times(a: float | None, b: float | None) -> float | None:
    return a * b if a is not None and b is not None else None


def _sum(cells: Sequence[Cell], value: Callable[[Manifest], float | None]) -> float | None:
    found = [value(cell.manifest) for cell in cells]
    known = [x for x in found if x is not None]
    return sum(known) if known and len(known) == len(found) else None


def _write(head: str, value: float | None) -> str:
    if value is None:
        return NOT_MEASURED
    if head in _COUNTS or head == "datasets":
        return f"{value:,.0f}"
    if head in ("reference", "useful", "executed"):
        return units.flops(value)
    if head == "forward":
        return f"{value:,.1f} s"
    if head == "peak memory":
        return units.size(value)
    return units.share(100 * value) if head == "share of peak" else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"
