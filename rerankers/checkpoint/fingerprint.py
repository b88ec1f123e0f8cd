"""The hash of a model folder: every byte of every file that can change a score, whatever the folder is called."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from ..errors import InputError
from ..storage.atomic import clear_left_behind, file_sha256, write_whole
from ..storage.cache import cache_folder

# What no loader of this package, of transformers or of sentence-transformers reads when it makes scores; a file that is
# not named here counts. Weights count only where they are in use (see `hub.weight_files`).
NOT_READ = {
    "*.md": "a text for people",
    "LICENSE*": "a text for people",
    "*.pdf": "a text for people",
    "*.png": "a picture",
    "*.jpg": "a picture",
    "*.svg": "a picture",
    ".*": "of git, of the hub's client, or hidden",
    "__pycache__": "made again from the sources beside it",
    "onnx": "weights in a format that is not loaded",
    "openvino": "weights in a format that is not loaded",
    "coreml": "weights in a format that is not loaded",
    "*.onnx": "weights in a format that is not loaded",
    "*.gguf": "weights in a format that is not loaded",
    "*.h5": "weights of TensorFlow",
    "*.msgpack": "weights of Flax",
    "*.ot": "weights of Rust",
    "checkpoint-*": "a state of training",
    "optimizer.*": "a state of training",
    "scheduler.*": "a state of training",
    "rng_state*": "a state of training",
    "trainer_state.json": "a state of training",
    "training_args.bin": "a state of training",
}
_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")
_WORTH_KEEPING = 4 << 20  # bytes of a file whose hash is kept
_SETTLED = 2.0  # seconds: a file changed later than this before it was read may change again under the same time


def fingerprint(folder: Path, weights: Iterable[Path]) -> str:
    """Return `sha256:` of the relative names and the hashes of all files that count; `weights` are those in use.

    Raises InputError for a file that cannot be read.
    """
    digest = hashlib.sha256()
    for path in counted(folder, weights):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{file_hash(path)}\n".encode(errors="surrogateescape"))
    return f"sha256:{digest.hexdigest()}"


def as_published(folder: Path, weights: Iterable[Path]) -> bool:
    """Return whether all files that count are in the hub's cache, each under the hash that the hub names it by.

    There a snapshot's files are links to `blobs/<hash>`: SHA-256 for large files, git's SHA-1 for small ones.
    """
    return all(_is_blob(path) for path in counted(folder, weights))


def _is_blob(path: Path) -> bool:
    blob = path.resolve()
    if blob.parent.name != "blobs" or not path.is_symlink():
        return False
    if len(blob.name) == 64:
        return file_hash(blob) == blob.name
    content = blob.read_bytes() if len(blob.name) == 40 else b""
    git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return git.hexdigest() == blob.name


def counted(folder: Path, weights: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that can change a score, sorted by name; in the top folder only the weights in use."""
    used = set(weights)
    for path in _list_files(folder, {folder.resolve()}):
        idle = path.parent == folder and any(fnmatch(path.name, pattern) for pattern in _WEIGHTS)
        if path in used or not idle:
            yield path


def _list_files(folder: Path, seen: set[Path]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if any(fnmatch(path.name, pattern) for pattern in NOT_READ):
            continue
        if path.is_file():
            yield path
        elif path.is_dir() and (real := path.resolve()) not in seen:  # links may lead in a circle
            seen.add(real)
            yield from _list_files(path, seen)


def file_hash(path: Path) -> str:
    """Return SHA-256 of a file's bytes.

    That of a large file is kept by path, size, times and inode in the cache folder.
    """
    try:
        before = path.stat()
        record = _record_path(path) if before.st_size >= _WORTH_KEEPING else None
        if record is not None and (known := _read_record(record, before)):
            return known
        started, digest = time.time(), file_sha256(path)
        after = path.stat()
    except OSError as err:
        raise InputError(f"{path}: cannot be read ({err.strerror})") from err
    if _describe_state(after) != _describe_state(before):
        raise InputError(f"{path}: changed while it was read; run again when nobody writes to it")
    if record is not None and max(after.st_mtime, after.st_ctime) < started - _SETTLED:
        _write_record(record, {"path": str(path.resolve()), "state": _describe_state(after), "sha256": digest})
    return digest


def _describe_state(stat: os.stat_result) -> list[int]:
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev]


def _record_path(path: Path) -> Path | None:
    try:
        name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]
        return cache_folder() / "fingerprints" / f"{name}.json"
    except InputError:  # no cache folder: the file is read every time
        return None


def _read_record(record: Path, stat: os.stat_result) -> str | None:
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        return str(content["sha256"]) if content["state"] == _describe_state(stat) else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _write_record(record: Path, content: dict[str, object]) -> None:
    """Write a record; a hash that cannot be stored is only slower."""
    try:
        clear_left_behind(record.parent)
        write_whole(record, json.dumps(content))
    except (OSError, InputError):
        return
