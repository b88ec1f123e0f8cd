"""Files that are whole or absent, whatever happens while they are written.

They get the mode that the umask gives, the file they grow in has a name that nobody can foresee, and no link is
followed: a link in the place of a file is replaced, a link in the place of a folder is refused.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError

_TEMPORARY = re.compile(r"\..*\.(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{16}\.tmp", re.DOTALL)
_TURNS = threading.Lock()
_LONGEST = 200  # bytes of a name, so that what is added to it fits


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a binary file that takes the place of `path` when the block ends well, and leaves nothing when it does not.

    Its content is on the disk before its name is.
    """
    with replacing_path(path) as temporary, temporary.open("r+b") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def replacing_path(path: Path) -> Iterator[Path]:
    """Make an empty file, for writers that want a name, which takes the place of `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() or (path.exists() and not path.is_symlink() and not stat.S_ISREG(path.lstat().st_mode)):
        raise InputError(f"{path}: is no regular file and stays as it is; choose another name")
    temporary = path.with_name(temporary_name(path.name))
    try:  # from the first moment on: a signal may come between any two lines
        os.close(open_own(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file; text as UTF-8."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def refuse_odd(top: Path) -> None:
    """Raise InputError for a link, a pipe or a device in a folder, or in its place: nothing is written through it."""
    if not os.path.lexists(top):
        return
    mode = top.lstat().st_mode
    if not stat.S_ISDIR(mode):
        if not stat.S_ISREG(mode):
            raise _odd_file_error(os.fspath(top), stat.S_ISLNK(mode))
        return
    below = [os.fspath(top)]
    while below:
        with os.scandir(below.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.path)
                elif not entry.is_file(follow_symlinks=False):
                    raise _odd_file_error(entry.path, entry.is_symlink())


def _odd_file_error(path: str, link: bool) -> InputError:
    kind = "a link" if link else "no regular file"
    return InputError(f"{path}: is {kind}, and nothing is written through such; remove it")


def refuse_irregular(path: Path) -> None:
    """Raise InputError for a folder, a pipe or a device, which might never end."""
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is no regular file; give a file")


def open_own(path: str | os.PathLike[str], flags: int) -> int:
    """Open a file without following a link: an `opener` for `open`."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def read_at(file: BinaryIO, size: int, start: int) -> bytes:
    """Read bytes from a place of a file that others may be reading, too; Windows has no `pread`, and takes turns."""
    if hasattr(os, "pread"):
        return os.pread(file.fileno(), size, start)
    with _TURNS:
        file.seek(start)
        return file.read(size)


def file_sha256(path: Path) -> str:
    """Return SHA-256 of a file's bytes, in hexadecimal digits. Raises InputError for what is no file."""
    refuse_irregular(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def temporary_name(name: str) -> str:
    """Return a name beside `name`, hidden, with its process in it and random digits at its end."""
    short = os.fsencode(name)[:_LONGEST].decode(errors="ignore")
    return f".{short}.{_read_host()}-{os.getpid()}-{secrets.token_hex(8)}.tmp"


def left_behind(folder: Path, name: str = "") -> Iterator[Path]:
    """Yield temporary files and folders directly below `folder` whose process, on this machine, is dead; of `name`."""
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _TEMPORARY.fullmatch(path.name) if path.name.startswith(f".{name}") else None
        if match and match["host"] == _read_host() and not _is_alive(int(match["pid"])):
            yield path


def clear_left_behind(folder: Path, name: str = "") -> None:
    """Remove what `left_behind` finds."""
    for path in left_behind(folder, name):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@cache
def _read_host() -> str:
    return hashlib.sha256(platform.node().encode(errors="replace")).hexdigest()[:8]


def _is_alive(pid: int) -> bool:
    if pid == os.getpid() or os.name == "nt":  # where signal 0 is none
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's, or a system that has no answer
        return True
    return True
