"""One process at a time. A lock ends with its process, however that ends; a link in a lock's place is refused."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ..rerankers.errors import InputError
from ..rerankers.storage.atomic import write_whole
from ..rerankers.storage.cache import cache_folder

_OWNER = ".lock-owner"  # beside the lock of a folder: the process that holds it
_PATIENCE = 600.0  # seconds that somebody else may take over one file


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Keeps a second run out of a folder. Raises InputError at once when there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    _refuse_link(path)
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout as err:
        raise InputError(
            f"{folder}: another run writes here (process {_owner(folder)}); "
            "wait for it, or choose another folder with --out"
        ) from err
    try:
        write_whole(folder / _OWNER, str(os.getpid()))
        yield
    finally:
        (folder / _OWNER).unlink(missing_ok=True)
        lock.release()


def _owner(folder: Path) -> str:
    """For people. The lock itself is filelock's, which keeps a record of its own there where a system has no flock."""
    try:
        with (folder / _OWNER).open("rb") as file:
            return file.read(20).decode("ascii").strip() or "unknown"
    except (OSError, ValueError):
        return "unknown"


def _refuse_link(path: Path) -> None:
    """Raises InputError for what is no file of its own in a lock's place: making the lock would empty it."""
    try:
        status = path.lstat()
    except OSError:
        return
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        raise InputError(f"{path}: is a link or no regular file, and a lock is to stand there; remove it")


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
    _refuse_link(path)
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
