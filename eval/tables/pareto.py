"""The points of quality against cost, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..board.costs import milliseconds
from ..board.frontier import Point, Uncounted, label
from ..board.pivot import Variant
from ..results import FIRST_STAGE
from ..text import units
from ..text.aligned import listing, paragraph


def to_text(points: Sequence[Point], metric: str = "nDCG@10", unplaced: Sequence[Uncounted] = ()) -> str:
    """An aligned table, one line per point, then one for each variant that has no counted FLOPs."""
    several = len({p.dataset for p in points}) > 1
    head = (
        *(("dataset",) if several else ()),
        "model",
        "setting",
        f"{metric} x 100",
        "FLOPs/query",
        "RPP",
        "QPP",
        "Pareto",
    )
    rows = []
    for p in points:
        mark = f"dominated by {_short(p.dominated_by, p.variant)}" if p.dominated_by else "frontier"
        note = f" ({'; '.join(p.partial)})" if p.partial else ""
        variant = (p.variant.model, f"{p.variant.setting} {p.variant.origin}".strip())
        bought = ("–" if x is None else f"{float(f'{x:.4g}'):,g}" for x in (p.rpp, p.qpp))
        figures = (f"{p.score:.2f}", units.flops(p.flops), *bought)
        rows.append((*((p.dataset,) if several else ()), *variant, *figures, mark + note))
    named = f"RPP: {metric} per PFLOP, QPP: queries per PFLOP (arXiv 2507.06223), from exact counts\n"
    title = "" if several or not rows else f"{points[0].dataset}\n"
    shown = listing(head, rows, right=range(2 + several, 6 + several))
    return title + shown + (named if rows else "") + uncounted_lines(unplaced)


def uncounted_lines(points: Sequence[Uncounted]) -> str:
    """One line for each variant that the frontier cannot place, with its score, time, and what is known of it."""
    lines = []
    for one in points:
        time = "time not measured" if one.seconds is None else f"{milliseconds(one.seconds)} forward per query"
        if one.dominated_by:
            known = f"dominated by {label(one.dominated_by)}, which costs nothing"
        else:
            known = "above the first stage, but not placed on the frontier"
        variant = f"{one.dataset}: {label(one.variant)} {one.score:.2f}"
        lines.append(paragraph(f"FLOPs not counted: {variant}, {time}: {known}"))
    return "".join(lines)


def to_json(points: Sequence[Point], unplaced: Sequence[Uncounted] = ()) -> list[dict[str, object]]:
    """One object per point, in JSON values; FLOPs that were not counted are null, and so is then `frontier`."""
    return [
        {
            "dataset": p.dataset,
            "model": p.variant.model,
            "setting": p.variant.setting,
            "origin": p.variant.origin or None,
            "score": p.score,
            "flops_per_query": p.flops,
            "rpp": p.rpp,
            "qpp": p.qpp,
            "frontier": p.dominated_by is None,
            "dominated_by": label(p.dominated_by) if p.dominated_by else None,
            "partial": list(p.partial),
        }
        for p in points
    ] + [
        {
            "dataset": one.dataset,
            "model": one.variant.model,
            "setting": one.variant.setting,
            "origin": one.variant.origin or None,
            "score": one.score,
            "flops_per_query": None,
            "rpp": None,
            "qpp": None,
            "frontier": False if one.dominated_by else None,
            "dominated_by": label(one.dominated_by) if one.dominated_by else None,
            "partial": list(one.partial),
        }
        for one in unplaced
    ]


def _short(variant: Variant, beside: Variant) -> str:
    """Without the model's name where it is the same; a first stage by its name alone."""
    if variant.setting == FIRST_STAGE:
        return label(replace(variant, setting=""))
    return label(replace(variant, model="")) if variant.model == beside.model else label(variant)
