"""A report: everything about some runs on one page, which needs nothing but a browser."""

from __future__ import annotations

from collections.abc import Sequence

from ...rerankers.errors import InputError
from ..board.evidence import Evidence
from ..board.pivot import pivot
from ..published import PublishedTable, check_means, load_published
from ..results import Cell
from . import cost, trace
from .choice import advise
from .depths import depths
from .every_query import every_query
from .graphs import graphs
from .languages import heat_map
from .page import write_page
from .queries import Finder, Loader
from .summary import method, summarise
from .table import Builder


def render(
    cells: Sequence[Cell],
    *,
    metric: str = "nDCG@10",
    published: str | None = None,
    load: Loader | None = None,
    made: str = "",
    correction: str = "holm",
) -> str:
    """The report as one HTML page.

    Args:
        cells: from one or several run folders.
        metric: a key of the manifests' `metrics`.
        published: the name of a file in configs/published/: adds differences, verdicts and errata.
        load: gives a dataset by its name, for the texts of the worst queries; None leaves the texts out.
        correction: of tests of several variants, a key of `statistics.CORRECTIONS`.
        made: when and by what the report was made, shown at its end.

    Raises InputError when there are no cells, none has the metric, or for an unknown published name.
    """
    table = _published(published, metric)
    evidence = Evidence(pivot(cells, metric), correction)
    finder = Finder(evidence, load)
    worst, queries, deep = finder.find(), every_query(finder), depths(cells, metric)
    context = {
        "title": ", ".join(dict.fromkeys(cell.manifest.experiment for cell in cells)),
        "metric": metric,
        "made": made,
        "method": method(correction),
        "scope": _scope(cells),
        "summary": summarise(evidence),
        "advice": advise(evidence, deep.options),
        "deep": deep,
        "queries": queries,
        "table": Builder(evidence, cells, table).build(),
        "graphs": graphs(evidence, cells),
        "languages": heat_map(evidence),
        "cost_heads": cost.heads(evidence.board),
        "not_measured": cost.unmeasured(evidence.board),
        "costs": cost.cost_lines(evidence.board),
        "worst": worst,
        "worst_notes": finder.notes,
        "published": table,
        "open_means": [m for m in check_means(table) if m.status == "open"] if table else [],
        "cells": cells,
        "warnings": trace.warnings(cells),
        "not_run": trace.not_run(evidence.board, cells, table),
    }
    data = {**trace.records(cells, metric), "queries": queries.data}
    return write_page("page.html.j2", ("script.js", "every_query.js"), context, data)


def _published(name: str | None, metric: str) -> PublishedTable | None:
    table = load_published(name) if name else None
    if table and table.metric != metric:
        raise InputError(f"published table '{name}' has {table.metric}, not {metric}; use --metric {table.metric}")
    return table


def _scope(cells: Sequence[Cell]) -> str:
    models = {cell.manifest.model for cell in cells}
    datasets = {cell.manifest.dataset: cell.manifest.counts.queries for cell in cells}
    counts = (
        (len(models), "model"),
        (len(datasets), "dataset"),
        (sum(datasets.values()), "query"),
        (len(cells), "cell"),
    )
    return ", ".join(_plural(count, word) for count, word in counts)


def _plural(count: int, word: str) -> str:
    plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{count:,} {word if count == 1 else plural}"
