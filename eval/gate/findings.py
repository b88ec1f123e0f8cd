"""One thing that the gate has to say about a cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["OK", "DRIFT", "FAIL"]


@dataclass(frozen=True)
class Finding:
    """A sentence with its weight: FAIL fails the gate, DRIFT is shown and passes, OK is a remark."""

    level: Level
    kind: str
    text: str


def worst(findings: list[Finding]) -> Level:
    """The gravest level, OK when there is none."""
    ranks: list[Level] = ["OK", "DRIFT", "FAIL"]
    return ranks[max((ranks.index(f.level) for f in findings), default=0)]
