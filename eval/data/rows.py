"""Rows of tables by the names of their columns: CSV, TSV, JSON lines, Parquet, and folders that `datasets` saved."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
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
from .delimited import is_quoted, unquote
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
        """Return where the row with an index from 0 is, for messages."""
        return f"{self.path}, {self.unit} {self.first + index}"


def open_table(path: Path, *, numbered: bool = False, split: str = "test") -> Table:
    """Open the table in a file or folder, by its ending; `numbered` means that a CSV or TSV file has no header.

    `split` chooses among the Parquet files of a folder that are named after splits.

    CSV is quoted as in RFC 4180, a TSV file likewise where its writer quotes (see `delimited`). Both may be gz.
    Raises InputError for another ending, a file that cannot be read, and a header with a name that comes twice.
    """
    if path.is_dir():
        return _open_folder(path, split)
    refuse_irregular(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    if kind in ("csv", "tsv"):
        return _open_separated(path, "," if kind == "csv" else "\t", numbered)
    if kind in ("jsonl", "ndjson"):
        return _open_json_lines(path)
    if kind == "parquet":
        return _open_arrow(path, [path], _read_parquet, lambda file: parquet.read_schema(file).names)
    raise InputError(f"{path}: give .csv, .tsv, .jsonl (each also .gz), .parquet, or a folder that `datasets` saved")


def _open_separated(path: Path, separator: str, numbered: bool) -> Table:
    header = next(_read_cells(path, separator), None)
    if header is None:
        raise InputError(f"{path}: is empty")
    quoted = separator == "\t" and is_quoted(_read_cells(path, separator))
    header = [unquote(cell) for cell in header] if quoted else header
    names = tuple(str(i) for i in range(1, len(header) + 1)) if numbered else tuple(cell.strip() for cell in header)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path}: its header has '{twice:.40}' twice; rename one, or give the columns as numbers")

    def read(columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        indices = [names.index(column) for column in columns]
        for number, cells in enumerate(_read_cells(path, separator), 1):
            if number == 1 and not numbered:
                continue
            if len(cells) != len(names):
                raise InputError(f"{path}, record {number}: {len(cells)} columns, the first has {len(names)}")
            yield tuple(unquote(cells[index]) if quoted else cells[index] for index in indices)

    return Table(path, names, read, 1 if numbered else 2, "record")


def _read_cells(path: Path, separator: str) -> Iterator[list[str]]:
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


def _open_json_lines(path: Path) -> Table:
    def records() -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in read_lines(path):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as err:
                raise InputError(f"{path}, line {number}: not valid JSON ({err})") from err
            if not isinstance(record, dict):
                raise InputError(f"{path}, line {number}: expected a JSON object, found {type(record).__name__}")
            yield number, record

    columns: dict[str, None] = {}  # of all records: the first one may lack some
    for _, record in records():
        columns |= dict.fromkeys(record)
    if not columns:
        raise InputError(f"{path}: is empty")

    def read(columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        for _, record in records():
            yield tuple(record.get(column) for column in columns)

    return Table(path, tuple(columns), read, 1, "record")


def _open_folder(path: Path, split: str) -> Table:
    """Open what `Dataset.save_to_disk` writes, or a folder of Parquet files as the hub has them.

    Of files that are named after splits (`test-00000-of-00001.parquet`) those of `split` are the table.
    """
    if (path / "dataset_dict.json").is_file():
        splits = sorted(p.name for p in path.iterdir() if p.is_dir())
        raise InputError(f"{path}: has several splits; name the folder of one of them: {', '.join(splits)}")
    if (path / "state.json").is_file():
        try:
            listed = json.loads((path / "state.json").read_text(encoding="utf-8"))["_data_files"]
            files = [path / Path(entry["filename"]).name for entry in listed]
        except (OSError, ValueError, KeyError, TypeError) as err:
            raise InputError(f"{path / 'state.json'}: cannot be read: {err}") from err
        if not files:
            raise InputError(f"{path / 'state.json'}: has no file")
        return _open_arrow(path, files, _read_stream, _read_stream_names)
    files = sorted(path.glob("*.parquet"))
    if (splits := {_split_of(file) for file in files} - {None}) - {"corpus", "queries"} and len(splits) > 1:
        if split not in splits:
            names = ", ".join(sorted(name for name in splits if name))
            raise InputError(f"{path}: has several splits ({names}); name one of them with --split, or one file")
        files = [file for file in files if _split_of(file) == split]
    if files:
        return _open_arrow(path, files, _read_parquet, lambda file: parquet.read_schema(file).names)
    raise InputError(f"{path}: is no folder that `datasets` saved, and has no .parquet file")


_SPLIT = re.compile(r"^([A-Za-z_]+)-[0-9]{5}-of-[0-9]{5}\.parquet$")


def _split_of(file: Path) -> str | None:
    """Return the split that a file of the hub is named after."""
    match = _SPLIT.match(file.name)
    return match[1] if match else None


def _open_arrow(
    path: Path,
    files: Sequence[Path],
    batches: Callable[[Path, Sequence[str]], Iterator[Mapping[str, list[Any]]]],
    names: Callable[[Path], Sequence[str]],
) -> Table:
    def read(columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        for file in files:
            with _refuse_unreadable(file):
                for batch in batches(file, columns):
                    yield from zip(*(batch[column] for column in columns))

    columns: tuple[str, ...] = ()
    for file in files:
        refuse_irregular(file)
        with _refuse_unreadable(file):
            own = tuple(names(file))
        if columns and set(own) != set(columns):
            raise InputError(f"{file}: has the columns {', '.join(own)}, {files[0].name} has {', '.join(columns)}")
        columns = columns or own
    return Table(path, columns, read, 1)


@contextmanager
def _refuse_unreadable(file: Path) -> Iterator[None]:
    """Raise faults of pyarrow as one line that names the file."""
    try:
        yield
    except InputError:
        raise
    except (pa.ArrowException, OSError) as err:
        raise InputError(f"{file}: cannot be read: {one_line(err)}") from err


def _read_parquet(file: Path, columns: Sequence[str]) -> Iterator[dict[str, list[Any]]]:
    with parquet.ParquetFile(file) as opened:
        for batch in opened.iter_batches(_BATCH, columns=list(dict.fromkeys(columns))):
            yield batch.to_pydict()


def _read_stream(file: Path, columns: Sequence[str]) -> Iterator[dict[str, list[Any]]]:
    with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as opened:
        for batch in opened:
            yield {column: batch.column(column).to_pylist() for column in columns}


def _read_stream_names(file: Path) -> list[str]:
    with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as opened:
        return opened.schema.names
