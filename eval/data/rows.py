"""Rows of tables by the names of their columns: CSV, TSV, JSON lines, Parquet, and folders that `datasets` saved."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from ...rerankers.errors import InputError, one_line
from ...rerankers.storage.atomic import refuse_irregular
from .lines import read_lines

_BATCH = 4096
_LONGEST_CELL = 1 << 27


@dataclass(frozen=True)
class Table:
    """A table before its rows are read. `columns` are its names, or `1`, `2`, ... where a file has no header."""

    path: Path
    columns: tuple[str, ...]
    read: Callable[[Sequence[str]], Iterator[tuple[Any, ...]]]
    first: int  # number of the first row, as `where` counts it
    unit: str = "row"

    def where(self, index: int) -> str:
        """The place of the row with an index from 0, for messages."""
        return f"{self.path}, {self.unit} {self.first + index}"


def open_table(path: Path, *, numbered: bool = False) -> Table:
    """The table in a file or folder, by its ending; `numbered` means that a CSV or TSV file has no header.

    A TSV file has no quotes: a cell is what stands between tabs. CSV is quoted as RFC 4180 says. Both may be gz.
    Raises InputError for another ending, a file that cannot be read, and a header with a name that comes twice.
    """
    if path.is_dir():
        return _folder(path)
    refuse_irregular(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    if kind in ("csv", "tsv"):
        return _separated(path, "," if kind == "csv" else "\t", numbered)
    if kind in ("jsonl", "ndjson"):
        return _json_lines(path)
    if kind == "parquet":
        return _arrow(path, [path], _parquet_batches, lambda file: parquet.read_schema(file).names)
    raise InputError(f"{path}: give .csv, .tsv, .jsonl (each also .gz), .parquet, or a folder that `datasets` saved")


def _separated(path: Path, separator: str, numbered: bool) -> Table:
    header = next(_cells(path, separator), None)
    if header is None:
        raise InputError(f"{path}: is empty")
    names = tuple(str(i) for i in range(1, len(header) + 1)) if numbered else tuple(cell.strip() for cell in header)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path}: its header has '{twice:.40}' twice; rename one, or give the columns as numbers")

    def read(columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        places = [names.index(column) for column in columns]
        for number, cells in enumerate(_cells(path, separator), 1):
            if number == 1 and not numbered:
                continue
            if len(cells) != len(names):
                raise InputError(f"{path}, record {number}: {len(cells)} columns, the first has {len(names)}")
            yield tuple(cells[place] for place in places)

    return Table(path, names, read, 1 if numbered else 2, "record")


def _cells(path: Path, separator: str) -> Iterator[list[str]]:
    csv.field_size_limit(_LONGEST_CELL)
    quoting = csv.QUOTE_MINIMAL if separator == "," else csv.QUOTE_NONE
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")  # type: ignore[arg-type]
            for cells in csv.reader(text, delimiter=separator, quoting=quoting, strict=True):
                if cells:
                    yield cells
    except UnicodeDecodeError as err:
        raise InputError(f"{path}: not UTF-8 (near byte {err.start + 1}); convert the file") from err
    except csv.Error as err:
        raise InputError(f"{path}: not valid CSV ({err}); a quote inside a quoted cell is written twice") from err
    except (EOFError, gzip.BadGzipFile, zlib.error) as err:
        raise InputError(f"{path}: gzip data is damaged or cut off; fetch the file again") from err


def _json_lines(path: Path) -> Table:
    def records() -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in read_lines(path):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as err:
                raise InputError(f"{path}, line {number}: not valid JSON ({err})") from err
            if not isinstance(record, dict):
                raise InputError(f"{path}, line {number}: expected a JSON object, found {type(record).__name__}")
            yield number, record

    first = next(records(), None)
    if first is None:
        raise InputError(f"{path}: is empty")

    def read(columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        for _, record in records():
            yield tuple(record.get(column) for column in columns)

    return Table(path, tuple(first[1]), read, 1, "record")


def _folder(path: Path) -> Table:
    """What `Dataset.save_to_disk` writes, or a folder of Parquet files as the hub has them."""
    if (path / "dataset_dict.json").is_file():
        splits = sorted(p.name for p in path.iterdir() if p.is_dir())
        raise InputError(f"{path}: holds several splits; name the folder of one of them: {', '.join(splits)}")
    if (path / "state.json").is_file():
        try:
            listed = json.loads((path / "state.json").read_text(encoding="utf-8"))["_data_files"]
            files = [path / Path(entry["filename"]).name for entry in listed]
        except (OSError, ValueError, KeyError, TypeError) as err:
            raise InputError(f"{path / 'state.json'}: cannot be read: {err}") from err
        return _arrow(path, files, _stream_batches, _stream_names)
    files = sorted(path.glob("*.parquet"))
    if files:
        return _arrow(path, files, _parquet_batches, lambda file: parquet.read_schema(file).names)
    raise InputError(f"{path}: is no folder that `datasets` saved, and holds no .parquet file")


def _arrow(
    path: Path,
    files: Sequence[Path],
    batches: Callable[[Path, Sequence[str]], Iterator[Mapping[str, list[Any]]]],
    names: Callable[[Path], Sequence[str]],
) -> Table:
    def read(columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        for file in files:
            with _readable(file):
                for batch in batches(file, columns):
                    yield from zip(*(batch[column] for column in columns))

    for file in files:
        refuse_irregular(file)
    with _readable(files[0]):
        return Table(path, tuple(names(files[0])), read, 1)


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Faults of pyarrow as one line that names the file."""
    try:
        yield
    except InputError:
        raise
    except (pa.ArrowException, OSError) as err:
        raise InputError(f"{file}: cannot be read: {one_line(err)}") from err


def _parquet_batches(file: Path, columns: Sequence[str]) -> Iterator[dict[str, list[Any]]]:
    with parquet.ParquetFile(file) as opened:
        for batch in opened.iter_batches(_BATCH, columns=list(dict.fromkeys(columns))):
            yield batch.to_pydict()


def _stream_batches(file: Path, columns: Sequence[str]) -> Iterator[dict[str, list[Any]]]:
    with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as opened:
        for batch in opened:
            yield {column: batch.column(column).to_pylist() for column in columns}


def _stream_names(file: Path) -> list[str]:
    with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as opened:
        return opened.schema.names
