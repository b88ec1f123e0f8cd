"""Parquet files of results: written small, and read only when they are of a size that can be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...rerankers.errors import InputError

_MOST_ROWS = 50_000_000
_OF_A_ROW = 1 << 16  # bytes, unpacked


def write_table(table: pa.Table, sink: Any) -> None:
    """Write without statistics, dictionaries and Arrow's copy of the schema, larger than a small table itself."""
    pq.write_table(
        table.replace_schema_metadata(None),
        sink,
        compression="zstd",
        write_statistics=False,
        use_dictionary=False,
        store_schema=False,
    )


def read_table(source: Any, rows: int, where: Path) -> pa.Table:
    """Read a table of so many rows. Raises InputError for another, before anything is unpacked."""
    with pq.ParquetFile(source) as file:
        meta = file.metadata
        unpacked = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
        if meta.num_rows != rows or rows > _MOST_ROWS or unpacked > _OF_A_ROW * (rows + meta.num_columns + 1):
            raise InputError(f"{where}: has {meta.num_rows:,} rows of {unpacked:,} bytes, expected {rows:,} rows")
        return file.read()
