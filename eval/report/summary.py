"""What the data support, in sentences: no more than that."""

from __future__ import annotations

from dataclasses import dataclass

from ..board.evidence import DRAWS, RESAMPLES, Evidence, Interval, Test
from ..board.frontier import MEAN, label
from ..board.pivot import Board, Variant
from ..metrics.statistics import CORRECTION_NAMES
from ..results import FIRST_STAGE
from ..text import units

_FEW = 50  # queries; fewer leave intervals too wide for a choice


@dataclass(frozen=True)
class Summary:
    """The finding, and what limits it."""

    finding: str
    limits: tuple[str, ...]


def summarise(evidence: Evidence) -> Summary:
    """The best variant by the mean over rows, its cost, and the cheapest one that is not significantly below it."""
    board = evidence.board
    complete = evidence.comparable(MEAN)
    if not complete:
        finding = (
            f"Insufficient: no variant was run on all {_rows(board)}, so there is no mean to compare by. "
            "The table shows what there is."
        )
        return Summary(finding, tuple(_limits(evidence, complete)))
    best = evidence.best(MEAN)
    assert best is not None
    several = len(board.rows) > 1
    where = f"mean {board.metric} over" if several else f"{board.metric} on"
    where = f"{where} {_rows(board) if several else _isolated(board.rows[0].name)}"
    figure = f"{where}: {_score(evidence, best)}"
    if len(complete) == 1:
        finding = f"Only one variant can be ranked, {named(best)}, with {figure}: there is nothing to compare it with."
    elif best.setting == FIRST_STAGE:
        finding = f"Over all candidates no reranker improves on the first stage: {named(best)} alone has the highest "
        finding += f"{figure}."
        finding += _others(evidence)
    else:
        finding = f"{named(best)} has the highest {figure}, at {_cost(evidence, best)}."
        finding += _cheaper(evidence, best)
    if board.mean(best).partial:
        finding = f"A partial run, which does not stand for its datasets. {finding}"
    return Summary(finding, tuple(_limits(evidence, complete)))


def cheapest_near(evidence: Evidence) -> Variant | None:
    """The cheapest variant with counted FLOPs that is not significantly below the best one; a first stage is free."""
    near = [v for v, test in evidence.against_best(MEAN).items() if not test.sign]
    costs = {v: 0.0 if v.setting == FIRST_STAGE else evidence.board.mean(v).flops for v in near}
    known = {v: cost for v, cost in costs.items() if cost is not None}
    return min(known, key=lambda v: (known[v], -(evidence.board.mean(v).score or 0))) if known else None


def _others(evidence: Evidence) -> str:
    scores = {v: evidence.board.mean(v).score or 0.0 for v in evidence.comparable(MEAN) if v.setting != FIRST_STAGE}
    if not scores:
        return ""
    top = max(scores, key=lambda v: scores[v])
    test = evidence.against_best(MEAN).get(top)
    text = f" The best reranker is {named(top)} with {scores[top]:.2f}, at {_cost(evidence, top)}"
    if test is None:
        return f"{text}; the two were not tested, for they do not share their queries."
    verdict = "significantly below it" if test.sign else "not significantly different from it"
    return f"{text}: {verdict} ({_gap(test, evidence.difference_interval(MEAN, top, test.against))})."


def _cheaper(evidence: Evidence, best: Variant) -> str:
    tests = evidence.against_best(MEAN)
    spent = evidence.board.mean(best).flops
    if not tests:
        return " Its lead was not tested: the other variants do not share its queries."
    near = cheapest_near(evidence)
    if near is None:
        return f" It is significantly above each of the {len(tests)} other variants that share its queries."
    test, gap = tests[near], evidence.difference_interval(MEAN, near, best)
    if near.setting == FIRST_STAGE:
        return f" But the first stage ({_gap(test, gap)}) is not significantly below it: no gain by reranking is shown."
    cost = evidence.board.mean(near).flops
    if spent is not None and cost is not None and cost >= spent:
        return " Every cheaper variant with a counted cost is significantly below it."
    saving = f", {100 * (1 - cost / spent):.0f} % less" if spent and cost else ""
    return (
        f" The cheapest variant that is not significantly below it is {named(near)}, "
        f"at {_cost(evidence, near)}{saving} ({_gap(test, gap)}). Not significantly different does not mean equal."
    )


def _gap(test: Test, interval: Interval | None) -> str:
    ends = f", 95 % interval {interval.low:+.2f} to {interval.high:+.2f}" if interval else ""
    p = f"= {test.p:.3f}" if test.p >= 0.0005 else "< 0.001"
    return f"difference {test.difference:+.2f}{ends}; corrected p {p}".replace("-", "\N{MINUS SIGN}")


def _score(evidence: Evidence, variant: Variant) -> str:
    score, interval = evidence.board.mean(variant).score, evidence.interval(MEAN, variant)
    ends = f" (95 % interval {interval.low:.2f} to {interval.high:.2f})" if interval else ""
    return f"{score:.2f}{ends}"


def _cost(evidence: Evidence, variant: Variant) -> str:
    flops = evidence.board.mean(variant).flops
    return f"{units.flops(flops)} per query" if flops else "a cost that was not counted"


def _limits(evidence: Evidence, complete: list[Variant]) -> list[str]:
    board = evidence.board
    limits = []
    partial = sorted({reason for figure in board.figures.values() for reason in figure.partial})
    if partial:
        limits.append(f"Partial: some figures do not stand for their dataset ({_list(partial)}).")
    others = [v for v in board.variants if v not in complete]
    absent = [named(v) for v in others if board.mean(v).score is None and board.mean(v).have]
    if absent and complete:
        limits.append(f"Not run everywhere, so without a mean and left out of this sentence: {_list(absent)}.")
    unlike = [named(v) for v in others if board.mean(v).score is not None]
    if unlike:
        limits.append(f"Partial in another way than the best, so not ranked with it: {_list(unlike)}.")
    cells = {str(cell.path): cell for figure in board.figures.values() for cell in figure.cells}
    if any(cell.manifest.dataset.startswith("builtin/") for cell in cells.values()):
        limits.append("The builtin/ collections are a demonstration, not a benchmark.")
    sizes = {cell.manifest.dataset: cell.manifest.counts.queries for cell in cells.values()}
    small = [_isolated(name) for name, size in sizes.items() if size < _FEW]
    if small:
        limits.append(f"Fewer than {_FEW} queries in {_list(small)}: small differences there cannot be seen.")
    if complete and not evidence.against_best(MEAN) and len(complete) > 1:
        limits.append("No test was possible: values by query are absent or the variants have different queries.")
    return limits


def _rows(board: Board) -> str:
    groups = sum(bool(row.members) for row in board.rows)
    return f"{len(board.rows)} datasets{' (a group counting once)' if groups else ''}"


def named(variant: Variant) -> str:
    """A variant in a sentence."""
    return _isolated(label(variant))


def _isolated(name: str) -> str:
    """A name that may run from right to left leaves the sentence around it in order."""
    return name if name.isascii() else f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}"


def _list(names: list[str], most: int = 4) -> str:
    shown = names if len(names) <= most else [*names[:most], f"{len(names) - most} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def method(correction: str) -> str:
    """How intervals and tests were made."""
    return (
        "Tests are paired randomisation tests over queries, two-sided (Smucker et al. 2007; exact for few queries, "
        f"else {RESAMPLES:,} draws or more), {CORRECTION_NAMES[correction]}-corrected within each column, at 5 %. "
        f"Intervals hold 95 % of {DRAWS:,} bootstrap means over queries drawn within datasets."
    )
