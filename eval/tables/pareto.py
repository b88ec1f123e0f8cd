"""The points of quality against cost, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..board.frontier import Point, label
from ..board.pivot import Variant
from ..text import units
from ..text.aligned import listing


def to_text(found: Sequence[Point], metric: str = "nDCG@10") -> str:
    """An aligned table, one line per point."""
    head = (
        "dataset",
        "model",
        "setting",
        f"{metric} x 100",
        "FLOPs/query",
        "RPP",
        "QPP",
        "Pareto",
    )
    rows = []
    for p in found:
        mark = f"dominated by {_short(p.dominated_by, p.variant)}" if p.dominated_by else "frontier"
        note = f" ({'; '.join(p.partial)})" if p.partial else ""
        variant = (p.variant.model, f"{p.variant.setting} {p.variant.origin}".strip())
        figures = (f"{p.score:.2f}", units.flops(p.flops), *(f"{float(f'{x:.4g}'):,g}" for x in (p.rpp, p.qpp)))
        rows.append((p.dataset, *variant, *figures, mark + note))
    named = f"RPP: {metric} per PFLOP, QPP: queries per PFLOP (arXiv 2507.06223), from exact counts\n"
    return listing(head, rows, right=range(3, 7)) + (named if rows else "")


def to_json(found: Sequence[Point]) -> list[dict[str, object]]:
    """One object per point, in JSON values."""
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
        for p in found
    ]


def _short(variant: Variant, beside: Variant) -> str:
    """Without the model's name where it is the same."""
    return label(replace(variant, model="")) if variant.model == beside.model else label(variant)
