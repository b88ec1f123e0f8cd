"""What scoring cost in money and energy, as text and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..board.pivot import Board
from ..board.prices import AnyPrice, price_of, usd_per_million_pairs, usd_per_thousand_queries
from ..results import FIRST_STAGE
from ..text import units
from ..text.aligned import listing

_NONE = "not measured"


def rows(board: Board, known: Sequence[AnyPrice]) -> list[dict[str, Any]]:
    """One line per reranker variant, over all of its datasets; None is not measured, or a device without a price."""
    records = []
    for variant in (v for v in board.variants if v.setting != FIRST_STAGE):
        cells = board.mean(variant).cells
        if not cells:
            continue
        queries = sum(cell.manifest.counts.queries for cell in cells)
        energy = [cell.manifest.cost.energy_joules for cell in cells]
        joules = [x for x in energy if x is not None]
        priced = list(dict.fromkeys(price for cell in cells if (price := price_of(cell, known))))
        records.append(
            {
                "model": variant.model,
                "setting": " ".join(filter(None, (variant.setting, variant.origin))),
                "score": board.mean(variant).score,
                "device": ", ".join(
                    dict.fromkeys(str(cell.manifest.provenance.get("device_name", "unknown")) for cell in cells)
                ),
                "settings_of_the_pass": len({name for cell in cells for name in cell.manifest.cost.pass_settings}),
                "usd_per_thousand_queries": usd_per_thousand_queries(cells, known),
                "usd_per_million_pairs": usd_per_million_pairs(cells, known),
                "joules_per_query": sum(joules) / queries if len(joules) == len(energy) and queries else None,
                "prices": [{"name": price.name, "price": price.told, **vars(price)} for price in priced],
            }
        )
    return records


def to_text(priced: Sequence[dict[str, Any]], metric: str) -> str:
    """An aligned table, and where each price comes from."""
    head = ("model", "setting", f"{metric} x 100", "$/1,000 queries", "$/million pairs", "energy/query", "device")
    lines = [
        (
            row["model"],
            row["setting"],
            "–" if row["score"] is None else f"{row['score']:.2f}",
            _usd(row, "usd_per_thousand_queries"),
            _usd(row, "usd_per_million_pairs"),
            _NONE if row["joules_per_query"] is None else units.energy(row["joules_per_query"]),
            row["device"],
        )
        for row in priced
    ]
    prices = {price["name"]: price for row in priced for price in row["prices"]}.values()
    notes = [f"{p['name']}: {p['price']}, {p['date']}, {p['offer']} ({p['source']})" for p in prices]
    if any(not row["prices"] for row in priced):
        notes.append("no price: the device or the call is not in configs/prices.yaml; give --usd-per-hour")
    if any(row["settings_of_the_pass"] > 1 for row in priced):
        notes.append("a pass that served several settings is counted in full for each of them")
    return listing(head, lines, right=range(2, 6)) + "".join(f"{note}\n" for note in notes)


def _usd(row: dict[str, Any], key: str) -> str:
    if row[key] is not None:
        return units.usd(row[key])
    return _NONE if row["prices"] else "no price"
