"""Cells: what they hold, what makes them believable, and how they are read."""

from .identity import canonical, digest
from .proof import check_place, load_cells, prove, recomputed, seal
from .records import (
    FIRST_STAGE,
    MANIFEST_VERSION,
    PER_QUERY_COLUMNS,
    QRELS,
    SCHEMA_VERSION,
    Asked,
    Cell,
    Cost,
    Count,
    Counts,
    Flops,
    Manifest,
    Tokens,
    cell_path,
    load_manifest,
    write_qrels,
)
from .rejudge import with_metric

__all__ = [
    "FIRST_STAGE",
    "MANIFEST_VERSION",
    "PER_QUERY_COLUMNS",
    "QRELS",
    "SCHEMA_VERSION",
    "Asked",
    "Cell",
    "Cost",
    "Count",
    "Counts",
    "Flops",
    "Manifest",
    "Tokens",
    "canonical",
    "cell_path",
    "check_place",
    "digest",
    "load_cells",
    "load_manifest",
    "prove",
    "recomputed",
    "seal",
    "with_metric",
    "write_qrels",
]
