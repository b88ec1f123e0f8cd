"""What to choose, in words: from the frontier and its uncertainty, the ceiling, depth, latency and price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..board.costs import milliseconds, served_alone
from ..board.evidence import Evidence
from ..board.figures import Figure
from ..board.frontier import MEAN, Point
from ..board.pivot import Variant
from ..board.prices import price_of, prices, usd_per_thousand_queries
from ..board.training import knows
from ..results import FIRST_STAGE
from ..text import units
from .summary import cheapest_near, named


@dataclass(frozen=True)
class Advice:
    """One point: what it is about, and what the data say."""

    about: str
    text: str


def advise(evidence: Evidence, depths: Sequence[Point]) -> list[Advice]:
    """Nothing where no variant was run on every row. `depths` are points of the mean over setting and depth, if any."""
    best = evidence.best(MEAN)
    if best is None:
        return []
    board = evidence.board
    found = [_score(evidence, best), _value(evidence, best)]
    reranker = best if best.setting != FIRST_STAGE else _best_reranker(evidence)
    if reranker is not None:
        figure = board.mean(reranker)
        found += [_headroom(reranker, figure), _depth(reranker, figure, depths)]
        found += [_time(reranker, figure), _known(reranker, figure)]
    return [one for one in found if one is not None]


def _score(evidence: Evidence, best: Variant) -> Advice:
    figure, interval = evidence.board.mean(best), evidence.interval(MEAN, best)
    ends = f" (95 % interval {interval.low:.2f} to {interval.high:.2f})" if interval else ""
    score = f"{figure.score:.2f}{ends}"
    if best.setting == FIRST_STAGE:
        return Advice("If only the score counts", f"Do not rerank with these models: {named(best)} alone has {score}.")
    cost = f", for {units.flops(figure.flops)} per query" if figure.flops else ""
    rank = evidence.ranks(MEAN).get(best)
    places = "1" if rank and rank.high == 1 else f"1 to {rank.high}" if rank else ""
    sure = f" In 95 of 100 samples of the queries its rank is {places}." if rank else ""
    return Advice("If only the score counts", f"{named(best)}: {score}{cost}.{sure}")


def _value(evidence: Evidence, best: Variant) -> Advice | None:
    near = cheapest_near(evidence)
    if near is None or best.setting == FIRST_STAGE:
        return None
    spent, cost = evidence.board.mean(best).flops, evidence.board.mean(near).flops
    test = evidence.against_best(MEAN)[near]
    least = evidence.detectable(MEAN, near, best)
    hidden = f" These queries would show a difference of {least:.2f} or more." if least else ""
    gap = f"{test.difference:+.2f}".replace("-", "\N{MINUS SIGN}")
    if near.setting == FIRST_STAGE:
        text = f"{named(near)}, that is no reranking: its difference of {gap} to the best is not significant.{hidden}"
        return Advice("If cost counts, too", text)
    if not spent or not cost or cost >= spent:
        return None
    text = f"{named(near)}: {gap}, not significant, for {100 * (1 - cost / spent):.0f} % fewer FLOPs.{hidden}"
    return Advice("If cost counts, too", text)


def _best_reranker(evidence: Evidence) -> Variant | None:
    scores = {v: evidence.board.mean(v).score or 0.0 for v in evidence.comparable(MEAN) if v.setting != FIRST_STAGE}
    return max(scores, key=lambda v: scores[v], default=None)


def _headroom(variant: Variant, figure: Figure) -> Advice | None:
    limit = figure.limit
    if limit is None or figure.headroom is None:
        return None
    if figure.headroom < 0:
        taken = f"{named(variant)} loses against the first stage, which has {limit.first:.2f}"
    else:
        taken = (
            f"{named(variant)} takes {figure.headroom:.0f} % of what these candidates offer beyond {limit.first:.2f}"
        )
    missing = f"{100 - limit.recall:.1f} % of the relevant passages are not among them: that is for the retriever"
    return Advice("What is left", f"{taken}; the best order of the candidates has {limit.ceiling:.2f}. {missing}.")


def _depth(variant: Variant, figure: Figure, depths: Sequence[Point]) -> Advice | None:
    mine = [p for p in depths if (p.variant.model, p.variant.setting) == (variant.model, variant.setting)]
    better = [p for p in mine if figure.score is not None and figure.flops and p.flops < figure.flops]
    better = [p for p in better if p.score >= (figure.score or 0.0)]
    if not better:
        return None
    least = min(better, key=lambda p: p.flops)
    told = (
        f"{named(variant)} on the {least.variant.origin} alone has {least.score:.2f} for {units.flops(least.flops)} "
        f"per query, no less than {figure.score:.2f} for {units.flops(figure.flops or 0.0)} on all candidates. "
        "The depth is chosen on these very queries."
    )
    return Advice("How deep", told)


def _time(variant: Variant, figure: Figure) -> Advice | None:
    parts = []
    middle, high = served_alone(figure, "p50"), served_alone(figure, "p95")
    if middle is not None:
        parts.append(
            f"one query takes {milliseconds(middle)}" + (f", {milliseconds(high)} in 5 of 100" if high else "")
        )
    usd = usd_per_thousand_queries(figure.cells)
    price = price_of(figure.cells[0], prices()) if figure.cells else None
    if usd is not None and price is not None:
        parts.append(f"1,000 queries cost {units.usd(usd)} at {price.told} ({price.date})")
    return Advice("Time and money", f"{named(variant)}: {'; '.join(parts)}.") if parts else None


def _known(variant: Variant, figure: Figure) -> Advice | None:
    said = [knows(cell) for cell in figure.cells]
    if "not disclosed" in said:
        return Advice("Trained on the test?", f"{named(variant)}: its training data are not disclosed.")
    count = sum(word == "in-domain" for word in said)
    if not count:
        return None
    told = f"{named(variant)} was trained on data of {count} of these {len(said)} datasets; see its zero-shot mean."
    return Advice("Trained on the test?", told)
