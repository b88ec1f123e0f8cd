"""Where things are kept that can be made again."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InputError


def cache_folder() -> Path:
    """Return `$RERANKBENCH_CACHE`, or `~/.cache/rerankbench`. Raises InputError where there is no home folder."""
    if named := os.environ.get("RERANKBENCH_CACHE"):
        return Path(named)
    try:
        return Path.home() / ".cache" / "rerankbench"
    except RuntimeError as err:
        raise InputError("there is no home folder for the cache; set RERANKBENCH_CACHE to a folder") from err
