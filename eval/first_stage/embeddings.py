"""Vectors of a corpus on disk: written in blocks, continued after a kill, read in chunks.

    identity.json what was encoded and how
    vectors.npy   float16 or float32, shape (documents, dimensions), rows in the order of the corpus
    ids.txt       document ids, one a line
    ends.npy      int64, shape (documents,): where each line of ids.txt ends
    journal.txt   one line per block that is whole: rows so far, bytes of ids so far, SHA-256 of what the block wrote

No more than one block of texts and vectors is in memory, and files are mapped for one chunk at a time, so that
resident memory does not grow with the corpus.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.format import open_memmap
from tqdm import tqdm

from ...rerankers.errors import InputError
from ...rerankers.storage.atomic import read_at, refuse_odd, replacing
from .encode import Encoder

log = logging.getLogger("rerankbench")

BLOCK = 8192  # documents that are encoded (sorted by length among each other) and stored at a time


class EmbeddingStore:
    """The vectors of one corpus under one setting, in one folder."""

    def __init__(self, folder: Path, identity: dict[str, Any], documents: int) -> None:
        """Open the store of `identity`. What the folder has of another identity is dropped.

        Raises InputError for links in the folder.
        """
        self.folder, self.documents = folder, documents
        refuse_odd(folder)
        note = folder / "identity.json"
        wanted = json.dumps({**identity, "documents": documents}, indent=1, sort_keys=True)
        if not note.is_file() or note.read_bytes() != wanted.encode():
            (folder / "journal.txt").unlink(missing_ok=True)
            with replacing(note) as file:
                file.write(wanted.encode())

    @property
    def complete(self) -> bool:
        """Every document has its vector."""
        return self._count_done()[0] == self.documents

    def drop_damaged(self) -> None:
        """See that every block is what was written. From the first that is not, they are encoded again by `fill`."""
        proven = end = 0
        before = (0, 0)
        for rows, id_bytes, digest, end_of_line in self._read_journal():
            if self._hash_stored(before, (rows, id_bytes)) != digest:
                break
            before, proven, end = (rows, id_bytes), rows, end_of_line
        path = self.folder / "journal.txt"
        if path.is_file() and path.stat().st_size > end:
            log.warning("%s: damaged or cut off after %d documents, which are encoded again from there", path, proven)
            with _refuse_full_disk(self.folder), path.open("r+b") as file:
                file.truncate(end)

    def fill(
        self,
        corpus: Iterable[tuple[str, str]],
        encoder: Encoder,
        dtype: str,
        *,
        title: str = "encode",
        block: int = BLOCK,
        progress: bool | None = None,
    ) -> None:
        """Encode and store what is not there yet; `corpus` gives (id, text), in the same order every time.

        Raises InputError when the corpus has another length than was stated, or other documents than an interrupted
        call had encoded.
        """
        rows, id_bytes, journal_bytes = self._count_done()
        self._allocate(rows, encoder.dimensions, dtype)
        stream = iter(corpus)
        self._skip(stream, rows)
        quiet = None if progress is None else not progress
        with (
            _refuse_full_disk(self.folder),
            _open_at(self.folder / "ids.txt", id_bytes) as ids,
            _open_at(self.folder / "journal.txt", journal_bytes) as journal,
            tqdm(total=self.documents, initial=rows, desc=title, unit=" docs", disable=quiet) as bar,
        ):
            while documents := list(islice(stream, block)):
                if rows + len(documents) > self.documents:
                    raise InputError(f"{title}: the corpus has more than the {self.documents} documents it stated")
                lines = [f"{doc}\n".encode() for doc, _ in documents]
                ends = id_bytes + np.cumsum([len(line) for line in lines])
                vectors = encoder.encode([text for _, text in documents], queries=False)
                digest = hashlib.sha256(self._put("vectors.npy", rows, vectors))
                digest.update(self._put("ends.npy", rows, ends))
                ids.write(b"".join(lines))
                digest.update(b"".join(lines))
                _flush_to_disk(ids)
                rows, id_bytes = rows + len(documents), int(ends[-1])
                # last: from here on the block counts
                journal.write(f"{rows} {id_bytes} {digest.hexdigest()}\n".encode())
                _flush_to_disk(journal)
                bar.update(len(documents))
        if rows < self.documents:
            raise InputError(f"{title}: the corpus ended after {rows} of {self.documents} documents")

    def chunks(self, rows: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first row, vectors (up to `rows`, dimensions)) over the whole corpus, each a copy in memory."""
        for start in range(0, self.documents, rows):
            yield start, np.array(np.load(self.folder / "vectors.npy", mmap_mode="r")[start : start + rows])

    def ids(self, rows: Sequence[int]) -> list[str]:
        """Return document ids of some rows, in their order."""
        ends = np.load(self.folder / "ends.npy", mmap_mode="r")
        with (self.folder / "ids.txt").open("rb") as file:
            spans = [(int(ends[row - 1]) if row else 0, int(ends[row]) - 1) for row in rows]
            return [read_at(file, end - start, start).decode() for start, end in spans]

    def _count_done(self) -> tuple[int, int, int]:
        """Return rows, bytes of ids, and bytes of the journal of whole blocks."""
        blocks = list(self._read_journal())
        rows, id_bytes, _, journal_bytes = blocks[-1] if blocks else (0, 0, "", 0)
        return rows, id_bytes, journal_bytes

    def _read_journal(self) -> Iterator[tuple[int, int, str, int]]:
        """Yield of every block: rows and bytes of ids up to its end, its hash, bytes of the journal up to its line."""
        path, end = self.folder / "journal.txt", 0
        for line in path.read_bytes().splitlines(keepends=True) if path.is_file() else ():
            cells = line.split()
            if not line.endswith(b"\n") or len(cells) != 3 or not (cells[0].isdigit() and cells[1].isdigit()):
                return  # cut off: the block is done again
            end += len(line)
            yield int(cells[0]), int(cells[1]), cells[2].decode(errors="replace"), end

    def _hash_stored(self, before: tuple[int, int], after: tuple[int, int]) -> str | None:
        """Return the digest of the stored rows and bytes of ids in between; None where that cannot be read."""
        (row, start), (end_row, end) = before, after
        digest = hashlib.sha256()
        try:
            for name in ("vectors.npy", "ends.npy"):
                mapped = np.load(self.folder / name, mmap_mode="r")
                if not row < end_row <= len(mapped) == self.documents:
                    return None
                digest.update(np.array(mapped[row:end_row]).tobytes())
            with (self.folder / "ids.txt").open("rb") as ids:
                digest.update(read_at(ids, max(end - start, 0), start))
        except (OSError, ValueError, TypeError):
            return None
        return digest.hexdigest()

    def _allocate(self, rows: int, dimensions: int, dtype: str) -> None:
        """Allocate files of the full size (sparse at first); what earlier blocks wrote stays."""
        if rows == 0:
            with _refuse_full_disk(self.folder):
                open_memmap(self.folder / "vectors.npy", "w+", dtype, (self.documents, dimensions))
                open_memmap(self.folder / "ends.npy", "w+", "int64", (self.documents,))

    def _skip(self, stream: Iterator[tuple[str, str]], rows: int) -> None:
        """Pass over what is encoded, and see that it is what was encoded."""
        path = self.folder / "ids.txt"
        if not rows:
            return
        with path.open("rb") as ids:
            for row, (line, (doc, _)) in enumerate(zip(ids, islice(stream, rows))):
                if line.decode().removesuffix("\n") != doc:
                    raise InputError(
                        f"{path}, line {row + 1}: the corpus has '{doc}' there; delete the folder to encode it again"
                    )

    def _put(self, name: str, row: int, values: np.ndarray) -> bytes:
        """Write rows in place: a full disk is an error there, and would kill the process in a mapped file."""
        mapped = np.load(self.folder / name, mmap_mode="r")
        with (self.folder / name).open("r+b") as file:
            file.seek(mapped.offset + row * mapped.strides[0])
            content = np.ascontiguousarray(values, mapped.dtype).tobytes()
            file.write(content)
            _flush_to_disk(file)
        return content


@contextmanager
def _refuse_full_disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        raise InputError(f"{folder}: cannot be written ({err.strerror}); make room, or set RERANKBENCH_CACHE") from err


def _open_at(path: Path, size: int) -> BinaryIO:
    """Return a file opened for writing after its first `size` bytes; the rest is cut off."""
    file = path.open("r+b" if path.is_file() else "w+b")
    file.truncate(size)
    file.seek(size)
    return file


def _flush_to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
