"""Cells: their content, what proves them, and how they are read."""

from .collection import Cells
from .contexts import CONTEXTS, context_path, read_context, write_context
from .identity import canonical, digest
from .load import MANIFEST, find_cell, find_cells, load_cells
from .memo import memo_of
from .missing import EXPECTED, write_expected
from .proof import check_place, prove, recomputed, seal
from .records import (
    FIRST_STAGE,
    MANIFEST_VERSION,
    PER_QUERY_COLUMNS,
    QRELS,
    SCHEMA_VERSION,
    Cell,
    Cost,
    Count,
    Counts,
    Flops,
    Manifest,
    ServerUsage,
    Tokens,
    cell_path,
    load_manifest,
    write_qrels,
)
from .rejudge import with_metric
from .sealed import read_sealed, seal_json

__all__ = [
    "CONTEXTS",
    "EXPECTED",
    "FIRST_STAGE",
    "MANIFEST",
    "MANIFEST_VERSION",
    "PER_QUERY_COLUMNS",
    "QRELS",
    "SCHEMA_VERSION",
    "Cell",
    "Cells",
    "Cost",
    "Count",
    "Counts",
    "Flops",
    "Manifest",
    "ServerUsage",
    "Tokens",
    "canonical",
    "cell_path",
    "check_place",
    "context_path",
    "digest",
    "find_cell",
    "find_cells",
    "load_cells",
    "load_manifest",
    "memo_of",
    "prove",
    "read_context",
    "read_sealed",
    "recomputed",
    "seal",
    "seal_json",
    "with_metric",
    "write_context",
    "write_expected",
    "write_qrels",
]
