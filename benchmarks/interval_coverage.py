"""How often the 95 % interval of a mean difference holds the true mean, by simulation.

The population is a column of differences by query as two rerankers have them: many zeros, skewed gains and losses. A
sample of n queries is drawn from it, its interval made, and the share of intervals that hold the population's mean
counted, for the interval of `eval/metrics/statistics.py` and for plain percentiles.

    python benchmarks/interval_coverage.py [--trials 2000]
"""

from __future__ import annotations

import argparse

import numpy as np
from rerankbench.eval.metrics.statistics import bootstrap_interval

SIZES = (10, 14, 25, 50, 100)


def populations(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Differences of nDCG@10 by query: mixed, and of a clear gain."""
    mixed = np.concatenate([np.zeros(14), rng.beta(1.2, 3, 24), -rng.beta(1.2, 5, 12)])
    gain = np.concatenate([np.zeros(10), rng.beta(2, 3, 34), -rng.beta(1.2, 5, 6)])
    normal = rng.normal(0.05, 0.2, 50)
    return {"mixed": mixed, "gain": gain, "normal": normal}


def plain(sample: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    """Percentiles of the resampled means."""
    rng = np.random.default_rng(seed)
    means = sample[rng.integers(0, sample.size, (resamples, sample.size))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def main() -> None:
    """Print a line for each population and size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=999)
    options = parser.parse_args()
    rng = np.random.default_rng(7)
    print(f"{'population':<12}{'queries':>8}{'widened':>10}{'plain':>10}")
    for name, population in populations(rng).items():
        true = population.mean()
        for n in SIZES:
            hits = np.zeros(2)
            for trial in range(options.trials):
                sample = population[rng.integers(0, population.size, n)]
                for place, (low, high) in enumerate(
                    (
                        bootstrap_interval(sample, resamples=options.resamples, seed=trial),
                        plain(sample, options.resamples, trial),
                    )
                ):
                    hits[place] += low <= true <= high
            print(f"{name:<12}{n:>8}{hits[0] / options.trials:>10.3f}{hits[1] / options.trials:>10.3f}")


if __name__ == "__main__":
    main()
