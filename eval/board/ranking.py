"""Where each variant stands among the others, how sure that is, and how much of it hangs on unjudged passages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...rerankers.errors import InputError, suggest
from ..metrics.measures import JUDGED_ONLY, parse_metric
from ..results import FIRST_STAGE, Cell, with_metric
from ..text.tabular import Tabular
from .evidence import Evidence, Interval, Rank, Test
from .frontier import MEAN, label, names
from .pivot import Board, Variant, pivot

FEWER_JUDGED, MORE_GAIN = 5.0, 1.0  # points; what is told


@dataclass(frozen=True)
class Standing:
    """One variant on a row of the table or on the mean. Scores are x 100, None where they cannot be known.

    Attributes:
        rank: among those with the best one's queries.
        best: against the best variant; None for the best itself and where it was not tested.
        detectable: the smallest true difference to the best that the queries would show, with probability 0.8.
        judged: share of judged passages among the first that the metric looks at.
        condensed: the metric over judged passages only; None where every judged passage is relevant, for then every
            such list is perfect.
    """

    variant: Variant
    score: float
    interval: Interval | None
    rank: Rank | None
    best: Test | None
    detectable: float | None
    judged: float | None
    condensed: float | None


class Standings(Tabular, list[Standing]):
    """Variants by score; the frame has one row each."""

    COLUMNS = (
        "model",
        "setting",
        "run",
        "score",  # the metric x 100
        "low",  # 95 % interval
        "high",
        "rank",
        "rank_low",  # 95 % interval of the rank
        "rank_high",
        "to_best",  # difference to the best, x 100
        "p",  # of that difference, corrected
        "detectable",
        "judged",
        "condensed",
    )

    def records(self) -> Iterator[tuple[Any, ...]]:
        """See `Tabular.records`."""
        for one in self:
            v, rank = one.variant, one.rank
            yield (
                *(v.model, v.setting, v.origin or None, one.score),
                *((one.interval.low, one.interval.high) if one.interval else (None, None)),
                *((rank.place, rank.low, rank.high) if rank else (None, None, None)),
                *((one.best.difference, one.best.p) if one.best else (None, None)),
                *(one.detectable, one.judged, one.condensed),
            )


def standings(cells: Sequence[Cell], metric: str, row: str | None, correction: str) -> tuple[str, Standings]:
    """The name of the row (a dataset, a group or `mean`; None: the mean, or the only row), and its variants by score.

    Raises InputError as `pivot` does, and for a row that is not there.
    """
    cells = with_metric(cells, metric)
    board = pivot(cells, metric)
    row = row or _overall(board)
    known = [*names(board), *(member for each in board.rows for member in each.members)]
    if row not in known:
        raise InputError(f"dataset '{row}': is not among the results{suggest(row, known)}")
    evidence = Evidence(board, correction)
    judged = _other(cells, judged_name(metric))
    condensed = _other(cells, condensed_name(metric)) if _not_relevant(cells) else None
    ranks, tests, top = evidence.ranks(row), evidence.against_best(row), evidence.best(row)
    ranked = []
    for variant in evidence.comparable(row):
        score = evidence.figure(row, variant).score
        assert score is not None, "comparable variants were run"
        ranked.append(
            Standing(
                variant,
                score,
                evidence.interval(row, variant),
                ranks.get(variant),
                tests.get(variant),
                evidence.detectable(row, variant, top) if top and variant != top else None,
                _score(judged, row, variant),
                _score(condensed, row, variant),
            )
        )
    return row, Standings(sorted(ranked, key=lambda one: -one.score))


def warnings(ranked: Sequence[Standing], metric: str) -> list[str]:
    """Variants with fewer judged passages than their first stage, and more gain when only judged ones count."""
    first = next((one for one in ranked if one.variant.setting == FIRST_STAGE), None)
    if first is None or first.judged is None or first.condensed is None:
        return []
    lines = []
    for one in ranked:
        if one.judged is None or one.condensed is None:
            continue
        gain, judged_gain = one.score - first.score, one.condensed - first.condensed
        if one.judged <= first.judged - FEWER_JUDGED and judged_gain >= gain + MORE_GAIN:
            lines.append(
                f"{label(one.variant)}: {one.judged:.0f} % of its first passages are judged, {first.judged:.0f} % of "
                f"the first stage's. It gains {gain:+.2f} by {metric}, where unjudged passages count as not relevant, "
                f"and {judged_gain:+.2f} by {condensed_name(metric)}"
            )
    return lines


def judged_name(metric: str) -> str:
    """`Judged@10` for a metric of the first ten."""
    return f"Judged@{parse_metric(metric).cutoff or 10}"


def condensed_name(metric: str) -> str | None:
    """The metric over judged passages only; None where there is no such metric."""
    asked = parse_metric(metric)
    known = [parameter.name for parameter in asked.measure.parameters]
    if JUDGED_ONLY.name not in known:
        return None
    given = dict(asked.parameters) | {JUDGED_ONLY.name: True}
    inner = ", ".join(f"{name}={given[name]!r}" for name in known if name in given)
    return f"{asked.base}({inner})" + (f"@{asked.cutoff}" if asked.cutoff else "")


def _other(cells: Sequence[Cell], metric: str | None) -> Board | None:
    if metric is None:
        return None
    cells = with_metric(cells, metric)
    return pivot(cells, metric) if any(metric in cell.manifest.metrics for cell in cells) else None


def _not_relevant(cells: Sequence[Cell]) -> bool:
    """Whether all stored judgements name passages that are not relevant, too."""
    judged = [qrels for cell in cells if cell.manifest.setting == FIRST_STAGE and (qrels := cell.qrels()) is not None]
    return bool(judged) and all(any(g <= 0 for grades in qrels.values() for g in grades.values()) for qrels in judged)


def _overall(board: Board) -> str:
    return board.rows[0].name if len(board.rows) == 1 else MEAN


def _score(board: Board | None, row: str, variant: Variant) -> float | None:
    if board is None:
        return None
    return (board.mean(variant) if row == MEAN else board.figure(row, variant)).score
