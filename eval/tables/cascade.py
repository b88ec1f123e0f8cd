"""What cascades came to, as text and JSON."""

from __future__ import annotations

from collections.abc import Sequence

from ..replay.cascade import Options
from ..replay.choice import Choice, Chosen, frontier
from ..replay.depth import depths_of
from ..replay.order import Gains, first_order, rerank
from ..text import units
from ..text.aligned import listing, paragraph

FRONTIER = 12  # plans shown


def to_text(options: Options, choices: Sequence[Choice], metric: str) -> str:
    """One line per budget and family, then the frontier over all queries."""
    pool = options.pool
    families = (family for choice in choices for family in (choice.single, choice.depth, choice.cascade) if family)
    splits = next((len(chosen.scores) for chosen in families), 0)
    start = options.first.mean()
    head = paragraph(
        f"{pool.dataset}: {len(options.plans):,} plans over the top {pool.depth} of {pool.first.manifest.model} "
        f"({100 * start:.2f}), chosen on one half of {len(pool.queries):,} queries, shown on the other, "
        f"mean of {splits} splits"
    )
    rows = []
    for choice in choices:
        budget = units.flops(choice.budget)
        for name, chosen in (("single", choice.single), ("depth", choice.depth), ("cascade", choice.cascade)):
            if chosen is None:
                rows.append((budget, name, "–", "–", "–", "nothing within the budget"))
            else:
                below = "" if chosen.score >= choice.first else f", below the first stage ({choice.first:.2f})"
                often = f"{chosen.plan.name(pool)} ({chosen.times} of {splits}){below}"
                against = "" if name == "single" else _against(chosen, choice.single)
                rows.append((budget, name, f"{chosen.score:.2f}", units.flops(chosen.flops), against, often))
            budget = ""
    titles = ("budget", "family", f"{metric} x 100", "FLOPs/query", "above/equal/below single", "chosen most often")
    return head + listing(titles, rows, right=(0, 2, 3)) + _frontier(options, metric) + _left_out(options, metric)


def _left_out(options: Options, metric: str) -> str:
    """A line for each variant that no plan has, and what it scores by itself at its best depth."""
    pool, lines = options.pool, []
    for scores in options.left_out:
        m = scores.cell.manifest
        of, order = Gains(pool, metric), first_order(pool)
        best, depth = max((float(of(rerank(pool, order, d, scores)).mean()), -d) for d in depths_of(pool))
        alone = f"best alone on the top {-depth}: {100 * best:.2f}"
        lines.append(f"FLOPs not counted, so in no plan: {m.model} {m.setting}, {alone}\n")
    return "".join(lines)


def _against(chosen: Chosen, single: Chosen | None) -> str:
    if single is None:
        return "–"
    above, equal, below = wins(chosen, single)
    return f"{above}/{equal}/{below}  {chosen.score - single.score:+.2f}"


def wins(chosen: Chosen, other: Chosen) -> tuple[int, int, int]:
    """Splits in which the one is above, equal to and below the other on the half that did not choose."""
    gaps = [round(a - b, 7) for a, b in zip(chosen.scores, other.scores)]
    return sum(gap > 0 for gap in gaps), sum(gap == 0 for gap in gaps), sum(gap < 0 for gap in gaps)


def _frontier(options: Options, metric: str) -> str:
    places = frontier(options)
    step = max(1, -(-len(places) // FRONTIER))
    shown = sorted({*places[::step], *places[-1:]}, key=places.index)
    rows = [("no reranking", f"{100 * options.first.mean():.2f}", units.flops(0))]
    rows += [
        (
            options.plans[i].name(options.pool),
            f"{100 * options.values[i].mean():.2f}",
            units.flops(options.flops[i].mean()),
        )
        for i in shown
    ]
    if not places:
        return f"no plan scores more than the first stage alone ({100 * options.first.mean():.2f}): do not rerank\n"
    head = f"frontier over all queries, to which it is fitted ({len(shown)} of {len(places)} plans shown)\n"
    return head + listing(("plan", f"{metric} x 100", "FLOPs/query"), rows, right=(1, 2))


def to_json(options: Options, choices: Sequence[Choice]) -> dict[str, object]:
    """Everything, unrounded; scores x 100."""
    pool = options.pool

    def chosen(one: Chosen | None) -> dict[str, object] | None:
        if one is None:
            return None
        return {
            "plan": one.plan.name(pool),
            "times": one.times,
            "score": one.score,
            "flops_per_query": one.flops,
            "scores": list(one.scores),
        }

    return {
        "dataset": pool.dataset,
        "first_stage": pool.first.manifest.model,
        "first_stage_score": 100 * float(options.first.mean()),
        "queries": len(pool.queries),
        "plans": len(options.plans),
        "left_out": [f"{s.cell.manifest.model} {s.cell.manifest.setting}" for s in options.left_out],
        "choices": [
            {"budget": c.budget, "single": chosen(c.single), "depth": chosen(c.depth), "cascade": chosen(c.cascade)}
            for c in choices
        ],
        "frontier": [
            {
                "plan": options.plans[i].name(pool),
                "score": 100 * float(options.values[i].mean()),
                "flops_per_query": float(options.flops[i].mean()),
            }
            for i in frontier(options)
        ],
    }
