from __future__ import annotations

import numpy as np
import pytest
from rerankbench.eval.gate.quality import MetricCheck, correct
from rerankbench.eval.metrics.statistics import Paired, randomisation_test
from scipy import stats


def checked(d: np.ndarray) -> MetricCheck:
    wins, losses = int((d > 0).sum()), int((d < 0).sum())
    p = randomisation_test(d, alternative="less")
    result = Paired(float(d.mean()), -1.0, -0.1, p, wins, d.size - wins - losses, losses)
    return MetricCheck("nDCG@10", 0.5, 0.4, 0.001, result)


def test_tests_that_can_never_reject_cost_nothing() -> None:
    many = [checked(np.array([-0.1] * k + [0.0] * 9)) for k in (7, 0, 1, 4, 6)]
    corrected = [c.p_holm for c in correct(many, 0.05)]
    assert corrected == [pytest.approx(2 * 2**-7), None, None, None, pytest.approx(2**-6)]
    assert not MetricCheck("nDCG@10", 0.5, 0.4, 0.001, None).significant(0.05)
    assert [c.p_holm for c in correct([MetricCheck("nDCG@10", 0.5, 0.4, 0.001, None)], 0.05)] == [None]


def test_family_wise_false_alarms_stay_at_the_level() -> None:
    """1000 baselines of eight cells in which nothing got worse; in some too few queries changed to tell."""
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(1000):
        cells = [checked(rng.normal(0, 0.3, k)) for k in (1, 2, 4, 5, 7, 9, 10, 11)]
        alarms += any(c.significant(0.05) for c in correct(cells, 0.05))
    low, high = stats.binom.interval(0.999, 1000, 0.05)
    assert low / 2 < alarms <= high
