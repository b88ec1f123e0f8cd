"""Where the variants stand, as text and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from ..board.ranking import Standing, condensed_name, judged_name, warnings
from ..metrics.statistics import CORRECTION_NAMES
from ..text.aligned import listing


def to_text(row: str, ranked: Sequence[Standing], metric: str, correction: str) -> str:
    """One line per variant, the best first, then what to be careful about."""
    head = (
        "model",
        "setting",
        f"{metric} x 100",
        "95 % interval",
        "rank",
        "95 % of ranks",
        "to the best",
        f"p ({CORRECTION_NAMES[correction]})",
        "detectable",
        judged_name(metric),
        condensed_name(metric) or "",
    )
    lines = [listing(head, [_row(one) for one in ranked], right=range(2, 11))]
    if all(one.condensed is None for one in ranked):
        lines.append("condensed lists: not shown, where only relevant passages are judged they say nothing\n")
    lines += [f"warning: {text}\n" for text in warnings(ranked, metric)]
    return f"{row}\n" + "".join(lines) + _NOTES


def to_json(row: str, ranked: Sequence[Standing], metric: str, correction: str) -> dict[str, object]:
    """Everything, unrounded."""
    return {
        "row": row,
        "metric": metric,
        "correction": correction,
        "variants": [asdict(one) for one in ranked],
        "warnings": warnings(ranked, metric),
    }


def _row(one: Standing) -> tuple[str, ...]:
    interval = f"{one.interval.low:.2f} to {one.interval.high:.2f}" if one.interval else "–"
    places = f"{one.rank.low} to {one.rank.high}" if one.rank else "–"
    return (
        one.variant.model,
        " ".join(filter(None, (one.variant.setting, one.variant.origin))),
        f"{one.score:.2f}",
        interval,
        str(one.rank.place) if one.rank else "–",
        places,
        f"{one.best.difference:+.2f}" if one.best else "–",
        f"{one.best.p:.3g}" if one.best else "–",
        _number(one.detectable),
        _number(one.judged),
        _number(one.condensed),
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


_NOTES = (
    "intervals and ranks: bootstrap over queries; p: paired randomisation test against the best; detectable: the\n"
    "smallest true difference to the best that these queries would show at 5 % in 80 of 100 such sets\n"
)
