"""Which files of a folder were proven, and in what state they were: what has not been touched is not proven again.

The state is what the file system counts of a change: size, times of content and of inode, and the inode. A copied or
edited file has another. A memo lies in the cache folder, so that no folder that was received brings one along; commands
whose result leaves this machine do without it.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from ...rerankers.storage.atomic import write_whole
from ...rerankers.storage.cache import cache_folder
from .sealed import read_sealed, seal_json

_LAYOUT = 1  # of the file, and of what "proven" means
_SETTLED = 2_000_000_000  # nanoseconds after which a change must show in the times of any file system


class Memo:
    """Names that were proven with the states of their files then."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = _read(file)
        self._fresh: dict[str, tuple[str, int]] = {}

    def knows(self, name: str, files: Iterable[os.stat_result]) -> bool:
        """Return whether it was proven with its files in this state."""
        return self._known.get(name) == _state(files)[0]

    def add(self, name: str, files: Iterable[os.stat_result]) -> None:
        """Record that it is proven; the states were taken before that began."""
        self._fresh[name] = _state(files)

    def save(self) -> None:
        """Keep what was added, unless a file changed so lately that another change might not show."""
        latest = time.time_ns() - _SETTLED
        settled = {name: state for name, (state, newest) in self._fresh.items() if newest < latest}
        if not settled:
            return
        self._fresh = {name: state for name, state in self._fresh.items() if name not in settled}
        self._known |= settled
        with suppress(OSError):  # it saves time, nothing more
            write_whole(self._file, seal_json({"layout": _LAYOUT, "known": self._known}))


def memo_of(root: Path) -> Memo:
    """Return the memo of a run's folder."""
    return _memo(root.absolute(), cache_folder())


@lru_cache(maxsize=32)
def _memo(root: Path, cache: Path) -> Memo:
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:20]
    return Memo(cache / "proven" / f"{name}.json")


def _read(file: Path) -> dict[str, str]:
    content = read_sealed(file) or {}
    known = content.get("known")
    return known if isinstance(known, dict) and content.get("layout") == _LAYOUT else {}


def _state(files: Iterable[os.stat_result]) -> tuple[str, int]:
    """Return a text that differs after any change, and the time of the latest one."""
    stats = list(files)
    text = " ".join(f"{s.st_size}.{s.st_mtime_ns}.{s.st_ctime_ns}.{s.st_ino}.{s.st_dev}" for s in stats)
    return hashlib.sha256(text.encode()).hexdigest()[:24], max(
        (max(s.st_mtime_ns, s.st_ctime_ns) for s in stats), default=0
    )
