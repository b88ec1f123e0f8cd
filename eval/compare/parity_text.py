"""Parity of two engines for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from ..text.aligned import listing
from ..text.sanitize import to_json as json_text
from .parity import Parity

_HEAD = ("DATASET", "PAIRS", "LARGEST", "MEAN", "SPREAD", "SPEARMAN", "LEAST", "TOP 10", "ORDER")


def to_text(parities: Sequence[Parity], metric: str, sides: Sequence[str], verdict: Sequence[str]) -> str:
    """What the sides are, a table of differences, one of the metric, what stands out, and the verdict `told`."""
    lines = [f"{side}: {name}" for side, name in zip("AB", sides)]
    shared = [name for name in parities[0].parts if all(p.parts.get(name) == parities[0].parts[name] for p in parities)]
    lines += [
        f"{name} differs: {_short(parities[0].parts[name][0])} | {_short(parities[0].parts[name][1])}"
        for name in shared
    ]
    text = "\n".join(lines) + "\n\n" + listing(_HEAD, [_row(p) for p in parities], right=range(1, len(_HEAD)))
    head = (f"{metric} x 100", "A", "B", "B - A", "95 % INTERVAL")
    text += "\n" + listing(head, [_metric(p) for p in parities], right=(1, 2, 3))
    notes = [
        f"{p.dataset}: furthest apart: query {p.where.query}, document {p.where.document}: "
        f"{p.where.a:.6g} | {p.where.b:.6g}"
        for p in parities
    ]
    notes += [
        f"{p.dataset}: no rank correlation of {p.undefined} of {p.queries} queries" for p in parities if p.undefined
    ]
    return text + "\n" + "".join(f"{line}\n" for line in (*notes, *verdict))


def to_json(parities: Sequence[Parity], metric: str, sides: Sequence[str], verdict: Sequence[str]) -> str:
    """Everything."""
    head = {"a": sides[0], "b": sides[1], "metric": metric, "beyond": list(verdict)}
    return json_text({**head, "datasets": [asdict(p) for p in parities]}, indent=1)


def _row(p: Parity) -> tuple[str, ...]:
    orders = f"{p.changed}/{p.queries}", f"{p.reordered}/{p.queries}"
    rhos = ["–" if value is None else f"{value:.4f}" for value in (p.spearman, p.least)]
    return (p.dataset, f"{p.pairs:,}", f"{p.largest:.2g}", f"{p.mean:.2g}", f"{p.spread:.2g}", *rhos, *orders)


def _metric(p: Parity) -> tuple[str, ...]:
    low, high = 100 * p.paired.low, 100 * p.paired.high
    return (
        p.dataset,
        f"{100 * p.mean_a:.2f}",
        f"{100 * p.mean_b:.2f}",
        f"{100 * p.paired.mean:+.2f}",
        f"[{low:+.2f}, {high:+.2f}]",
    )


def _short(value: object) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
