"""MIRACL by language: a heat map of variants against languages."""

from __future__ import annotations

from dataclasses import dataclass

from ..board.evidence import Evidence
from ..board.frontier import label
from ..tables.layout import best_of

PREFIX = "miracl/"


@dataclass(frozen=True)
class Heat:
    """One place. `level` is where the score lies between the lowest and the highest of the map, 0 to 1.

    `gain` is the difference to the first stage, and `tilt` the same as a share of the largest one, -1 to 1.
    """

    score: float | None
    best: bool = False
    level: float = 0.0
    gain: float | None = None
    tilt: float = 0.0


@dataclass(frozen=True)
class HeatMap:
    """Languages and one line for each variant."""

    languages: tuple[str, ...]
    lines: tuple[tuple[str, tuple[Heat, ...]], ...]


def heat_map(evidence: Evidence) -> HeatMap | None:
    """The map, when there are several MIRACL datasets; variants that ran on none of them are left out."""
    board = evidence.board
    names = sorted(row.name for row in board.rows if row.name.startswith(PREFIX))
    variants = [v for v in board.variants if any(board.figure(n, v).score is not None for n in names)]
    if len(names) < 2 or not variants:
        return None
    gains: dict[tuple[str, int], float] = {}
    best: dict[tuple[str, int], bool] = {}
    for name in names:
        figures = [board.figure(name, v) for v in variants]
        best.update({(name, i): is_best for i, is_best in enumerate(best_of(figures))})
        for i, (variant, figure) in enumerate(zip(variants, figures)):
            first = evidence.first_stage(name, variant)
            start = board.figure(name, first).score if first and first != variant else None
            if start is not None and figure.score is not None:
                gains[name, i] = figure.score - start
    scores = [s for v in variants for n in names if (s := board.figure(n, v).score) is not None]
    low, span = min(scores), max(scores) - min(scores) or 1.0
    widest = max(map(abs, gains.values()), default=0.0) or 1.0

    def heat(name: str, i: int) -> Heat:
        score, gain = board.figure(name, variants[i]).score, gains.get((name, i))
        if score is None:
            return Heat(None)
        level, tilt = round((score - low) / span, 3), round((gain or 0.0) / widest, 3)
        return Heat(score, best[name, i], level, gain, tilt)

    lines = tuple((label(v), tuple(heat(n, i) for n in names)) for i, v in enumerate(variants))
    return HeatMap(tuple(n.removeprefix(PREFIX) for n in names), lines)
