"""One process at a time. A lock ends with its process, however that ends; a link in a lock's place is refused."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ..rerankers.errors import InputError
from ..rerankers.storage.cache import cache_folder

_PATIENCE = 600.0  # seconds that somebody else may take over one file


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Keeps a second run out of a folder. Raises InputError at once when there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout as err:
        raise InputError(
            f"{folder}: another run writes here (process {_owner(path)}); "
            "wait for it, or choose another folder with --out"
        ) from err
    try:
        path.write_text(str(os.getpid()), encoding="utf-8")
        yield
    finally:
        lock.release()


def _owner(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip() or "unknown"
    except (OSError, ValueError):
        return "unknown"


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Waits until nobody else changes a file (read, change, write), and leaves nothing beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.lock")
    with _waiting(beside, str(path)):
        try:
            yield
        finally:
            with suppress(OSError):  # while it is held: who waits sees that it is gone, and makes another
                beside.unlink()


@contextmanager
def name_lock(name: str) -> Iterator[None]:
    """Waits until no other process of this user fetches or indexes what is called so."""
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with _waiting(folder / f"{hashlib.sha256(os.fsencode(name)).hexdigest()[:20]}.lock", name):
        yield


@contextmanager
def _waiting(path: Path, what: str) -> Iterator[None]:
    lock = FileLock(path, timeout=_PATIENCE)
    try:
        lock.acquire()
    except Timeout as err:
        raise InputError(
            f"{what}: another process has held {path} for {_PATIENCE:.0f} s; end it and run again"
        ) from err
    try:
        yield
    finally:
        lock.release()
