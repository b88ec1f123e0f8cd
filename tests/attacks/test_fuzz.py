"""A part of the fuzz; `make fuzz` runs all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz import KINDS, fuzz

EACH = 2


def test_mutated_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    counts, wrong = fuzz(tmp_path, {name: list(range(EACH)) for name in KINDS}, seed=1)
    assert not wrong, "\n".join(wrong)
    assert counts["block"]["healed"] == 1  # the other is a pipe, a folder or a link
    assert sum(row.total() for row in counts.values()) == EACH * len(KINDS)
