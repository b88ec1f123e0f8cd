"""What is known about a run beyond its identity: versions, machine, command, time."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any


def now() -> str:
    """Return the time in UTC, to the second, as ISO 8601 writes it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def environment() -> dict[str, Any]:
    """Return versions, commit and machine of this process."""
    return {
        "versions": {
            "python": platform.python_version(),
            **{
                name: _version(name)
                for name in ("rerankbench", "torch", "transformers", "pytrec-eval-terrier", "bm25s")
            },
        },
        "commit": _commit(),
        "os": platform.platform(),
        "cpus": os.cpu_count(),
    }


def threads() -> int | None:
    """Return CPU threads of torch in this process; None where torch is not in use."""
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else None


@cache
def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


@cache
def _commit() -> str | None:
    """Return the commit of the source tree this code runs from; `-dirty` when it was changed; None outside of one."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        git = ["git", "-C", str(root)]
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True)
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() + ("-dirty" if changed.stdout.strip() else "")
