"""A comparison for the terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

from ..metrics.statistics import CORRECTION_NAMES
from ..text.aligned import listing, pad, width
from ..text.sanitize import to_json as json_text
from .runs import Comparison, Difference, Document, QueryChange

_SIDE = 56

Parts = dict[str, tuple[Any, Any]]


def to_text(comparison: Comparison, metric: str) -> str:
    """A table of differences, then the queries that changed most, both tops side by side."""
    differences = comparison.differences
    named = CORRECTION_NAMES[comparison.correction]
    rows = [("dataset", "queries", "A", "B", "B - A", "95 % interval", "p", f"p ({named})", "W/T/L")]
    rows += [_row(d) for d in differences]
    lines = [metric]
    variants = {(d.a, d.b) for d in differences}
    folders = {d.folders for d in differences}
    shared_folders = next(iter(folders)) if len(folders) == 1 else None
    if len(variants) == 1:
        lines += [
            f"{side}: {name}{f' of {folder}' if folder else ''}"
            for side, name, folder in zip("AB", *variants, shared_folders or ("", ""))
        ]
    else:
        lines += [f"{side}: {folder}" for side, folder in zip("AB", shared_folders or ())]
        names = [d.a if d.a == d.b else f"{d.a} | {d.b}" for d in differences]
        rows = [(row[0], name, *row[1:]) for row, name in zip(rows, ["variant", *names])]
    lines += listing(rows[0], rows[1:], keys=len(rows[0]) - 8).rstrip("\n").split("\n")
    lines += [f"not compared, no partner: {name}" for name in comparison.left_out]
    shared = _shared_parts(differences)
    lines += [f"{name} differs: {_short(a)} | {_short(b)}" for name, (a, b) in shared.items()]
    for d in differences:
        lines += _remarks(d, shared)
        for change in d.worst:
            lines += ["", *_change(d, change)]
    return "\n".join(lines)


def to_json(comparison: Comparison, metric: str) -> str:
    """Everything."""
    return json_text({"metric": metric, **asdict(comparison)}, indent=1)


def _row(d: Difference) -> tuple[str, ...]:
    p = d.paired
    interval = f"[{p.low:+.4f}, {p.high:+.4f}]"
    votes = f"{p.wins}/{p.ties}/{p.losses}"
    means = f"{d.mean_a:.4f}", f"{d.mean_b:.4f}", f"{p.mean:+.4f}"
    return (d.dataset, str(d.queries), *means, interval, f"{p.p:.3g}", f"{d.p_adjusted:.3g}", votes)


def _shared_parts(differences: Sequence[Difference]) -> Parts:
    """What differs in the same way in all rows, which is told once."""
    first, *others = [d.parts for d in differences] or [{}]
    return {name: values for name, values in first.items() if all(parts.get(name) == values for parts in others)}


def _remarks(d: Difference, shared: Parts) -> list[str]:
    own = {name: values for name, values in d.parts.items() if name not in shared}
    lines = [f"{d.dataset}: {name} differs: {_short(a)} | {_short(b)}" for name, (a, b) in own.items()]
    if d.only:
        lines.append(f"{d.dataset}: {d.only} queries are in one run only and are left out")
    if d.note:
        lines.append(f"{d.dataset}: {d.note}")
    return lines


def _change(d: Difference, change: QueryChange) -> list[str]:
    title = f"{d.dataset} query {change.query}: {change.before:.4f} -> {change.after:.4f}"
    lines = [title if change.text is None else f"{title}  {' '.join(change.text.split())}"]
    for place, (a, b) in enumerate(zip_longest(change.top_a, change.top_b), 1):
        lines.append(f"  {place:2d}  {pad(_document(a), _SIDE)}  |  {_document(b)}".rstrip())
    return lines


def _document(doc: Document | None) -> str:
    if doc is None:
        return ""
    grade = "?" if doc.grade is None else str(doc.grade)
    text = f"[{grade}] {doc.id}" if doc.text is None else f"[{grade}] {doc.id} {doc.text}"
    if width(text) <= _SIDE:
        return text
    while width(text) >= _SIDE:
        text = text[:-1]
    return f"{text}…"


def _short(value: object) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:59]}…"
