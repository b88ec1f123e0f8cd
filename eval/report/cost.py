"""The cost table: one line per variant, the columns of `board.costs`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..board import costs
from ..board.frontier import label
from ..board.pivot import Board, Variant
from ..results import FIRST_STAGE, Cell

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Amount:
    """One place of the table: as shown, and what the column is sorted by. `implausible`: above what can be."""

    text: str
    value: float | None
    implausible: bool = False


@dataclass(frozen=True)
class CostLine:
    """One variant. `shares` are the settings that its passes served."""

    name: str
    amounts: tuple[Amount, ...]
    shares: tuple[str, ...]

    @property
    def implausible(self) -> bool:
        """Whether more than the peak was reached, which says that the peak is wrong."""
        return any(amount.implausible for amount in self.amounts)


def heads(board: Board) -> list[str]:
    """Of the columns of which a variant has a value."""
    return [column.head for column in _measured(board)]


def unmeasured(board: Board) -> list[str]:
    """Heads of what no variant has."""
    shown = _measured(board)
    return [column.head for column in _columns(board) if column not in shown]


def _measured(board: Board) -> list[costs.Column[costs.Cells]]:
    variants = [cells_of(board, v) for v in board.variants if v.setting != FIRST_STAGE]
    variants = [cells for cells in variants if cells]
    return [column for column in _columns(board) if any(column.value(cells) is not None for cells in variants)]


def _columns(board: Board) -> list[costs.Column[costs.Cells]]:
    """Those of servers where one was asked."""
    served = any(cell.manifest.cost.asked for variant in board.variants for cell in cells_of(board, variant))
    return costs.OF_CELLS + (costs.OF_SERVED if served else [])


def cost_lines(board: Board) -> list[CostLine]:
    """One line per reranker variant that was run."""
    columns = _measured(board)
    return [
        _line(v, cells, columns) for v in board.variants if v.setting != FIRST_STAGE and (cells := cells_of(board, v))
    ]


def cells_of(board: Board, variant: Variant) -> list[Cell]:
    """A variant's cells, each once, in the order of the rows."""
    names = [name for row in board.rows for name in (row.members or (row.name,))]
    return [cell for name in names for cell in board.figure(name, variant).cells]


def _line(variant: Variant, cells: Sequence[Cell], columns: Sequence[costs.Column[costs.Cells]]) -> CostLine:
    shares = tuple(dict.fromkeys(name for cell in cells for name in cell.manifest.cost.pass_settings))
    amounts = tuple(_amount(column, cells) for column in columns)
    return CostLine(label(variant), amounts, shares if len(shares) > 1 else ())


def _amount(column: costs.Column[costs.Cells], cells: Sequence[Cell]) -> Amount:
    value = column.value(cells)
    if value is None:
        return Amount(NOT_MEASURED, None)
    return Amount(column.write(value), value, column is costs.SHARE_OF_PEAK and value > 1)
