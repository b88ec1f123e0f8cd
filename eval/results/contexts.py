"""What many cells have in common (the experiment, the command, the machine): stored once, by its hash.

    contexts/<SHA-256 of the content>.json

A manifest names the one it was made in, so that its size does not grow with the experiment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...rerankers.errors import InputError
from ...rerankers.storage.atomic import write_whole
from ...rerankers.validate import read_json
from .identity import digest

CONTEXTS = "contexts"
_MOST_BYTES = 1 << 26


def write_context(root: Path, content: Mapping[str, Any]) -> str:
    """Store a content below a run's folder, if it is not there; return its name."""
    plain = json.loads(json.dumps(content))
    name = digest(plain)
    path = context_path(root, name)
    if not path.is_file():
        write_whole(path, json.dumps(plain, indent=1, ensure_ascii=False))
    return name


def context_path(root: Path, name: str) -> Path:
    """Return the path of a content."""
    return root / CONTEXTS / f"{name}.json"


def read_context(root: Path, name: str) -> Mapping[str, Any]:
    """Read the content of that name. Raises InputError when it is gone, or does not match its name."""
    path = context_path(root, name)
    try:
        status = path.lstat()
    except OSError as err:
        raise InputError(f"{path}: is gone, and cells name it; run the experiment again") from err
    return _read(path, name, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


@lru_cache(maxsize=256)
def _read(path: Path, name: str, *state: int) -> Mapping[str, Any]:
    content = read_json(path, _MOST_BYTES)
    if not isinstance(content, dict) or digest(content) != name:
        raise InputError(f"{path}: was damaged or edited; run the experiment again, which makes it again")
    return content
