"""Published figures: tables as data, with their sources, errata and tolerances."""

from __future__ import annotations

from .check import CellCheck, MeanCheck, check_cells, check_means
from .compare import Comparison, compare
from .table import Erratum, PublishedTable, list_published, load_published

__all__ = [
    "CellCheck",
    "Comparison",
    "Erratum",
    "MeanCheck",
    "PublishedTable",
    "check_cells",
    "check_means",
    "compare",
    "list_published",
    "load_published",
]
