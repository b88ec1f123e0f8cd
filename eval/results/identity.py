"""Which results may replace each other: the hash of everything that can change a score, and nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(parts: dict[str, Any]) -> str:
    """Return the one JSON text of `parts`: keys sorted, no blanks. Raises ValueError for NaN and infinity."""
    return json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(parts: dict[str, Any]) -> str:
    """Return SHA-256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical(parts).encode(errors="surrogatepass")).hexdigest()
