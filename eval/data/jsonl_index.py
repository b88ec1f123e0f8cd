"""Random access to a `corpus.jsonl`: an SQLite file of ids and byte ranges, made once per state of the file."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from tqdm import tqdm

from ...rerankers.errors import InputError, one_line
from ...rerankers.storage.atomic import (
    clear_left_behind,
    file_sha256,
    read_at,
    refuse_irregular,
    replacing_path,
    write_whole,
)
from .lines import BOM, decode, packed_with, parse_record

_LAYOUT = 3  # of the index file; another number makes old ones be rebuilt
_SCHEMA = """
CREATE TABLE docs (line INTEGER PRIMARY KEY, id TEXT UNIQUE, start INTEGER, size INTEGER, hash BLOB);
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT);
"""


class JsonlIndex:
    """Records of a jsonl file by id. Holds no text: every read goes to the file, and is proven by a hash.

    Attributes:
        sha256: of the file's bytes.
        empty: number of documents with neither title nor text.
    """

    def __init__(self, path: Path, cache: Path) -> None:
        """Open the index of `path` in the folder `cache`, building it if there is none for the file as it is now.

        Building reads the file once. Raises InputError, naming the line, for anything but unique records with `_id`
        and `text`, and for a file without any.
        """
        self.path = path
        if (packed := packed_with(path)) is not None:
            raise InputError(f"{path}: is packed with {packed}, and a corpus is read at random; unpack it")
        state = _describe_state(path)
        name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:20]
        file = cache / "index" / f"{name}.sqlite"
        if not _is_intact(file) or _read_facts(file).get("state") != state:
            _build(path, file, state)
        facts = _read_facts(file)
        self.sha256, self.empty, self._count = facts["sha256"], int(facts["empty"]), int(facts["count"])
        self._db = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)
        self._file = path.open("rb")
        weakref.finalize(self, _close, self._db, self._file)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield all records in the order of the file.

        Raises InputError, at the end, when it was not what was indexed.
        """
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            for line in file:
                digest.update(line)
                if line.strip():
                    yield self._record(line.removeprefix(BOM))
        if digest.hexdigest() != self.sha256:
            raise _changed_error(self.path)

    def missing(self, ids: Sequence[str]) -> list[str]:
        """Return those of `ids` that are not in the file."""
        return [doc for doc in ids if self._find(doc) is None]

    def get(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the records of `ids`, in that order.

        Raises KeyError for an unknown id, InputError where the file no longer has what was indexed.
        """
        records = []
        for doc in ids:
            entry = self._find(doc)
            if entry is None:
                raise KeyError(doc)
            start, size, known = entry
            raw = read_at(self._file, size, start)
            if _hash(raw) != known:
                raise _changed_error(self.path)
            records.append(self._record(raw))
        return records

    def _record(self, raw: bytes) -> dict[str, Any]:
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            raise _changed_error(self.path) from None

    def _find(self, doc: str) -> tuple[int, int, bytes] | None:
        return self._db.execute("SELECT start, size, hash FROM docs WHERE id = ?", (doc,)).fetchone()


def _hash(raw: bytes) -> bytes:
    return hashlib.blake2b(raw, digest_size=16).digest()


def _changed_error(path: Path) -> InputError:
    return InputError(f"{path}: was changed while it was read; leave it as it is and run again")


def _close(db: sqlite3.Connection, file: BinaryIO) -> None:
    db.close()
    file.close()


def _describe_state(path: Path) -> str:
    refuse_irregular(path)
    try:
        stat = path.stat()
    except OSError as err:
        raise InputError(f"{path}: no such file; a folder in BEIR layout has corpus.jsonl") from err
    return f"{_LAYOUT} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


def _is_intact(file: Path) -> bool:
    """Return whether the index is the bytes that were written; a damaged one could give another document's text."""
    note = file.with_suffix(".sha256")
    try:
        return file.is_file() and note.is_file() and file_sha256(file) == note.read_text(encoding="ascii")
    except (OSError, ValueError):
        return False


def _read_facts(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    try:
        db = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)
        try:
            return dict(db.execute("SELECT name, value FROM facts"))
        finally:
            db.close()
    except sqlite3.DatabaseError:  # damaged: built again
        return {}


def _build(path: Path, file: Path, state: str) -> None:
    try:
        clear_left_behind(file.parent)
        with replacing_path(file) as temporary:
            db = sqlite3.connect(temporary)
            try:
                db.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_SCHEMA}")
                facts = _insert(path, db)
                db.executemany("INSERT INTO facts VALUES (?, ?)", {**facts, "state": state}.items())
                db.commit()
            finally:
                db.close()
            digest = file_sha256(temporary)
        write_whole(file.with_suffix(".sha256"), digest)
    except (OSError, sqlite3.OperationalError) as err:
        reason = one_line(err.strerror or err) if isinstance(err, OSError) else one_line(err)
        raise InputError(f"{file.parent}: cannot be written ({reason}); set RERANKBENCH_CACHE") from err


def _insert(path: Path, db: sqlite3.Connection) -> dict[str, str]:
    digest = hashlib.sha256()
    start = count = empty = 0
    with (
        path.open("rb") as lines,
        tqdm(total=path.stat().st_size, unit="B", unit_scale=True, desc=f"index {path.name}", disable=None) as bar,
    ):
        for number, raw in enumerate(lines, 1):
            digest.update(raw)
            bar.update(len(raw))
            if number == 1 and raw.startswith(BOM):
                start, raw = len(BOM), raw[len(BOM) :]
            if raw.strip():
                record = parse_record(decode(raw, path, number), path, number, last=not raw.endswith(b"\n"))
                try:
                    row = (number, record["_id"], start, len(raw), _hash(raw))
                    db.execute("INSERT INTO docs VALUES (?, ?, ?, ?, ?)", row)
                except sqlite3.IntegrityError as err:
                    (first,) = db.execute("SELECT line FROM docs WHERE id = ?", (record["_id"],)).fetchone()
                    raise InputError(
                        f"{path}, line {number}: document '{record['_id']}' was on line {first} already; "
                        "ids must be unique"
                    ) from err
                count += 1
                empty += not ((record.get("title") or "").strip() or record["text"].strip())
            start += len(raw)
    if not count:
        raise InputError(f"{path}: has no document")
    return {"sha256": digest.hexdigest(), "count": str(count), "empty": str(empty)}
