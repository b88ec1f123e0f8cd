"""What scoring costs in money: device-hours or billed units, each times its price, which is dated data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...configs import CONFIGS, read
from ...rerankers.errors import InputError
from ..results import Cell
from ..text import units

HOUR = 3600
ANY = "any"  # of an API's models


@dataclass(frozen=True)
class Price:
    """Of one device for one hour, in US dollars. `name` is part of what the device calls itself."""

    name: str
    usd_per_hour: float
    date: str
    offer: str
    source: str

    @property
    def told(self) -> str:
        """The price in words."""
        return f"{units.usd(self.usd_per_hour)} an hour"

    def fits(self, cell: Cell) -> bool:
        """Whether the device scored the cell."""
        return self.name.casefold() in str(cell.manifest.provenance.get("device_name", "")).casefold()

    def usd(self, cell: Cell) -> float | None:
        """What scoring the cell took, tokenising and storing included; a machine that waits is not counted."""
        rate = cell.manifest.cost.pairs_per_second
        return cell.manifest.counts.pairs / rate / HOUR * self.usd_per_hour if rate else None


@dataclass(frozen=True)
class CallPrice:
    """Of `per` units that an API bills for a model, in US dollars; names are those of configs/served.yaml."""

    api: str
    model: str
    unit: str
    usd_per: float
    per: float
    date: str
    offer: str
    source: str

    @property
    def name(self) -> str:
        """What is called."""
        return f"{self.api} {self.model}"

    @property
    def told(self) -> str:
        """The price in words."""
        return f"{units.usd(self.usd_per)} for {self.per:,.0f} {self.unit}"

    def fits(self, cell: Cell) -> bool:
        """Whether the API scored the cell with this model, and bills in this unit."""
        asked, parts = cell.manifest.cost.asked, cell.manifest.identity_parts.get("reranker")
        if asked is None or asked.unit != self.unit or not isinstance(parts, dict):
            return False
        return parts.get("api") == self.api and self.model in (ANY, parts.get("model"))

    def usd(self, cell: Cell) -> float | None:
        """What was billed; None where the server did not say."""
        asked = cell.manifest.cost.asked
        return None if asked is None or asked.billed is None else asked.billed / self.per * self.usd_per


AnyPrice = Price | CallPrice


@cache
def prices(file: Path = CONFIGS / "prices.yaml") -> tuple[AnyPrice, ...]:
    """All prices of a file, of `devices` and of `calls`. Raises InputError for anything but complete entries."""
    raw = read(file)
    if not isinstance(raw.get("devices"), list):
        raise InputError(f"{file}: key 'devices': expected a list of prices")
    devices = _entries(file, "devices", raw["devices"], numbers=("usd_per_hour",), texts=("name",))
    calls = _entries(file, "calls", raw.get("calls", []), numbers=("usd", "per"), texts=("api", "model", "unit"))
    return (
        *(Price(**row) for row in devices),
        *(CallPrice(usd_per=row.pop("usd"), **row) for row in calls),
    )


def _entries(file: Path, key: str, raw: Any, numbers: Sequence[str], texts: Sequence[str]) -> list[dict[str, Any]]:
    if not isinstance(raw, list):
        raise InputError(f"{file}: key '{key}': expected a list of prices")
    texts = (*texts, "date", "offer", "source")
    for number, row in enumerate(raw, start=1):
        where = f"{file}: {key}, entry {number}"
        if not isinstance(row, dict) or set(row) != {*numbers, *texts}:
            raise InputError(f"{where}: expected {', '.join(sorted((*numbers, *texts)))}")
        for name in numbers:
            value = row[name]
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e12:
                raise InputError(f"{where}: {name} must be a number above 0, found {value!r:.40}")
        if not all(isinstance(row[name], str) and row[name] for name in texts):
            raise InputError(f"{where}: {', '.join(texts)} must be texts; put them in quotes")
    return [{name: float(value) if name in numbers else value for name, value in row.items()} for row in raw]


def price_of(cell: Cell, known: Sequence[AnyPrice]) -> AnyPrice | None:
    """The price of the call or of the device that scored a cell; the longest name that fits, None where none does."""
    fitting = [price for price in known if price.fits(cell)]
    return max(fitting, key=lambda price: (isinstance(price, CallPrice), len(price.name)), default=None)


def usd_per_million_pairs(cells: Sequence[Cell], known: Sequence[AnyPrice] | None = None) -> float | None:
    """Dollars for the pairs of all cells, each at its price; None unless all are known."""
    pairs = sum(cell.manifest.counts.pairs for cell in cells)
    spent = [_usd(cell, prices() if known is None else known) for cell in cells]
    total = [usd for usd in spent if usd is not None]
    return 1e6 * sum(total) / pairs if pairs and len(total) == len(spent) else None


def usd_per_thousand_queries(cells: Sequence[Cell], known: Sequence[AnyPrice] | None = None) -> float | None:
    """The same per 1,000 queries, each with the candidates that it had."""
    rate = usd_per_million_pairs(cells, known)
    queries = sum(cell.manifest.counts.queries for cell in cells)
    pairs = sum(cell.manifest.counts.pairs for cell in cells)
    return rate * pairs / 1e6 / queries * 1000 if rate is not None and queries else None


def _usd(cell: Cell, known: Sequence[AnyPrice]) -> float | None:
    price = price_of(cell, known)
    return price.usd(cell) if price else None
