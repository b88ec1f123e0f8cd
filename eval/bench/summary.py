"""Rounds in, figures out: medians, ratios round by round, agreement of the scores."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from .rounds import OURS, Contender


def summarise(engines: Sequence[Contender], pairs: int) -> list[dict[str, Any]]:
    """Return one record per engine. What an engine cannot measure is None, never 0.

    Keys: `pairs_per_second` and `tokens_per_second` (tokens of the pairs, unpadded and unshared, the same for all),
    `saving_realised`: share of time saved over share of FLOPs saved, against the first engine,
    `padded_share` of the tokens that entered the model, `entered_tokens` (peers: warm-up passes too), `tflops`,
    `share_of_peak`, `peak_memory_bytes`, `ratio` to the first engine's seconds (median, minimum and maximum over
    rounds), `grid` and the `point` of it that was chosen, `score_difference` (largest) and `rank_correlation` against
    the first engine's scores, and whether that means something (`comparable`: the same setting), `refused`: places of
    the grid that the engine could not run at, with its reason.
    """
    first = engines[0]
    pair_tokens = next((r["pair_tokens"] for e in engines for r in e.rounds if "pair_tokens" in r), None)
    records = []
    for engine in engines:
        seconds = [r["seconds"] for r in engine.rounds]
        ratios = [r["seconds"] / f["seconds"] for r, f in zip(engine.rounds, first.rounds)]
        last, typical = engine.rounds[-1], median(seconds)
        flops, peaks = last.get("flops"), [r["peak_tflops"] for r in engine.rounds if r.get("peak_tflops")]
        tflops = flops / typical / 1e12 if flops else None
        shares = [r["flops"] / r["seconds"] / 1e12 / r["peak_tflops"] for r in engine.rounds if r.get("peak_tflops")]
        records.append(
            {
                "engine": engine.name,
                "kind": engine.kind,
                "seconds": seconds,
                "pairs_per_second": pairs / typical,
                "tokens_per_second": pair_tokens / typical if pair_tokens else None,
                "entered_tokens": last["tokens"],
                "padded_share": last["padded"] / last["tokens"] if last["tokens"] else None,
                "shared_tokens": last.get("shared"),
                "flops": flops,
                "tflops": tflops,
                "peak_tflops": median(peaks) if peaks else None,
                "share_of_peak": median(shares) if shares else None,
                "peak_memory_bytes": max(r["peak_memory_bytes"] for r in engine.rounds),
                "saving_realised": _compute_realised(first.rounds, engine.rounds),
                "ratio": {"median": median(ratios), "min": min(ratios), "max": max(ratios)},
                # another setting has other scores
                "comparable": engine is not first
                and engine.options.get("settings") in (None, first.options.get("settings")),
                **_compare_scores(first.scores, engine.scores),
                "versions": engine.versions,
                "grid": engine.grid,
                "point": engine.point,
                "refused": engine.refused,
            }
        )
    return records


def _compute_realised(full: Sequence[dict[str, Any]], cut: Sequence[dict[str, Any]]) -> float | None:
    """Return the median over rounds of (share of time saved) / (share of executed FLOPs saved), or None."""
    pairs = [(f, c) for f, c in zip(full, cut) if c.get("flops") and c["flops"] < 0.99 * f["flops"]]
    return (
        median((1 - c["seconds"] / f["seconds"]) / (1 - c["flops"] / f["flops"]) for f, c in pairs) if pairs else None
    )


def _compare_scores(scores: Sequence[float], peer_scores: Sequence[float]) -> dict[str, float]:
    from scipy.stats import rankdata

    a, b = np.asarray(scores), np.asarray(peer_scores)
    correlation = np.corrcoef(rankdata(a), rankdata(b))[0, 1] if len(a) > 1 else 1.0  # Spearman's
    return {"score_difference": float(np.abs(a - b).max()), "rank_correlation": float(correlation)}


def markdown(result: dict[str, Any]) -> str:
    """Return the table of one benchmark, with what is needed to repeat it."""
    work = result["workload"]
    lines = [
        f"**{result['shape']}**, {result['setting']}, {result['dtype']}, {result['device']}, "
        f"{result['threads']} threads; {result['pairs']} pairs (query {work['query_tokens']} tokens, passages "
        f"lognormal, mean {work['passage_mean']:g}, sigma {work['sigma']:g}), {result['rounds']} alternating rounds.",
        "",
        "| engine | runs with | pairs/s | tokens/s | padded | TFLOP/s | share of peak | peak memory "
        "| time / ours (min–max) | time saved / FLOPs saved | largest score difference |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for r in result["engines"]:
        ratio = r["ratio"]
        cells = [
            r["engine"],
            place_of(r["point"]) or "–",
            f"{r['pairs_per_second']:.2f}",
            _or_not(r["tokens_per_second"], "{:.0f}"),
            _or_not(r["padded_share"], "{:.0%}"),
            _or_not(r["tflops"], "{:.3f}"),
            _or_not(r["share_of_peak"], "{:.2f}"),
            f"{r['peak_memory_bytes'] / 2**30:.2f} GiB",
            "1"
            if r["kind"] == OURS and ratio["min"] == ratio["max"] == 1
            else f"{ratio['median']:.2f} ({ratio['min']:.2f}–{ratio['max']:.2f})",
            "–" if r["saving_realised"] is None else f"{r['saving_realised']:.2f}",
            f"{r['score_difference']:.1e}" if r["comparable"] else "–",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    versions = "; ".join(
        f"{r['engine']}: {', '.join(f'{k} {v}' for k, v in r['versions'].items())}" for r in result["engines"]
    )
    grids = [f"{r['engine']}: {axes_of(r['grid'])}" for r in result["engines"] if len(r["grid"]) > 1]
    tried = [f"Grids, tried before the rounds on every second pair: {'; '.join(grids)}."] if grids else []
    tried += [
        f"{r['engine']} cannot run with {place_of(n['point'])}: {n['why']}."
        for r in result["engines"]
        for n in r["refused"]
    ]
    return "\n".join([*lines, "", *tried, f"Versions: {versions}. Command: `{result['command']}`."])


def place_of(point: dict[str, Any]) -> str:
    """Return a point of a grid as tables have it."""
    return ", ".join(f"{key} {value}" for key, value in point.items())


def axes_of(grid: Sequence[dict[str, Any]]) -> str:
    """Return the values of each axis of a grid."""
    values = {key: list(dict.fromkeys(str(point[key]) for point in grid)) for key in grid[0]}
    return place_of({key: " ".join(texts) for key, texts in values.items()})


def _or_not(value: float | None, form: str) -> str:
    return "not measured" if value is None else form.format(value)
