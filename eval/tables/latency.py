"""One measurement of latency as text."""

from __future__ import annotations

from ..board.costs import milliseconds
from ..results.latency import Latency, Spread
from ..text.aligned import listing


def to_text(latency: Latency) -> str:
    """What was measured, then percentiles by clients and phase."""
    threads = f", {latency.threads} threads" if latency.threads and not latency.device.startswith("cuda") else ""
    one = latency.served[0]
    lines = [
        f"{latency.model} {latency.setting} on {latency.device_name} ({latency.dtype}{threads}), "
        f"{latency.candidates} candidates",
        f"texts: {latency.source}; {one.tokens:,.0f} tokens a query, {100 * one.kept:.0f} % of them not computed again",
        f"time to first use: {milliseconds(latency.load_seconds)} to load, "
        f"{milliseconds(latency.first_seconds)} for the first query; {latency.warmup} more to warm up",
        "",
    ]
    rows = []
    for one in latency.served:
        for name, spread in (("latency", one.total), *one.phases.items()):
            if name != "wait" or one.clients > 1:
                clients = f"{one.clients} client{'s' * (one.clients > 1)}" if name == "latency" else ""
                rows.append((clients, name if name == "latency" else f"  {name}", *_row(spread)))
    head = ("", "of one query", "p50", "p95", "p99", "mean", "longest")
    queries = latency.served[0].queries
    note = f"{queries} queries; the model answers one at a time, a client asks again when it has its answer\n"
    return "\n".join(lines) + listing(head, rows, right=range(2, 7)) + note


def _row(spread: Spread) -> tuple[str, ...]:
    return tuple(
        "too few" if x is None else milliseconds(x)
        for x in (spread.p50, spread.p95, spread.p99, spread.mean, spread.longest)
    )
