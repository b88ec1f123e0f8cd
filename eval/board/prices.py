"""What scoring costs in money: measured throughput times the price of a device-hour, which is dated data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ...configs import CONFIGS, read
from ...rerankers.errors import InputError
from ..results import Cell

HOUR = 3600
_KEYS = {"name", "usd_per_hour", "date", "offer", "source"}


@dataclass(frozen=True)
class Price:
    """Of one device for one hour, in US dollars. `name` is part of what the device calls itself."""

    name: str
    usd_per_hour: float
    date: str
    offer: str
    source: str


@cache
def prices(file: Path = CONFIGS / "prices.yaml") -> tuple[Price, ...]:
    """All prices of a file. Raises InputError for anything but a list of complete entries under `devices`."""
    raw = read(file).get("devices")
    if not isinstance(raw, list):
        raise InputError(f"{file}: key 'devices': expected a list of prices")
    found = []
    for number, row in enumerate(raw, start=1):
        where = f"{file}: devices, entry {number}"
        if not isinstance(row, dict) or set(row) != _KEYS:
            raise InputError(f"{where}: expected {', '.join(sorted(_KEYS))}")
        usd = row["usd_per_hour"]
        if isinstance(usd, bool) or not isinstance(usd, (int, float)) or not 0 < usd < 1e6:
            raise InputError(f"{where}: usd_per_hour must be a number above 0, found {usd!r:.40}")
        texts = [row[key] for key in ("name", "date", "offer", "source")]
        if not all(isinstance(text, str) and text for text in texts):
            raise InputError(f"{where}: name, date, offer and source must be texts; put them in quotes")
        found.append(Price(row["name"], float(usd), row["date"], row["offer"], row["source"]))
    return tuple(found)


def price_of(cell: Cell, known: Sequence[Price]) -> Price | None:
    """The price of the device that scored a cell; the longest name that fits, None where none does."""
    device = str(cell.manifest.provenance.get("device_name", ""))
    fitting = [price for price in known if price.name.casefold() in device.casefold()]
    return max(fitting, key=lambda price: len(price.name), default=None)


def usd_per_million_pairs(cells: Sequence[Cell], known: Sequence[Price] | None = None) -> float | None:
    """Device-hours per pair, tokenising and storing included, at each cell's price; None unless all are known."""
    pairs = sum(cell.manifest.counts.pairs for cell in cells)
    spent = [_usd(cell, prices() if known is None else known) for cell in cells]
    total = [usd for usd in spent if usd is not None]
    return 1e6 * sum(total) / pairs if pairs and len(total) == len(spent) else None


def usd_per_thousand_queries(cells: Sequence[Cell], known: Sequence[Price] | None = None) -> float | None:
    """The same per 1,000 queries, each with the candidates that it had."""
    rate = usd_per_million_pairs(cells, known)
    queries = sum(cell.manifest.counts.queries for cell in cells)
    pairs = sum(cell.manifest.counts.pairs for cell in cells)
    return rate * pairs / 1e6 / queries * 1000 if rate is not None and queries else None


def _usd(cell: Cell, known: Sequence[Price]) -> float | None:
    rate, price = cell.manifest.cost.pairs_per_second, price_of(cell, known)
    return cell.manifest.counts.pairs / rate / HOUR * price.usd_per_hour if rate and price else None
