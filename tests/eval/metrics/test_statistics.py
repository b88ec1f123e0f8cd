from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rerankbench.eval.metrics.statistics import bootstrap_interval, holm, paired, randomisation_test
from scipy import stats


def scipy_p(d: np.ndarray) -> float:
    result = stats.permutation_test(
        (d, np.zeros_like(d)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=np.inf if d.size <= 12 else 49_999,
        vectorized=True,
        rng=np.random.default_rng(1),
    )
    return float(result.pvalue)


@pytest.mark.parametrize("seed", range(6))
def test_exact_p_equals_scipy(seed: int) -> None:
    d = np.random.default_rng(seed).normal(-0.1, 0.3, 9 + seed % 3).round(2)
    assert randomisation_test(d) == pytest.approx(scipy_p(d), abs=1e-12)


def test_monte_carlo_p_agrees_with_scipy() -> None:
    d = np.random.default_rng(3).normal(-0.05, 0.3, 60)
    ours, theirs = randomisation_test(d), scipy_p(d)
    assert 0.001 < theirs < 0.9
    assert ours == pytest.approx(theirs, abs=5 * np.sqrt(theirs * (1 - theirs) * (1 / 19_999 + 1 / 49_999)))


def test_false_alarms_are_at_the_nominal_level() -> None:
    """1000 pairs of systems drawn alike, most queries tied, as between two versions of a reranker."""
    rng = np.random.default_rng(7)
    a, b = rng.beta(0.6, 0.6, (2, 1000, 40))
    d = np.where(rng.random(a.shape) < 0.5, b - a, 0.0)
    p = np.array([randomisation_test(row, resamples=499, seed=i) for i, row in enumerate(d)])
    alarms = int((p <= 0.05).sum())
    low, high = stats.binom.interval(0.999, 1000, 0.05)
    assert low <= alarms <= high
    assert (p <= 0.5).mean() == pytest.approx(0.5, abs=0.06)  # the whole distribution is level, not one point of it


def test_holm_keeps_the_family_wise_level() -> None:
    p = np.random.default_rng(2).random((1000, 8))
    rejected = [min(holm(row.tolist())) <= 0.05 for row in p]
    low, high = stats.binom.interval(0.999, 1000, 0.05)
    assert low <= sum(rejected) <= high


def test_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    ends = np.array([bootstrap_interval(rng.normal(0.1, 0.3, 80), resamples=499, seed=i) for i in range(600)])
    covered = ((ends[:, 0] <= 0.1) & (ends[:, 1] >= 0.1)).mean()
    assert 0.91 <= covered <= 0.98


def test_one_changed_query_is_a_coin_flip() -> None:
    d = np.zeros(50)
    d[3] = -1.0
    assert randomisation_test(d) == 1.0


def test_nothing_changed() -> None:
    result = paired(np.zeros(10))
    assert (result.mean, result.low, result.high, result.p) == (0.0, 0.0, 0.0, 1.0)
    assert (result.wins, result.ties, result.losses) == (0, 10, 0)


def test_same_seed_same_answer_whatever_the_sign() -> None:
    d = np.random.default_rng(0).normal(-0.2, 0.2, 100)
    assert paired(d, seed=4) == paired(d, seed=4)
    assert randomisation_test(d, seed=4) == randomisation_test(-d, seed=4)


@pytest.mark.parametrize("sizes", [[0.1, 0.25, 0.5, 1.0], [1.0], [0.37, 0.631, 0.001]])
@pytest.mark.parametrize("wins", [0, 1, 3])
def test_far_tails_are_those_of_all_flips(sizes: list[float], wins: int) -> None:
    """Twenty queries are 2^20 flips: enumerated here, sampled by the test, whose p is far below 1 / 20,000 for some."""
    d = -np.resize(sizes, 20)
    d[:wins] *= -1
    flips = 1.0 - 2.0 * (np.arange(2**19)[:, None] >> np.arange(19) & 1)  # of all but one: sums come in pairs
    sums = flips @ np.abs(d[1:]) + abs(d[0])
    exact = float((np.abs(sums) >= abs(d.sum()) - 1e-9).mean())
    assert randomisation_test(d) == pytest.approx(exact, rel=0.15)


def test_p_values_have_no_floor() -> None:
    assert randomisation_test(-np.ones(60)) == pytest.approx(2.0**-59, rel=1e-6)
    assert 0 < randomisation_test(np.random.default_rng(0).normal(-1, 0.2, 300)) < 1e-80


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_and_keeps_order(p: list[float]) -> None:
    adjusted = holm(p)
    assert all(a >= b for a, b in zip(adjusted, p))
    assert all(a <= 1 for a in adjusted)
    ranked = [adjusted[i] for i in np.argsort(p, kind="stable")]
    assert ranked == sorted(ranked)
