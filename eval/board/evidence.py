"""How sure a figure is: intervals and paired tests of means over queries, for a row of the table or the mean of rows.

A mean of rows gives every row one weight, so each query weighs 1 / (rows x members of its group x queries of its
dataset). Intervals are percentiles of a bootstrap that draws queries within datasets; two variants with the same
queries share the draws. Tests flip the signs of weighted differences (`eval.statistics`), corrected by row.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...rerankers.errors import InputError, one_line
from ..metrics.statistics import CORRECTIONS, detectable, interval_tail, randomisation_test, ranks
from ..results import FIRST_STAGE, Cell
from .figures import Figure
from .frontier import MEAN, label
from .pivot import Board, Variant

DRAWS = 1_999
RESAMPLES = 1_999  # at least; more where a row has so many variants that the correction could not be passed
LEVEL = 0.95
ALPHA = 0.05
_CHUNK = 2_000_000  # indices drawn at once


@dataclass(frozen=True)
class Interval:
    """Ends of a 95 % bootstrap interval, x 100."""

    low: float
    high: float


@dataclass(frozen=True)
class Rank:
    """Place among the variants of a row, the best being 1, and the ends of its 95 % bootstrap interval."""

    place: int
    low: int
    high: int


@dataclass(frozen=True)
class Test:
    """A figure against another one of its row. `difference` is x 100, `p` corrected within the row."""

    against: Variant
    difference: float
    p: float

    @property
    def sign(self) -> int:
        """1 or -1 where the difference is significant, else 0."""
        return 0 if self.p > ALPHA else int(np.sign(self.difference))


@dataclass(frozen=True)
class Values:
    """One cell's metric by query: ids sorted, floats of shape (queries,)."""

    queries: tuple[str, ...]
    values: np.ndarray


@dataclass
class Evidence:
    """What the queries say about the figures of a board."""

    board: Board
    correction: str = "holm"
    _values: dict[str, Values | None] = field(default_factory=dict)
    _draws: dict[str, np.ndarray] = field(default_factory=dict)
    _tested: dict[tuple[str, str], dict[Variant, Test]] = field(default_factory=dict)

    def figure(self, row: str, variant: Variant) -> Figure:
        """A row's figure, or the mean's."""
        return self.board.mean(variant) if row == MEAN else self.board.figure(row, variant)

    def values(self, cell: Cell) -> Values | None:
        """The metric by query; None where the cell's file is absent, lacks the metric or holds NaN."""
        key = str(cell.path)
        if key not in self._values:
            self._values[key] = _read(cell, self.board.metric)
        return self._values[key]

    def interval(self, row: str, variant: Variant) -> Interval | None:
        """None when the figure is not run or its values by query are unknown."""
        strata = self._strata(row, variant)
        if not strata:
            return None
        total = np.sum([weight * self._resampled(cell) for weight, cell in strata], axis=0)
        tail = self._tail(row, variant)
        low, high = np.quantile(total, [tail, 1 - tail])
        return Interval(100 * float(low), 100 * float(high))

    def difference_interval(self, row: str, variant: Variant, other: Variant) -> Interval | None:
        """Of `variant` minus `other`; None where they do not have the same queries."""
        if self._differences(row, variant, other) is None:
            return None
        sides = [
            np.sum([weight * self._resampled(cell) for weight, cell in self._strata(row, v)], axis=0)
            for v in (variant, other)
        ]
        tail = self._tail(row, variant)
        low, high = np.quantile(sides[0] - sides[1], [tail, 1 - tail])
        return Interval(100 * float(low), 100 * float(high))

    def _tail(self, row: str, variant: Variant) -> float:
        """Of an interval of a row's mean, by the smallest of its datasets."""
        columns = [self.values(cell) for _, cell in self._strata(row, variant)]
        return interval_tail(min(len(column.queries) if column else 0 for column in columns), LEVEL)

    def ranks(self, row: str) -> dict[Variant, Rank]:
        """Rank of each comparable variant of a row whose queries are those of the best, and the interval of the rank.

        All variants share the draws of queries, so what one query does to all of them moves no rank.
        """
        best = self.best(row)
        same = [v for v in self.comparable(row) if best and (v == best or self._differences(row, v, best) is not None)]
        if not best or not self._strata(row, best):
            return {}
        drawn = np.array([sum(weight * self._resampled(cell) for weight, cell in self._strata(row, v)) for v in same])
        low, high = np.quantile(
            ranks(drawn.round(9)), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=1, method="inverted_cdf"
        )
        places = ranks(np.array([self.figure(row, v).score for v in same]).round(7))
        return {v: Rank(int(p), int(a), int(b)) for v, p, a, b in zip(same, places, low, high)}

    def detectable(self, row: str, variant: Variant, other: Variant) -> float | None:
        """The smallest true difference of the two that the queries would show, x 100; see `statistics.detectable`."""
        parts = self._parts(row, variant, other)
        return None if parts is None else 100 * detectable(parts)

    def against_first_stage(self, row: str) -> dict[Variant, Test]:
        """Every variant of a row against the first stage whose candidates it reranked."""
        if (row, FIRST_STAGE) not in self._tested:
            pairs = [(v, self.first_stage(row, v)) for v in self.board.variants if v.setting != FIRST_STAGE]
            self._tested[row, FIRST_STAGE] = self._tests(row, [(v, first) for v, first in pairs if first is not None])
        return self._tested[row, FIRST_STAGE]

    def against_best(self, row: str) -> dict[Variant, Test]:
        """Every other variant of a row against its best one."""
        if (row, "best") not in self._tested:
            best = self.best(row)
            pairs = [(v, best) for v in self.comparable(row) if best and v != best]
            self._tested[row, "best"] = self._tests(row, pairs)
        return self._tested[row, "best"]

    def against(self, row: str, other: Variant) -> dict[Variant, Test]:
        """Every other variant of a row against one."""
        key = row, label(other)
        if key not in self._tested:
            self._tested[key] = self._tests(row, [(v, other) for v in self.comparable(row) if v != other])
        return self._tested[key]

    def best(self, row: str) -> Variant | None:
        """The comparable variant with the highest score; of equal ones the cheapest. None where nothing was run."""
        figures = {v: self.figure(row, v) for v in self.comparable(row)}
        return max(figures, key=lambda v: (figures[v].score, -(figures[v].flops or 0.0)), default=None)

    def comparable(self, row: str) -> list[Variant]:
        """The variants of a row that were run and are partial in the same way: whole ones if there are any."""
        run = {v: f.partial for v in self.board.variants if (f := self.figure(row, v)).score is not None}
        kind = () if () in run.values() else Counter(run.values()).most_common(1)[0][0] if run else ()
        return [v for v, partial in run.items() if partial == kind]

    def first_stage(self, row: str, variant: Variant) -> Variant | None:
        """The first stage with the same candidates in every cell; None where there is none."""
        wanted = _candidates(self.figure(row, variant))
        for other in self.board.variants:
            if other.setting == FIRST_STAGE and wanted and _candidates(self.figure(row, other)) == wanted:
                return other
        return None

    def _tests(self, row: str, pairs: Sequence[tuple[Variant, Variant]]) -> dict[Variant, Test]:
        differences = [(a, b, d) for a, b in pairs if (d := self._differences(row, a, b)) is not None]
        resamples = max(RESAMPLES, 40 * len(differences) - 1)
        adjusted = CORRECTIONS[self.correction]([randomisation_test(d, resamples=resamples) for _, _, d in differences])
        return {a: Test(b, 100 * float(d.sum()), p) for (a, b, d), p in zip(differences, adjusted, strict=True)}

    def _differences(self, row: str, a: Variant, b: Variant) -> np.ndarray | None:
        """Those of `_parts`, in a row."""
        parts = self._parts(row, a, b)
        return None if parts is None else np.concatenate(parts)

    def _parts(self, row: str, a: Variant, b: Variant) -> list[np.ndarray] | None:
        """Weighted differences by query and dataset, their sum being that of the means; None where queries differ."""
        left, right = self._strata(row, a), self._strata(row, b)
        if not left or len(left) != len(right):
            return None
        other = {cell.manifest.dataset: cell for _, cell in right}
        parts = []
        for weight, cell in left:
            mine, match = self.values(cell), other.get(cell.manifest.dataset)
            theirs = self.values(match) if match else None
            if mine is None or theirs is None or mine.queries != theirs.queries:
                return None
            parts.append((mine.values - theirs.values).round(9) * weight / len(mine.queries))
        return parts

    def _strata(self, row: str, variant: Variant) -> list[tuple[float, Cell]]:
        """Cells with their weights, which sum to 1; empty when the figure is not run or a cell's values are unknown."""
        if self.figure(row, variant).score is None:
            return []
        rows = [r for r in self.board.rows if row in (MEAN, r.name)]
        named = [(r.name, r.members) for r in rows] or [(row, ())]  # a member of a group has no row of its own
        strata = []
        for name, members in named:
            cells = [c for m in members or (name,) for c in self.board.figure(m, variant).cells]
            if not cells:
                return []
            strata += [(1 / len(named) / len(cells), cell) for cell in cells]
        return strata if all(self.values(cell) for _, cell in strata) else []

    def _resampled(self, cell: Cell) -> np.ndarray:
        """Means of `DRAWS` bootstrap samples, as fractions; the draws depend on the dataset and its queries only."""
        key = str(cell.path)
        if key not in self._draws:
            by_query = self.values(cell)
            assert by_query is not None
            n, values = len(by_query.queries), by_query.values
            rng = np.random.default_rng(zlib.crc32("\n".join((cell.manifest.dataset, *by_query.queries)).encode()))
            step = max(1, _CHUNK // n)
            sizes = [min(step, DRAWS - start) for start in range(0, DRAWS, step)]
            self._draws[key] = np.concatenate([values[rng.integers(0, n, (size, n))].mean(1) for size in sizes])
        return self._draws[key]


def _read(cell: Cell, metric: str) -> Values | None:
    try:
        frame = cell.per_query()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as err:
        raise InputError(f"{cell.path / 'per_query.parquet'}: cannot be read: {one_line(err)}") from err
    if metric not in frame.columns or frame.empty or frame[metric].isna().any():
        return None
    frame = frame.sort_values("query_id")
    return Values(tuple(frame["query_id"].astype(str)), frame[metric].to_numpy(dtype=np.float64))


def _candidates(figure: Figure) -> dict[str, Any]:
    """Dataset -> hash of the candidates; empty where a cell does not say."""
    hashes = {cell.manifest.dataset: cell.manifest.identity_parts.get("candidates") for cell in figure.cells}
    return hashes if all(hashes.values()) else {}
