"""Paired statistics over queries: numpy in, numbers out, seeded. Knows nothing of cells, runs or baselines.

Most functions take `differences`: one float per query, B minus A. Smucker, Allan and Carterette (CIKM 2007) found
the randomisation test the right one for paired per-query metrics; the corrections are Holm's (1979) and Benjamini and
Hochberg's (1995).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

_NORMAL = NormalDist()
RESAMPLES = 19_999
_FEW_HITS = 1_000  # of the resamples: below, signs are drawn where they hit more often
_CHUNK = 4_000_000  # elements drawn at once: bounds memory to some tens of MB


@dataclass(frozen=True)
class Paired:
    """What the queries show about a mean difference.

    Attributes:
        mean: of the differences.
        low, high: ends of its bootstrap interval.
        p: of the randomisation test, uncorrected.
        wins, ties, losses: queries above, at and below zero.
    """

    mean: float
    low: float
    high: float
    p: float
    wins: int
    ties: int
    losses: int


def paired(differences: np.ndarray, *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0) -> Paired:
    """Return mean difference with its interval and p-value. `differences` is float, shape (queries,), not empty."""
    d = np.asarray(differences, dtype=np.float64)
    low, high = bootstrap_interval(d, level=level, resamples=resamples, seed=seed)
    p = randomisation_test(d, resamples=resamples, seed=seed)
    wins, losses = int((d > 0).sum()), int((d < 0).sum())
    return Paired(float(d.mean()), low, high, p, wins, d.size - wins - losses, losses)


def randomisation_test(differences: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """Return two-sided p-value of the paired randomisation (sign-flip) test of the mean.

    Queries that did not change leave every flip as it is and drop out. The 2^n flips of the rest are enumerated when
    they are no more than `resamples` + 1 (n <= 14 by default); otherwise `resamples` are drawn and
    p = (b + 1) / (resamples + 1), which is never 0 (Phipson and Smyth 2010). Where few of them are as far out as what
    was seen, the signs are drawn again with a tilt, so that p is not bounded by their number: see `_sample_tail`.
    """
    d = np.abs(np.asarray(differences, dtype=np.float64))
    total = abs(float(np.sum(differences)))
    d = d[d != 0]
    if d.size == 0:
        return 1.0
    slack = 1e-12 * float(d.sum())  # equal sums must count as equal whatever order they were added in
    exact = d.size < 63 and 2**d.size <= resamples + 1
    rng = np.random.default_rng(seed)
    hits = 0
    for flips in _all_flips(d.size) if exact else _random_flips(d.size, resamples, rng):
        hits += int((np.abs(d.sum() - 2.0 * (flips @ d)) >= total - slack).sum())
    if exact:
        return hits / 2**d.size
    if hits < _FEW_HITS:
        return _sample_tail(d, total - slack, resamples, rng)
    return (hits + 1) / (resamples + 1)


def _sample_tail(sizes: np.ndarray, total: float, resamples: int, rng: np.random.Generator) -> float:
    """Return P(|sum of s_i d_i| >= total) for random signs, by importance sampling: its error is relative to p.

    A sign is positive with probability 1 / (1 + exp(-2 t d_i)), t such that the expected sum is `total`; a draw weighs
    prod cosh(t d_i) exp(-t sum) (Siegmund 1976).
    """
    scaled, total = sizes / sizes.max(), total / float(sizes.max())
    low, high = 0.0, 40.0 / float(scaled.min())
    for _ in range(200):
        tilt = (low + high) / 2
        low, high = (tilt, high) if float((scaled * np.tanh(tilt * scaled)).sum()) < total else (low, tilt)
    tilt = (low + high) / 2
    log_mean = float((tilt * scaled + np.log1p(np.exp(-2 * tilt * scaled)) - math.log(2)).sum())
    positive = 1 / (1 + np.exp(-2 * tilt * scaled))
    weight = 0.0
    for rows in _rows(resamples, scaled.size):
        sums = np.where(rng.random((rows, scaled.size)) < positive, scaled, -scaled).sum(axis=1)
        weight += float(np.exp(log_mean - tilt * sums[sums >= total]).sum())
    return min(1.0, max(2 * weight / resamples, 2.0 ** (1 - scaled.size)))


def bootstrap_interval(
    differences: np.ndarray, *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return the widened percentile interval of the mean, two-sided by resampled queries (`interval_tail`)."""
    d = np.asarray(differences, dtype=np.float64)
    if np.ptp(d) == 0:
        return float(d[0]), float(d[0])
    rng = np.random.default_rng(seed)
    means = np.concatenate([d[rng.integers(0, d.size, (rows, d.size))].mean(1) for rows in _rows(resamples, d.size)])
    tail = interval_tail(d.size, level)
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def interval_tail(queries: int, level: float = 0.95) -> float:
    """Return the share of bootstrap means below an interval of this level, and above it.

    With few queries plain percentiles cover less than `level`: the bootstrap's standard error is too small by
    sqrt((n - 1) / n), and its quantiles are the normal's. The tails here are those at which a t quantile is on a
    wider scale (Hesterberg 2015, "What Teachers Should Know About the Bootstrap", section 5.3). His scale is
    sqrt(n / (n - 1)), which covers less than 0.93 of 0.95 where 10 differences are skewed as nDCG's are;
    sqrt((n + 2) / (n - 1)) was found by simulation (`benchmarks/interval_coverage.py`).
    """
    from scipy.special import stdtrit  # here: a finished run needs none, and its import takes a quarter of a second

    if queries < 2:
        return (1 - level) / 2
    scale = math.sqrt((queries + 2) / (queries - 1))
    return _NORMAL.cdf(-scale * float(stdtrit(queries - 1, (1 + level) / 2)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm-adjusted p-values in the order given: reject where the adjusted value is at most alpha."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted.tolist()


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Return adjusted p-values in the order given: rejecting those of at most q keeps the share of false ones below q.

    Benjamini and Hochberg (1995), for independent or positively dependent tests.
    """
    from scipy.stats import false_discovery_control  # takes half a second to import

    return false_discovery_control(p_values).tolist() if len(p_values) else []


CORRECTIONS = {"holm": holm, "bh": benjamini_hochberg}
CORRECTION_NAMES = {"holm": "Holm", "bh": "Benjamini-Hochberg"}


def detectable(parts: Sequence[np.ndarray], *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest true difference that a two-sided paired test at `alpha` would find with this probability.

    `parts` are weighted differences by query, one array for each dataset, their sums adding up to the difference of the
    means. (z(1 - alpha/2) + z(power)) x the standard error of that sum, by the normal approximation (Cohen 1988).
    """
    error = math.sqrt(sum(d.size * float(np.var(d, ddof=1)) for d in parts if d.size > 1))
    return (_NORMAL.inv_cdf(1 - alpha / 2) + _NORMAL.inv_cdf(power)) * error


def ranks(means: np.ndarray) -> np.ndarray:
    """Rank along the first axis, the highest being 1; equal ones share the better rank. Shape as given."""
    return 1 + (means[None] > means[:, None]).sum(axis=1)


def _rows(total: int, width: int) -> Iterator[int]:
    step = max(1, _CHUNK // width)
    for start in range(0, total, step):
        yield min(step, total - start)


def _all_flips(n: int) -> Iterator[np.ndarray]:
    yield (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(np.float64)


def _random_flips(n: int, resamples: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    for rows in _rows(resamples, n):
        random_bytes = rng.integers(0, 256, (rows, -(-n // 8)), dtype=np.uint8)
        yield np.unpackbits(random_bytes, axis=1, count=n).astype(np.float64)
