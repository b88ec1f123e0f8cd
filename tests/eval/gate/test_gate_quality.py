from __future__ import annotations

import numpy as np
import pytest
from rerankbench.eval.gate.quality import DropTest, MetricCheck, correct, mark_testable
from rerankbench.eval.metrics.drop_test import drop_p_value, smallest_p_value
from scipy import stats


def checked(d: np.ndarray) -> MetricCheck:
    wins, losses = int((d > 0).sum()), int((d < 0).sum())
    test = DropTest(float(d.mean()), drop_p_value(d), smallest_p_value(d), wins, d.size - wins - losses, losses)
    return MetricCheck("nDCG@10", 0.5, 0.4, 0.001, test)


def test_tests_that_can_never_reject_cost_nothing() -> None:
    many = [checked(np.array([-1.0] * k + [0.0] * 9)) for k in (7, 0, 1, 3, 6)]
    corrected = [c.p_holm for c in correct(many, 0.05)]
    assert corrected == [pytest.approx(2 * 2**-7), None, None, None, pytest.approx(2**-6)]
    assert not MetricCheck("nDCG@10", 0.5, 0.4, 0.001, None).significant(0.05)
    assert [c.p_holm for c in correct([MetricCheck("nDCG@10", 0.5, 0.4, 0.001, None)], 0.05)] == [None]


def test_how_many_tests_can_reject_among_how_many() -> None:
    assert mark_testable([0.04], 0.05) == [True]
    assert mark_testable([0.04] * 2, 0.05) == [False] * 2  # a half of alpha is beyond both
    assert mark_testable([0.04, 0.02, 0.001], 0.05) == [False, True, True]
    assert mark_testable([2.0**-14] * 1000, 0.05) == [False] * 1000
    assert mark_testable([2.0**-20] * 2000, 0.05) == [True] * 2000


def test_family_wise_false_alarms_stay_at_the_level() -> None:
    """400 baselines of eight cells in which nothing got worse; in some too few queries changed to tell."""
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(400):
        cells = [checked(rng.normal(0, 0.3, k)) for k in (1, 2, 4, 5, 7, 9, 10, 11)]
        alarms += any(c.significant(0.05) for c in correct(cells, 0.05))
    assert alarms <= stats.binom.interval(0.999, 400, 0.05)[1]


def test_what_a_collapse_is() -> None:
    def collapsed(before: float, after: float) -> bool:
        return MetricCheck("nDCG@10", before, after, 0.001, None).collapsed(0.2)

    assert collapsed(0.9, 0.69)
    assert not collapsed(0.9, 0.71)
    assert collapsed(0.1, 0.009)
    assert not collapsed(0.1, 0.02)
    assert not collapsed(0.0, 0.0)
