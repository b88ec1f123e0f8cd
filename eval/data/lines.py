"""Lines and JSON records of text files, with the line number in every complaint."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ...rerankers.errors import InputError
from ...rerankers.storage.atomic import refuse_irregular
from ...rerankers.storage.pointers import refuse_pointer

BOM = b"\xef\xbb\xbf"
_LONGEST_LINE = 1 << 28
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"(\xb5/\xfd": "zstd", b"PK\x03\x04": "zip"}
_UNPACK: dict[str, Callable[..., Any]] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
_MOST_UNPACKED = 1 << 38


def _open(path: Path) -> BinaryIO:
    """Open a file for reading, unpacked when its first bytes show how it is packed.

    Raises InputError when it cannot be.
    """
    packed = packed_with(path)
    if packed is not None and packed not in _UNPACK:
        raise InputError(f"{path}: is packed with {packed}; unpack it")
    try:
        return _UNPACK[packed](path, "rb") if packed else path.open("rb")
    except FileNotFoundError as err:
        raise InputError(f"{path}: no such file; check the path") from err
    except OSError as err:
        raise InputError(f"{path}: cannot be opened ({err.strerror}); give a readable file") from err


def packed_with(path: Path) -> str | None:
    """Return how a file is packed, by its first bytes, whatever its name is.

    Raises InputError when it cannot be opened.
    """
    refuse_irregular(path)
    try:
        with path.open("rb") as file:
            first = file.read(8)
        if first == b"version ":
            refuse_pointer(path)
    except FileNotFoundError as err:
        raise InputError(f"{path}: no such file; check the path") from err
    except OSError as err:
        raise InputError(f"{path}: cannot be opened ({err.strerror}); give a readable file") from err
    return next((name for magic, name in _PACKED.items() if first.startswith(magic)), None)


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Read (line number from 1, line without its end) of every line that is not blank, plain or gz.

    Raises InputError for a missing file, bytes that are not UTF-8, and a gz file that was cut off.
    """
    with _open(path) as file, _refuse_damage(path):
        for number, raw in _number_lines(file, path):
            line = decode(raw.removeprefix(BOM) if number == 1 else raw, path, number).rstrip("\r\n")
            if line.strip():
                yield number, line


def read_text(path: Path) -> str:
    """Read a whole file, plain or gz. Raises InputError as `read_lines` does."""
    with _open(path) as file, _refuse_damage(path):
        return "".join(decode(raw, path, number) for number, raw in _number_lines(file, path)).removeprefix("\ufeff")


def _number_lines(file: BinaryIO, path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield lines with their numbers. What unpacks to far more than any run or collection has is refused, not read."""
    number = total = 0
    while raw := file.readline(_LONGEST_LINE + 1):
        number, total = number + 1, total + len(raw)
        if len(raw) > _LONGEST_LINE or total > _MOST_UNPACKED:
            raise InputError(f"{path}, line {number}: a line or file of more bytes than can be meant; is it a bomb?")
        yield number, raw


def check_id(value: str, where: str, kind: str) -> str:
    """Return an id itself. Raises InputError for one that no run file can have, or that crashes other tools."""
    if value.split() != [value]:
        raise InputError(f"{where}: {kind} {value!a:.80} must not be empty and have no blanks")
    if not value.isprintable() and ("\0" in value or not encodable(value)):
        raise InputError(f"{where}: {kind} {value!a:.80} contains NUL or half of a surrogate pair; write valid Unicode")
    return value


def encodable(text: str) -> bool:
    """Return whether a text has no lone surrogate, which JSON's escapes can write."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def _refuse_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as err:
        raise InputError(f"{path}: packed data is damaged or cut off; fetch the file again") from err


def decode(raw: bytes, path: Path, number: int) -> str:
    """Return the text of one line."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as err:
        raise InputError(f"{path}, line {number}: not UTF-8 (byte {err.start + 1}); convert the file") from err


def parse_record(line: str, path: Path, number: int, *, last: bool = False) -> dict[str, Any]:
    """Parse the JSON object of one line with `_id` and `text` checked; `last` means that no line end followed it.

    A whole number as `_id` is taken as its digits. An id has no blanks, since run files are separated by them.
    """
    where = f"{path}, line {number}"
    try:
        record = json.loads(line)
    except RecursionError as err:
        raise InputError(f"{where}: nested too deep; every line must be one flat JSON object") from err
    except ValueError as err:
        if last:
            raise InputError(f"{where}: ends inside a record: the file was cut off; fetch it again") from err
        raise InputError(f"{where}: not valid JSON ({err}); every line must be one JSON object") from err
    if not isinstance(record, dict):
        raise InputError(f"{where}: expected a JSON object, found {type(record).__name__}")
    for key in ("_id", "text"):
        if key not in record:
            raise InputError(f"{where}: key '{key}' is missing; BEIR records have '_id' and 'text'")
    if isinstance(record["_id"], int) and not isinstance(record["_id"], bool):
        record["_id"] = str(record["_id"])
    if not isinstance(record["_id"], str) or record["_id"].split() != [record["_id"]]:
        raise InputError(f"{where}: _id {record['_id']!a:.80} must be a string without blanks")
    check_id(record["_id"], where, "_id")
    if not isinstance(record["text"], str):
        raise InputError(f"{where}: text must be a string, found {type(record['text']).__name__}")
    if not isinstance(record.get("title") or "", str):
        raise InputError(f"{where}: title must be a string, found {type(record['title']).__name__}")
    for key in ("text", "title"):
        if not encodable(record.get(key) or ""):
            raise InputError(
                f"{where}: {key} of '{record['_id']}' contains half of a surrogate pair; write valid Unicode"
            )
    return record
