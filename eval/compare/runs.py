"""Two runs side by side: paired differences by dataset, and the queries that changed most."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from ...rerankers.errors import InputError, suggest
from ..gate.snapshot import changed_parts, flatten
from ..metrics import statistics
from ..metrics.trec import rank
from ..results import FIRST_STAGE, Cell
from ..text.tabular import Tabular
from .selector import Selector, load_sides

DEPTH = 10
_OF_DATA = ("candidates", "checksum", "dataset", "join", "partial")  # parts of every identity
_SNIPPET = 80


@dataclass(frozen=True)
class Document:
    """One line of a top 10. `grade` is None for an unjudged document, `text` where the dataset cannot be read."""

    id: str
    score: float
    grade: int | None
    text: str | None


@dataclass(frozen=True)
class QueryChange:
    """One query under both: its metric, its text if it is known, both tops in trec_eval's order."""

    query: str
    text: str | None
    before: float
    after: float
    top_a: tuple[Document, ...]
    top_b: tuple[Document, ...]


@dataclass(frozen=True)
class Difference:
    """B minus A on one dataset. `p_adjusted` is two-sided, corrected over all differences; the interval holds 95 %.

    `parts` are the parts of the identity that differ: name -> (A, B); against a first stage, which shares few, none are
    listed. `folders` are the runs of both sides, where these are two. `only` counts queries that one side lacks.
    """

    dataset: str
    a: str
    b: str
    queries: int
    only: int
    mean_a: float
    mean_b: float
    paired: statistics.Paired
    p_adjusted: float
    parts: dict[str, tuple[Any, Any]]
    worst: tuple[QueryChange, ...]
    note: str | None = None
    folders: tuple[str, str] | None = None


@dataclass(frozen=True)
class Comparison(Tabular):
    """Differences sorted by dataset, and the cells (`A: model@setting on dataset`) that have no partner.

    `correction` is a key of `statistics.CORRECTIONS`.
    """

    COLUMNS = (
        "dataset",
        "a",  # model@setting
        "b",
        "queries",
        "mean_a",  # a fraction
        "mean_b",
        "difference",  # B minus A
        "low",  # 95 % interval of the difference
        "high",
        "p",  # two-sided, of the paired randomisation test
        "p_adjusted",  # corrected over all rows
        "wins",  # queries that are better under B
        "ties",
        "losses",
    )

    differences: tuple[Difference, ...]
    left_out: tuple[str, ...] = ()
    correction: str = "holm"

    def records(self) -> Iterator[tuple[Any, ...]]:
        """See `Tabular.records`."""
        for d in self.differences:
            p = d.paired
            yield (
                *(d.dataset, d.a, d.b, d.queries, d.mean_a, d.mean_b, p.mean, p.low, p.high),
                *(p.p, d.p_adjusted, p.wins, p.ties, p.losses),
            )

    def __repr__(self) -> str:
        text = [f"{d.dataset} {d.paired.mean:+.4f} (p {d.p_adjusted:.3g})" for d in self.differences[:3]]
        return f"<Comparison: {', '.join(text)}{', …' if len(self.differences) > 3 else ''}>"


def variant(cell: Cell) -> str:
    """`model@setting`."""
    return f"{cell.manifest.model}@{cell.manifest.setting}"


def compare(
    a: Selector,
    b: Selector,
    *,
    metric: str,
    worst: int,
    load: Callable[[str], Any] | None,
    seed: int = 0,
    correction: str = "holm",
) -> Comparison:
    """One difference per pair of cells. `load` turns a dataset's name into a `Dataset`; None leaves texts out.

    Cells pair by dataset when each side holds one variant, else by dataset, model and setting.
    Raises InputError when nothing pairs, or a metric is unknown.
    """
    cells = load_sides(a, b, metric)
    return compare_cells(*cells, metric=metric, worst=worst, load=load, seed=seed, correction=correction)


def compare_cells(
    a: list[Cell],
    b: list[Cell],
    *,
    metric: str,
    worst: int = 0,
    load: Callable[[str], Any] | None = None,
    seed: int = 0,
    correction: str = "holm",
) -> Comparison:
    """The same of cells at hand, which have the metric."""
    cells = a, b
    pairs = pair_cells(*cells)
    differences = [_difference(left, right, metric, worst, load, seed) for left, right in pairs]
    adjusted = statistics.CORRECTIONS[correction]([d.paired.p for d in differences])
    paired = {cell.path for pair in pairs for cell in pair}
    alone = [f"{side}: {_name(c)}" for side, some in zip("AB", cells) for c in some if c.path not in paired]
    return Comparison(tuple(replace(d, p_adjusted=p) for d, p in zip(differences, adjusted)), tuple(alone), correction)


def pair_cells(a: list[Cell], b: list[Cell]) -> list[tuple[Cell, Cell]]:
    """Partners by dataset when each side holds one variant, else by dataset, model and setting. InputError: none."""
    single = len({variant(c) for c in a}) == 1 and len({variant(c) for c in b}) == 1

    def key(cell: Cell) -> tuple[str, str]:
        return cell.manifest.dataset, "" if single else variant(cell)

    left, right = {key(c): c for c in a}, {key(c): c for c in b}
    both = sorted(left.keys() & right.keys())
    if not both:
        raise InputError(
            f"nothing to compare: A has {_names(a)}, B has {_names(b)}; "
            "choose one variant of each with DIR#model@setting"
        )
    return [(left[k], right[k]) for k in both]


def _names(cells: list[Cell]) -> str:
    return ", ".join(sorted(map(_name, cells)))


def _name(cell: Cell) -> str:
    return f"{variant(cell)} on {cell.manifest.dataset}"


def values_by_query(cell: Cell, metric: str) -> dict[str, float]:
    """A metric of every judged query. Raises InputError for a metric that the cell lacks, or NaN."""
    if metric in cell.computed:
        return dict(sorted(cell.computed[metric].items()))
    table = cell.table()  # read without pandas, whose import takes longer than all else
    if metric not in table.column_names:
        raise InputError(f"{cell.path}: has no metric '{metric}'{suggest(metric, table.column_names)}")
    values = dict(zip(map(str, table["query_id"].to_pylist()), map(float, table[metric].to_pylist())))
    if any(map(math.isnan, values.values())):
        raise InputError(f"{cell.path}: {metric} holds NaN; `rerankbench check` names the queries")
    return values


def _difference(a: Cell, b: Cell, metric: str, worst: int, load: Callable[[str], Any] | None, seed: int) -> Difference:
    left, right = values_by_query(a, metric), values_by_query(b, metric)
    common = sorted(left.keys() & right.keys())
    if not common:
        raise InputError(f"{a.path} and {b.path}: have no query in common")
    before, after = np.array([left[q] for q in common]), np.array([right[q] for q in common])
    d = (after - before).round(9)
    changed = [i for i in np.argsort(-np.abs(d), kind="stable").tolist() if d[i] != 0][:worst]
    shown, note = _changes(a, b, [(common[i], float(before[i]), float(after[i])) for i in changed], load)
    parts = changed_parts(flatten(a.manifest.identity_parts), flatten(b.manifest.identity_parts))
    parts.pop("setting", None)  # said by the variants
    if FIRST_STAGE in (a.manifest.setting, b.manifest.setting) and a.manifest.setting != b.manifest.setting:
        parts = {name: sides for name, sides in parts.items() if name.partition(".")[0] in _OF_DATA}
    result = statistics.paired(d, seed=seed)
    return Difference(
        dataset=a.manifest.dataset,
        a=variant(a),
        b=variant(b),
        queries=len(common),
        only=len(left.keys() ^ right.keys()),
        mean_a=float(before.mean()),
        mean_b=float(after.mean()),
        paired=result,
        p_adjusted=result.p,
        parts=parts,
        worst=shown,
        note=note,
        folders=(str(a.root), str(b.root)) if a.root != b.root else None,
    )


def _changes(
    a: Cell, b: Cell, queries: list[tuple[str, float, float]], load: Callable[[str], Any] | None
) -> tuple[tuple[QueryChange, ...], str | None]:
    """Return the changed queries with both tops, each with the grades and texts of its own side's dataset."""
    if not queries:
        return (), None
    notes: list[str] = []
    read = cache(load) if load else None  # both sides often have one dataset
    datasets = [_load_own(side, cell, read, notes) if read else None for side, cell in zip("AB", (a, b))]
    runs = a.run(), b.run()
    shown = []
    for query, before, after in queries:
        tops = [_top(run.get(query, {}), query, dataset) for run, dataset in zip(runs, datasets)]
        text = next((dataset.queries[query] for dataset in datasets if dataset and query in dataset.queries), None)
        shown.append(QueryChange(query, text, before, after, tops[0], tops[1]))
    return tuple(shown), "; ".join(dict.fromkeys(notes)) or None


def _load_own(side: str, cell: Cell, load: Callable[[str], Any], notes: list[str]) -> Any | None:
    """Return the dataset that a cell was judged by; None, with a note, where it cannot be read or is another now."""
    try:
        dataset = load(cell.source)
    except (InputError, OSError) as err:
        notes.append(f"without texts: {err}")
        return None
    if dataset.checksum == cell.manifest.identity_parts.get("checksum"):
        return dataset
    notes.append(f"{side} without grades and texts: {cell.source} has changed since that run")
    return None


def _top(scores: dict[str, float], query: str, dataset: Any) -> tuple[Document, ...]:
    ids = rank(scores)[:DEPTH]
    grades = dataset.qrels.get(query, {}) if dataset else {}
    texts = [_snippet(t) for t in dataset.texts(ids)] if dataset else [None] * len(ids)
    return tuple(Document(doc, scores[doc], grades.get(doc), text) for doc, text in zip(ids, texts))


def _snippet(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SNIPPET else f"{line[: _SNIPPET - 1]}…"
