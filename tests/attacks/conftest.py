"""The attacks use the small checkpoints and datasets of the other tests."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
for folder in (TESTS / "rerankers", TESTS / "eval", TESTS / "eval" / "gate"):
    sys.path.append(str(folder))
