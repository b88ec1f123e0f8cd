"""How often the gate fails on a known drop: prints the Markdown table that docs/regression-gate.md quotes.

Half of the queries do not change. The others change by a normal amount with standard deviation 0.2, shifted so that
the mean over all queries falls by the given drop: about what another precision or kernel does to nDCG@10, plus a loss.
The decision is the gate's own: drop beyond 0.001, corrected p at most 0.05, zero outside the interval.

    python tests/benchmarks/gate_power.py
"""

from __future__ import annotations

import numpy as np
from rerankbench.eval.gate.statistics import paired

SIMULATIONS, RESAMPLES, ALPHA, TOLERANCE = 400, 1_999, 0.05, 0.001
CHANGED, DEVIATION = 0.5, 0.2
QUERIES = (50, 200, 300, 1_000)
DROPS = (0.0, 0.005, 0.01, 0.02, 0.04)
CELLS = (1, 13)


def fails(rng: np.random.Generator, queries: int, drop: float, cells: int) -> bool:
    """One simulated cell; among `cells`, the first step of Holm's correction decides."""
    change = rng.normal(-drop / CHANGED, DEVIATION, queries)
    d = np.where(rng.random(queries) < CHANGED, change, 0.0)
    seed = int(rng.integers(2**31))
    result = paired(d, level=1 - 2 * ALPHA, alternative="less", resamples=RESAMPLES, seed=seed)
    return bool(result.mean < -TOLERANCE and result.p * cells <= ALPHA and result.high < 0)


def main() -> None:
    rng = np.random.default_rng(2026)
    print(f"| mean drop | cells | {' | '.join(f'{n} queries' for n in QUERIES)} |")
    print("|---:|---:|" + "---:|" * len(QUERIES))
    for drop in DROPS:
        for cells in CELLS:
            rates = [np.mean([fails(rng, n, drop, cells) for _ in range(SIMULATIONS)]) for n in QUERIES]
            print(f"| {drop:g} | {cells} | {' | '.join(f'{rate:.1%}' for rate in rates)} |", flush=True)


if __name__ == "__main__":
    main()
