"""Every query under the best variant of each model, as compact rows that the page filters and searches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..board.frontier import label
from ..results import Cell
from .queries import MODELS, Finder, best_of_each_model, shorten

ROOM = 1_600_000  # characters of all rows: the page stays small enough to be sent by mail
_NUMBERS = 34  # of a row without its text
_LONGEST = 160


@dataclass(frozen=True)
class EveryQuery:
    """What the page needs: `data` for the script, and how many rows and variants there are."""

    data: dict[str, Any]
    rows: int
    variants: tuple[str, ...]
    shortened: int


def every_query(finder: Finder) -> EveryQuery:
    """One row per query: place of the dataset, id, text, the first stage's metric and each variant's, x 100.

    Texts are as long as there is room for all rows, at most 160 characters; `shortened` is that length, 0 where ids
    and numbers alone fill the room.
    """
    chosen = best_of_each_model(finder.evidence)[:MODELS]
    before: dict[tuple[str, str], float] = {}
    after: dict[tuple[str, str], dict[int, float]] = {}
    cells: dict[str, Cell] = {}
    for number, variant in enumerate(chosen):
        for cell, query, old, new in finder.compared(variant):
            key = cell.manifest.dataset, query
            before[key] = old
            after.setdefault(key, {})[number] = new
            cells[cell.manifest.dataset] = cell
    datasets = list(cells)
    room = ROOM // max(1, len(after)) - _NUMBERS - 5 * len(chosen)
    longest = max(0, min(_LONGEST, room))
    texts = {name: _texts(finder, cells[name]) for name in datasets} if longest >= 12 else {}
    rows = [
        [
            datasets.index(dataset),
            query,
            shorten(texts.get(dataset, {}).get(query) or "", longest) if longest else "",
            round(before[dataset, query], 1),
            *(_rounded(values.get(number)) for number in range(len(chosen))),
        ]
        for (dataset, query), values in after.items()
    ]
    names = tuple(map(label, chosen))
    return EveryQuery({"datasets": datasets, "variants": list(names), "rows": rows}, len(rows), names, longest)


def _texts(finder: Finder, cell: Cell) -> Mapping[str, str]:
    dataset = finder.dataset(cell)
    return dataset.queries if dataset else {}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
