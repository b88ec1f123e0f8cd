"""Cells from any number of runs become figures by row and variant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...rerankers.errors import InputError
from ...rerankers.settings import Setting
from ..data import list_datasets
from ..published import PublishedTable
from ..results import FIRST_STAGE, QRELS, Cell
from ..text.tabular import Tabular
from .figures import NOT_RUN, Figure, figure, macro
from .limits import candidates_of, limits_of


@dataclass(frozen=True)
class Variant:
    """A column. `origin` is set when runs disagree about a variant, which is then shown once per run."""

    model: str
    setting: str
    origin: str = ""


@dataclass(frozen=True)
class Row:
    """A dataset, or a macro group with the datasets that are its members."""

    name: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Board(Tabular):
    """Every figure of a table, by row name and variant; its frame has one row per figure, the means last."""

    COLUMNS = (
        "dataset",  # or a macro group, or `mean`
        "model",
        "setting",
        "run",  # which run, or the depth of a sweep, `top 50`
        "metric",
        "score",  # x 100
        "low",  # 95 % interval, where queries were sampled
        "high",
        "flops_per_query",  # reference
        "flops_saved",  # per cent of the full model's
        "ceiling",  # x 100, of the best order of the candidates
        "headroom_taken",  # per cent of what was to gain over the first stage
        "have",  # how many of a mean's figures there are
        "of",
        "partial",  # why the score does not stand for the dataset
    )

    metric: str
    rows: tuple[Row, ...]
    variants: tuple[Variant, ...]
    figures: Mapping[tuple[str, Variant], Figure]

    def figure(self, name: str, variant: Variant) -> Figure:
        """The figure of a row, or of a group's member."""
        return self.figures.get((name, variant), NOT_RUN)

    def records(self) -> Iterator[tuple[Any, ...]]:
        """See `Tabular.records`; figures that were not run are left out."""
        names = dict.fromkeys(name for row in self.rows for name in (*row.members, row.name))
        figures = [(name, v, self.figure(name, v)) for name in names for v in self.variants]
        if len(self.rows) > 1:
            figures += [("mean", v, self.mean(v)) for v in self.variants]
        for name, v, f in figures:
            if f.have:
                yield (
                    *(name, v.model, v.setting, v.origin or None, self.metric, f.score),
                    *(f.interval or (None, None)),
                    *(f.flops, f.saved, f.limit and f.limit.ceiling, f.headroom),
                    *(f.have, f.of, "; ".join(f.partial) or None),
                )

    def __repr__(self) -> str:
        return f"<Board {self.metric}: {len(self.rows)} rows, {len(self.variants)} variants>"

    def mean(self, variant: Variant) -> Figure:
        """The macro mean of the rows: every row one weight, a group being one row."""
        return macro([self.figure(row.name, variant) for row in self.rows])


def pivot(cells: Sequence[Cell], metric: str, *, published: PublishedTable | None = None) -> Board:
    """Arrange cells. The published table, if any, adds the rows and variants that were not run.

    A macro group with fewer members than the catalogue gives it is marked as partial.
    Raises InputError when there are no cells or none has the metric.
    """
    if not cells:
        raise InputError("there are no cells to show; give the output folder of `rerankbench run`")
    if not any(metric in cell.manifest.metrics for cell in cells):
        known = sorted({name for cell in cells for name in cell.manifest.metrics})
        stored = any(QRELS in cell.manifest.files for cell in cells)
        again = "" if stored else "; to judge a stored run by others, run it again, which stores its judgements"
        raise InputError(f"no cell has the metric '{metric}'; there is {', '.join(known) or 'none at all'}{again}")
    by_key = _by_variant(sorted(cells, key=lambda cell: metric not in cell.manifest.metrics))
    variants = _variants([variant for _, variant in by_key], published)
    rows = _rows(cells, published)
    sizes = _group_sizes(cells)
    limits = limits_of(cells, metric)
    figures = {
        (dataset, variant): figure(cell, metric, limits.get(candidates_of(cell)))
        for (dataset, variant), cell in by_key.items()
    }
    for row in rows:
        if row.members:
            for variant in variants:
                group = macro([figures.get((member, variant), NOT_RUN) for member in row.members])
                figures[row.name, variant] = _marked(group, sizes.get(row.name, len(row.members)))
    return Board(metric, rows, variants, figures)


def _marked(group: Figure, size: int) -> Figure:
    """A group with fewer members than it should have does not stand for the group."""
    if group.score is None or group.have >= size:
        return group
    return replace(group, partial=(*group.partial, f"{group.have} of {size} members of the group"))


def _by_variant(cells: Sequence[Cell]) -> dict[tuple[str, Variant], Cell]:
    """Cells by dataset and variant; the same result found twice counts once, different ones get an origin each."""
    by_variant: dict[tuple[str, str, str], dict[str, Cell]] = {}
    for cell in cells:
        m = cell.manifest
        by_variant.setdefault((m.dataset, m.model, m.setting), {}).setdefault(m.identity, cell)
    disputed = {key[1:] for key, same in by_variant.items() if len(same) > 1}
    origins = _origins([cell for same in by_variant.values() for cell in same.values()])
    result: dict[tuple[str, Variant], Cell] = {}
    for (dataset, model, setting), same in by_variant.items():
        for cell in same.values():
            origin = origins[cell.root] if (model, setting) in disputed else ""
            result[dataset, Variant(model, setting, origin)] = cell
    return result


def _origins(cells: Iterable[Cell]) -> dict[Path, str]:
    """What to call each run: its experiment, or its folder where experiments share a name."""
    names = {cell.root: cell.manifest.experiment for cell in cells}
    shared = {name for name in names.values() if list(names.values()).count(name) > 1}
    return {root: str(root) if name in shared else name for root, name in names.items()}


def _variants(variants: Iterable[Variant], published: PublishedTable | None) -> tuple[Variant, ...]:
    listed = [Variant(*column.key) for column in published.columns] if published else []
    models = list(dict.fromkeys(variant.model for variant in variants))
    rest = sorted(
        set(variants) - set(listed),
        key=lambda v: (v.setting != FIRST_STAGE, models.index(v.model), _depth(v.setting), v.origin),
    )
    first = [v for v in listed if v.setting == FIRST_STAGE]
    return tuple(dict.fromkeys([*first, *(v for v in rest if v.setting == FIRST_STAGE), *listed, *rest]))


def _depth(setting: str) -> tuple[float, int, tuple[int, ...]]:
    """Sorts settings by what they roughly cost."""
    if setting == FIRST_STAGE:
        return 0, 0, ()
    parsed = Setting.parse(setting)
    return parsed.cutoff_layer or float("inf"), -parsed.compress_ratio, parsed.compress_layers


def _rows(cells: Sequence[Cell], published: PublishedTable | None) -> tuple[Row, ...]:
    groups: dict[str, list[str]] = {name: [] for name in (published.rows if published else ())}
    for cell in cells:
        dataset, group = cell.manifest.dataset, cell.manifest.group
        members = groups.setdefault(group or dataset, [])
        if group and dataset not in members:
            members.append(dataset)
    return tuple(Row(name, tuple(members)) for name, members in groups.items())


def _group_sizes(cells: Sequence[Cell]) -> Mapping[str, int]:
    """Members that each macro group should have; asked only when a cell is in one."""
    if not any(cell.manifest.group for cell in cells):
        return {}
    return Counter(info.policy.group for info in list_datasets() if info.policy.group)
