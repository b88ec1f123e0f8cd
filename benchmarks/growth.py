"""How cost grows: pairs/s of this engine and of the best peer along one axis at a time (`growth` in bench.yaml).

    python benchmarks/growth.py --peer transformers --peer openvino=PYTHON --output results/measured/growth.md

Takes minutes; an axis alone with --only, whose rows join those that the file beside --output holds.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rerankbench.configs import CONFIGS, read
from rerankbench.eval.bench.options import BenchOptions, Hardware
from rerankbench.eval.bench.run import run_bench
from rerankbench.eval.bench.shapes import spec_of
from rerankbench.eval.bench.summary import axes_of, place_of

HEAD = "| | this engine, pairs/s | tokens/s | share of peak | the best peer, pairs/s | runs with | ratio (min–max) |\n"
HEAD += "|---|---:|---:|---:|---:|---|---:|\n"


def measure(axis: dict[str, Any], value: Any, peers: Sequence[str], rounds: int) -> dict[str, Any]:
    """One point: the engine, and the peer that is the fastest there."""
    point = {**axis, axis["axis"]: value}
    known = read(CONFIGS / "bench.yaml")
    family = spec_of(point["shape"]).family
    taking_part = [
        peer
        for peer in peers
        if family in known["peers"][(kind := peer.partition("=")[0])]
        and point["dtype"] in known["grids"][kind]["dtypes"]
    ]
    asked = {key: point[key] for key in ("shape", "candidates", "passage_tokens") if key in point}
    options = BenchOptions(**asked, peers=tuple(taking_part), rows="best", rounds=rounds)
    hardware = Hardware(dtype=point["dtype"], threads=point.get("threads", 0))
    result = run_bench(options, hardware, lambda line: print(line, file=sys.stderr, flush=True))
    ours, *others = result["engines"]
    best = min(others, key=lambda engine: median(engine["seconds"]))
    kept = ("engine", "pairs_per_second", "tokens_per_second", "share_of_peak", "grid", "point", "ratio", "versions")
    return {"value": value, "ours": {k: ours[k] for k in kept}, "best": {k: best[k] for k in kept}} | {
        "device": result["device"],
        "threads": result["threads"],
    }


def table(name: str, axis: dict[str, Any], points: Sequence[dict[str, Any]]) -> str:
    held = ", ".join(f"{key} {value}" for key, value in axis.items() if key not in ("axis", "values"))
    lines = [f"## {name}\n\n{held}; {points[0]['device']}.\n\n{HEAD}"]
    for point in points:
        ours, best, ratio = point["ours"], point["best"], point["best"]["ratio"]
        cells = [str(point["value"]), f"{ours['pairs_per_second']:.2f}", f"{ours['tokens_per_second']:.0f}"]
        cells += [
            f"{ours['share_of_peak']:.2f}",
            f"{best['engine'].removesuffix(', best')} {best['pairs_per_second']:.2f}",
        ]
        cells += [place_of(best["point"]), f"{ratio['median']:.2f} ({ratio['min']:.2f}–{ratio['max']:.2f})"]
        lines.append(f"| {' | '.join(cells)} |\n")
    peers = {point["best"]["engine"]: point["best"]["versions"] for point in points}
    versions = "; ".join(f"{peer}: {', '.join(f'{k} {v}' for k, v in found.items())}" for peer, found in peers.items())
    grids = {point["best"]["engine"]: axes_of(point["best"]["grid"]) for point in points}
    tried = "; ".join(f"{peer}: {grid}" for peer, grid in grids.items())
    ours = f"torch {points[0]['ours']['versions']['torch']}"
    return "".join([*lines, f"\nGrids, tried before the rounds: {tried}. Versions: {ours}; {versions}.\n"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", action="append", default=[], metavar="PEER[=PYTHON]", help="again for more")
    parser.add_argument("--only", action="append", default=[], metavar="START", help="axes whose names begin so")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, required=True, help="the table; its figures lie beside it as .json")
    wanted = parser.parse_args()
    axes, store = read(CONFIGS / "bench.yaml")["growth"], wanted.output.with_suffix(".json")
    found = json.loads(store.read_text()) if store.is_file() else {}
    for name, axis in axes.items():
        if name.startswith(tuple(wanted.only or [""])):
            found[name] = [measure(axis, value, wanted.peer, wanted.rounds) for value in axis["values"]]
            store.write_text(json.dumps(found, indent=1) + "\n")
    words = [word for peer in wanted.peer for word in ("--peer", peer.partition("=")[0] + ("=PYTHON" * ("=" in peer)))]
    command = shlex.join(["python", "benchmarks/growth.py", *words, "--rounds", str(wanted.rounds)])
    pages = [table(name, axes[name], found[name]) for name in axes if name in found]
    told = f"Ratio: time of the best peer at its best by time of this engine, {wanted.rounds} alternating rounds.\n\n"
    page = "# How cost grows\n\n" + told + "\n".join(pages) + f"\nCommand: `{command} --output {wanted.output}`.\n"
    wanted.output.write_text(page)
    print(page)


if __name__ == "__main__":
    main()
