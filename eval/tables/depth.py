"""A sweep over depths as text and JSON: one matrix per dataset, settings by depths."""

from __future__ import annotations

from ..board.frontier import Point, Uncounted, figure_of, label, names, points_of, uncounted
from ..board.pivot import Board, Variant
from ..results import FIRST_STAGE
from ..text import units
from ..text.aligned import listing, paragraph
from .pareto import to_json as point_json
from .pareto import uncounted_lines


def to_text(board: Board, dataset: str | None = None) -> str:
    """Scores by setting and depth, FLOPs below, then the frontier; of one row of the board, or of all and the mean."""
    points, unplaced = points_of(board), uncounted(board)
    chosen = [name for name in names(board) if dataset in (None, name)]
    return "\n".join(
        _matrix(board, name, [p for p in points if p.dataset == name], [p for p in unplaced if p.dataset == name])
        for name in chosen
    )


def to_json(board: Board, dataset: str | None = None) -> list[dict[str, object]]:
    """One object per setting and depth, `origin` being the depth, and the first stage; see `pareto.to_json`."""
    return [row for row in point_json(points_of(board), uncounted(board)) if dataset in (None, row["dataset"])]


def _matrix(board: Board, name: str, points: list[Point], unplaced: list[Uncounted]) -> str:
    variants = [v for v in board.variants if v.setting != FIRST_STAGE and figure_of(board, name, v).have]
    depths = list(dict.fromkeys(v.origin for v in sorted(variants, key=lambda v: int(v.origin.split()[-1]))))
    settings = list(dict.fromkeys((v.model, v.setting) for v in variants))
    front = {p.variant for p in points if p.dominated_by is None}
    scores, costs = [], []
    for model, setting in settings:
        row = [Variant(model, setting, depth) for depth in depths]
        figures = [figure_of(board, name, variant) for variant in row]
        marks = ["*" if variant in front else " " for variant in row]
        scores.append(
            (model, setting, *(f"{f.score:.2f}{m}" if f.score is not None else "– " for f, m in zip(figures, marks)))
        )
        costs.append((model, setting, *(units.flops(f.flops) if f.flops else "–" for f in figures)))
    right = range(2, 2 + len(depths))
    lines = [_head(board, name, variants)]
    lines.append(listing((f"{board.metric} x 100", "", *(f"{depth} " for depth in depths)), scores, right=right))
    lines.append(listing(("FLOPs per query", "", *depths), costs, right=right))
    best = [p for p in points if p.dominated_by is None]
    limits_text = ", ".join(f"{label(p.variant)} {p.score:.2f} at {units.flops(p.flops)}" for p in best)
    lines.append(paragraph(f"* frontier over setting x depth: {limits_text}"))
    return "".join([*lines, uncounted_lines(_best_depths(unplaced))])


def _best_depths(unplaced: list[Uncounted]) -> list[Uncounted]:
    """The depth of each setting at which it scores most; of equal ones the least."""
    best: dict[tuple[str, str], Uncounted] = {}
    for one in unplaced:
        key = one.variant.model, one.variant.setting
        if key not in best or one.score > best[key].score:
            best[key] = one
    return list(best.values())


def _head(board: Board, name: str, variants: list[Variant]) -> str:
    limits = [limit for v in variants if (limit := figure_of(board, name, v).limit)]
    partial = sorted({reason for v in variants for reason in figure_of(board, name, v).partial})
    text = f": first stage {limits[0].first:.2f}, ceiling {limits[0].ceiling:.2f}" if limits else ""
    return f"{name}{text}{''.join(f', partial: {reason}' for reason in partial)}\n"
