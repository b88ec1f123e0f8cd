"""Short names of what is stored under everything that it was made from."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def hash_json(content: Any) -> str:
    """Return SHA-256 of `content` as JSON with sorted keys, in hex.

    It names files of caches. Identities of results are hashed in another form (`eval/results/identity.py`), and both
    stay as they are: another form would be another name for everything that is stored.
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
