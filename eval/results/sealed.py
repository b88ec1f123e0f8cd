"""Small JSON files with a hash of themselves under `proof`: one that was damaged or edited is as good as absent.

The hash is no signature: whoever edits a file on purpose can make a new one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from .identity import digest

PROOF = "proof"


def seal_json(content: Mapping[str, Any]) -> str:
    """Return the text of a sealed file."""
    return json.dumps({**content, PROOF: digest(dict(content))}, sort_keys=True)


def read_sealed(file: Path, most_bytes: int | None = None) -> dict[str, Any] | None:
    """Return the content of a sealed file; None where it is absent, longer than `most_bytes`, damaged or edited."""
    try:
        if most_bytes is not None and file.stat().st_size > most_bytes:
            return None
        content = json.loads(file.read_bytes())
        proof = content.pop(PROOF)
        return content if proof == digest(content) else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def hash_record(record: BaseModel) -> str:
    """Return what a record has under `proof`: the hash of everything else in it."""
    return digest(record.model_dump(mode="json", exclude={PROOF}))
