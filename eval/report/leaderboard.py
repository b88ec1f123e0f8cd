"""A leaderboard over many run folders: one row per variant, filtered and sorted in the browser, from a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..board.costs import milliseconds, served_alone
from ..board.evidence import Evidence
from ..board.figures import Figure
from ..board.frontier import MEAN, label
from ..board.pivot import Board, Variant, pivot
from ..board.prices import usd_per_thousand_queries
from ..board.training import about, knows, split_means
from ..results import FIRST_STAGE, Cell
from ..tables.layout import best_of
from ..text import units
from .page import write_page

NOT_STATED = "not stated"


@dataclass(frozen=True)
class Place:
    """One place of a row: as shown, what it is sorted by, the best of its column, the test known to the model."""

    text: str
    value: float | None = None
    best: bool = False
    known: bool = False


@dataclass(frozen=True)
class Entry:
    """A row. `training` is what is known of the model and the datasets of all its cells, taken together."""

    name: str
    family: str
    parameters: int | None
    license: str
    training: str
    places: tuple[Place, ...]


def leaderboard(cells: Sequence[Cell], *, metric: str = "nDCG@10", made: str = "", correction: str = "holm") -> str:
    """The page. Raises InputError when there are no cells or none has the metric."""
    board = pivot(cells, metric)
    evidence = Evidence(board, correction)
    heads, columns = _columns(evidence)
    entries = sorted(_entries(board, columns), key=lambda entry: -(entry.places[0].value or -1e9))
    context: dict[str, Any] = {
        "title": "Leaderboard",
        "metric": metric,
        "made": made,
        "heads": heads,
        "entries": entries,
        "families": sorted({entry.family for entry in entries}),
        "licenses": sorted({entry.license for entry in entries}),
        "trainings": sorted({entry.training for entry in entries}),
        "rows": len(board.rows),
    }
    return write_page("leaderboard.html.j2", ("script.js", "leaderboard.js"), context, {})


def _columns(evidence: Evidence) -> tuple[list[str], dict[Variant, list[Place]]]:
    """Heads after the name, and each variant's places below them."""
    board = evidence.board
    ranks = evidence.ranks(MEAN)
    places: dict[Variant, list[Place]] = {v: [] for v in board.variants}
    heads = [
        f"Mean of {len(board.rows)}",
        "rank",
        "zero-shot mean",
        "FLOPs per query",
        "latency p50",
        "$/1,000 queries",
    ]
    heads += [row.name for row in board.rows]
    means = [board.mean(v) for v in board.variants]
    for variant, mean, best in zip(board.variants, means, best_of(means)):
        split, rank = split_means(board, variant), ranks.get(variant)
        latency, usd = served_alone(mean, "p50"), usd_per_thousand_queries(mean.cells) if mean.cells else None
        outside = split.zero_shot if split else None
        place = f"{rank.place} ({rank.low}\N{EN DASH}{rank.high})" if rank else "–"
        places[variant] += [
            _score(mean, best),
            Place(place, -rank.place if rank else None),
            Place("–") if outside is None or outside.score is None else _of(outside),
            Place(units.flops(mean.flops), mean.flops) if mean.flops else Place("–"),
            Place(milliseconds(latency), latency) if latency is not None else Place("–"),
            Place(units.usd(usd), usd) if usd is not None else Place("–"),
        ]
    for row in board.rows:
        figures = [board.figure(row.name, v) for v in board.variants]
        for variant, figure, best in zip(board.variants, figures, best_of(figures)):
            places[variant].append(_score(figure, best))
    return heads, places


def _of(figure: Figure) -> Place:
    return Place(f"{figure.score:.2f} of {figure.of}", figure.score)


def _score(figure: Figure, best: bool) -> Place:
    if figure.score is None:
        return Place(f"– ({figure.have} of {figure.of})" if figure.have else "–")
    known = len(figure.cells) == 1 and knows(figure.cells[0]) == "in-domain"
    return Place(f"{figure.score:.2f}{'*' if figure.partial else ''}", figure.score, best, known)


def _entries(board: Board, columns: dict[Variant, list[Place]]) -> list[Entry]:
    entries = []
    for variant, places in columns.items():
        cells = board.mean(variant).cells
        if not cells:
            continue
        said, model = [knows(cell) for cell in cells], about(cells[0])
        parameters = model.get("parameters")
        entries.append(
            Entry(
                name=label(variant),
                family="first stage" if variant.setting == FIRST_STAGE else str(model.get("family") or NOT_STATED),
                parameters=parameters if isinstance(parameters, int) else None,
                license=str(model.get("license") or NOT_STATED),
                training=_training(said),
                places=tuple(places),
            )
        )
    return entries


def _training(said: Sequence[str | None]) -> str:
    for word in ("not disclosed", "in-domain"):
        if word in said:
            return "in-domain on some" if word == "in-domain" else word
    return "zero-shot on all" if said and all(word == "zero-shot" for word in said) else NOT_STATED
