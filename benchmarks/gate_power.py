"""How often the gate fails on a known drop: prints the Markdown table that docs/regression-gate.md quotes.

Half of the queries do not change. The others change by a normal amount with standard deviation 0.2, shifted so that
the mean over all queries falls by the given drop: about what another precision or kernel does to nDCG@10, plus a loss.
The decision is the gate's own: drop beyond 0.001, corrected p at most 0.05, zero outside the interval.

    python benchmarks/gate_power.py
"""

from __future__ import annotations

import numpy as np
from rerankbench.eval.metrics.statistics import paired

SIMULATIONS, RESAMPLES, ALPHA, TOLERANCE = 400, 999, 0.05, 0.001
CHANGED, DEVIATION = 0.5, 0.2
QUERIES = (50, 200, 300)
DROPS = (0.0, 0.005, 0.01, 0.02, 0.04)
DATASETS = 13


def fails(rng: np.random.Generator, queries: int, drop: float, tests: int) -> bool:
    """One simulated verdict; among `tests`, the first step of Holm's correction decides."""
    change = rng.normal(-drop / CHANGED, DEVIATION, queries)
    d = np.where(rng.random(queries) < CHANGED, change, 0.0)
    seed = int(rng.integers(2**31))
    result = paired(d, level=1 - 2 * ALPHA, alternative="less", resamples=RESAMPLES, seed=seed)
    return bool(result.mean < -TOLERANCE and result.p * tests <= ALPHA and result.high < 0)


def main() -> None:
    rng = np.random.default_rng(2026)
    rows = (  # what is tested: datasets that are pooled, and tests that Holm counts
        ("one cell", 1, 1),
        (f"one of {DATASETS} cells", 1, DATASETS + 1),
        (f"mean of {DATASETS} datasets", DATASETS, DATASETS + 1),
    )
    print(f"| mean drop | judged | {' | '.join(f'{n} queries' for n in QUERIES)} |")
    print("|---:|---|" + "---:|" * len(QUERIES))
    for drop in DROPS:
        for name, pooled, tests in rows:
            rates = [np.mean([fails(rng, n * pooled, drop, tests) for _ in range(SIMULATIONS)]) for n in QUERIES]
            print(f"| {drop:g} | {name} | {' | '.join(f'{rate:.1%}' for rate in rates)} |", flush=True)


if __name__ == "__main__":
    main()
