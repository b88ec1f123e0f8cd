"""What to choose, in words: from the frontier and its uncertainty, the ceiling, depth, latency and price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..board.costs import milliseconds, seconds_per_query, served_alone
from ..board.evidence import ALPHA, Evidence
from ..board.figures import Figure
from ..board.frontier import MEAN
from ..board.pivot import Variant
from ..board.prices import price_of, prices, usd_per_thousand_queries
from ..board.training import knows
from ..results import FIRST_STAGE
from ..text import units
from .options import Option, bargain, best_of
from .summary import cheapest_near, named


@dataclass(frozen=True)
class Advice:
    """One point: what it is about, and what the data say."""

    about: str
    text: str


def advise(evidence: Evidence, replayed: Sequence[Option]) -> list[Advice]:
    """Nothing where no variant was run on every row.

    `replayed` are the depths and cascades that stored scores allow, of the mean or of the only row, if any.
    """
    best = evidence.best(MEAN)
    if best is None:
        return []
    board = evidence.board
    options = [*_own_options(evidence), *replayed]
    top = best_of(options)
    better = top if round(top.score - (board.mean(best).score or 0.0), 7) > 0 else None
    advice = [_score(evidence, best) if better is None else _replayed(evidence, better, best)]
    advice += [None if better else _value(evidence, best), _bargain(options), _uncounted(options, top)]
    reranker = best if best.setting != FIRST_STAGE else _best_reranker(evidence)
    if reranker is not None:
        figure = board.mean(reranker)
        advice += [_headroom(reranker, figure), _time(reranker, figure), _known(reranker, figure)]
    return [one for one in advice if one is not None]


def _own_options(evidence: Evidence) -> list[Option]:
    """The variants of the board that can be compared."""
    options = []
    for variant in evidence.comparable(MEAN):
        figure = evidence.board.mean(variant)
        flops = 0.0 if variant.setting == FIRST_STAGE else figure.flops or None
        seconds = None if flops is not None else seconds_per_query(figure.cells)
        options.append(Option(named(variant), figure.score or 0.0, flops, seconds))
    return options


def _replayed(evidence: Evidence, top: Option, best: Variant) -> Advice:
    """A depth or a cascade scores more than every variant over all candidates."""
    cost = f"for {units.flops(top.flops)} per query" if top.flops else "at FLOPs that were not counted"
    whole = evidence.board.mean(best).score or 0.0
    if best.setting == FIRST_STAGE:
        other = f"Over all candidates no reranker improves on {named(best)} ({whole:.2f})."
    else:
        other = f"The best over all candidates is {named(best)} ({whole:.2f})."
    if top.p is None:
        sure = "Its difference to the first stage was not tested."
    elif top.p <= ALPHA:
        sure = f"It is significantly above the first stage (corrected p {_p(top.p)})."
    else:
        sure = f"It is not significantly above the first stage (corrected p {_p(top.p)}): no gain is shown."
    text = f"{top.name}: {top.score:.2f}, {cost}. {sure} {other} It is chosen on these very queries."
    return Advice("If only the score counts", text)


def _p(p: float) -> str:
    return f"= {p:.3f}" if p >= 0.0005 else "< 0.001"


def _bargain(options: Sequence[Option]) -> Advice | None:
    """What keeps most of the gain for the least of the cost, for whoever pays for each query."""
    best_buy = bargain(options)
    if best_buy is None:
        return None
    counted = [o for o in options if o.flops is not None]
    start, top = max(o.score for o in counted if not o.flops), best_of(counted)
    flops = best_buy.flops or 0.0
    gain, cost = (best_buy.score - start) / (top.score - start), flops / (top.flops or 1.0)
    text = (
        f"{best_buy.name}: {best_buy.score:.2f} for {units.flops(flops)} per query. For whoever pays for each query: "
        f"{100 * gain:.0f} % of the gain over the first stage ({start:.2f}) that {top.name} has "
        f"({top.score:.2f} for {units.flops(top.flops or 0.0)}), for {100 * cost:.0f} % of its FLOPs."
    )
    return Advice("The best bargain", text)


def _uncounted(options: Sequence[Option], top: Option) -> Advice | None:
    """Those that no comparison by FLOPs can have."""
    absent = [o for o in options if o.flops is None]
    if not absent:
        return None
    best = best_of(absent)
    time = "time not measured" if best.seconds is None else f"{milliseconds(best.seconds)} forward over all candidates"
    rank = "the best of all" if best.name == top.name else f"{top.score - best.score:.2f} below the best"
    text = f"FLOPs were not counted for all; of those, {best.name} has {best.score:.2f} ({time}): {rank}."
    return Advice("Not placed by cost", text)


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
    text = f"{named(variant)} was trained on data of {count} of these {len(said)} datasets; see its zero-shot mean."
    return Advice("Trained on the test?", text)
