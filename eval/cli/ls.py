"""`rerankbench ls`: what comes with the package."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer

from ...rerankers.errors import InputError, suggest
from ..text.sanitize import to_json
from .names import starting
from .output import emit

# what is shown of each kind; the rest is in --json
_COLUMNS: dict[str, tuple[str, ...]] = {
    "models": ("name", "max_length", "parameters", "settings"),
    "families": ("name", "score", "model_types", "models"),
    "datasets": ("name", "split", "n_queries", "n_docs", "download_bytes", "task", "license"),
    "experiments": ("name", "datasets", "variants", "models"),
    "published": ("name", "columns", "rows", "title"),
    "prompts": ("name", "text"),
    "metrics": ("name", "also", "trec_eval"),
    "retrievers": ("name", "pooling", "passage_max_length", "download_bytes"),
    "candidates": ("name", "datasets", "k", "positives", "title"),
    "tasks": ("name", "datasets", "models"),
    "keys": ("name", "obeyed"),
}
_HEADS: dict[str, str] = {
    "n_queries": "QUERIES",
    "n_docs": "PASSAGES",
    "download_bytes": "DOWNLOAD",
    "max_length": "LENGTH",
    "parameters": "SIZE",
    "passage_max_length": "LENGTH",
}
_NUMBERS = {*_HEADS, "columns", "rows", "variants"}


def ls(
    kind: Annotated[
        str | None,
        typer.Argument(
            help=f"One of {', '.join(_COLUMNS)}; none: what there is.",
            autocompletion=lambda incomplete: starting(_COLUMNS, incomplete),
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with everything that is known.")] = False,
) -> None:
    """List what comes with the package: models, datasets, experiments, metrics, retrievers and more."""
    from ..inventory import shipped

    if kind is None:
        counts = {name: len(getattr(shipped, name)()) for name in _COLUMNS}
        lines = "".join(f"rerankbench ls {name:<12} {count:>6,}\n" for name, count in counts.items())
        emit(to_json(counts, indent=2) + "\n" if as_json else lines)
        return
    if kind not in _COLUMNS:
        raise InputError(f"ls '{kind}': nothing to list{suggest(kind, _COLUMNS)}")
    items: list[dict[str, Any]] = getattr(shipped, kind)()
    if as_json:
        emit(to_json(items, indent=2) + "\n")
    else:
        emit(_text(kind, items))


def _text(kind: str, items: list[dict[str, Any]]) -> str:
    from ..text.aligned import listing

    shown, notes, groups = _COLUMNS[kind], None, None
    if kind == "models":
        items, groups = _by_family(items)
        notes = ["; ".join(filter(None, (item["license"], _pin(item), item["note"]))) for item in items]
    head = [_HEADS[key] if key in _HEADS else key.upper() for key in shown]
    rows = [[_write(key, item[key]) for key in shown] for item in items]
    if kind == "datasets":
        _mark_shared(rows, items, shown.index("download_bytes"))
    right = {i for i, key in enumerate(shown) if key in _NUMBERS}
    return listing(head, rows, right=right, notes=notes, groups=groups)


def _by_family(items: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Models in the order of their families, small ones first, and above each what its family scores by."""
    from ..inventory import shipped

    families = {family["name"]: family["score"] for family in shipped.families()}
    order = list(families)
    items = sorted(items, key=lambda item: (order.index(item["family"]), item["parameters"] or math.inf))
    return items, [f"{item['family']}: {families[item['family']]}" for item in items]


def _pin(item: dict[str, Any]) -> str:
    """Says so where the newest revision of a hub repository is taken."""
    return "unpinned" if item["revision"] is None and ":" not in item["source"] else ""


def _mark_shared(rows: list[list[str]], items: list[dict[str, Any]], column: int) -> None:
    """Datasets of one archive are fetched together."""
    seen: set[str] = set()
    for row, item in zip(rows, items):
        if item["archive"] in seen:
            row[column] = "with it"
        elif item["archive"]:
            seen.add(item["archive"])


def _write(key: str, value: Any) -> str:
    from ..text.units import size

    if value is None:
        return "-"
    if key == "download_bytes":
        return size(value)
    if key == "parameters":
        return size(value).removesuffix("B").replace("G", "B")
    if key == "datasets":
        return str(len(value))
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(value) if isinstance(value, list) else str(value)
