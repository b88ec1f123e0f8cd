"""The gate's test of a drop, against exact sums and simulations that share no code with it."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rerankbench.eval.metrics.drop_test import UNSEEN, drop_p_value, smallest_p_value


def exact_p(differences: list[float], unseen: float) -> float:
    """P(sum of E_i d_i >= 0) by partial fractions in rational arithmetic; the differences are all different."""
    d = [Fraction(x) for x in (*differences, unseen)]
    terms = (prod((x / (x - y) for y in d if y != x), start=Fraction(1)) for x in d if x > 0)
    return float(sum(terms, Fraction(0)))


@pytest.mark.parametrize("queries", [2, 5, 20, 60])
@pytest.mark.parametrize("mean", [-0.02, -0.1, -0.6])
def test_p_is_exact_however_small(queries: int, mean: float) -> None:
    d = np.random.default_rng(queries).normal(mean, 0.2, queries)
    d -= max(0.0, d.mean() + 0.01)
    assert drop_p_value(d) == pytest.approx(
        exact_p(d.tolist(), max(UNSEEN, float(np.abs(d).max()) * (1 + 1e-9))), rel=1e-6
    )


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=30))
def test_only_losses_have_the_smallest_p(sizes: list[float]) -> None:
    d = -np.array(sizes)
    assert drop_p_value(d) == pytest.approx(smallest_p_value(d), rel=1e-5)
    assert smallest_p_value(d) == pytest.approx(prod(1 / (1 + s / max(UNSEEN, *sizes)) for s in sizes))


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40))
def test_p_is_a_probability_and_no_change_says_nothing(values: list[float]) -> None:
    d = np.array(values)
    assert 0 <= drop_p_value(d) <= 1
    assert drop_p_value(np.append(d, [0.0] * 5)) == drop_p_value(d)
    assert drop_p_value(np.abs(d)) == 1.0
    assert drop_p_value(d) >= smallest_p_value(d) * (1 - 1e-5)


def test_a_loss_of_everything_is_a_coin_flip_for_each_query() -> None:
    for queries in (1, 10, 30):
        assert drop_p_value(-np.ones(queries)) == pytest.approx(2.0**-queries, rel=1e-6)
    assert drop_p_value(np.zeros(10)) == 1.0


@pytest.mark.parametrize("rare", [0.02, 0.05, 0.1, 0.3])
def test_rare_gains_that_were_not_seen_raise_no_alarm(rare: float) -> None:
    """Mean zero, one query in so many gains 0.6: the noise under which sign flips fail one run in five."""
    rng = np.random.default_rng(5)
    d = np.where(rng.random((1000, 50)) < rare, 0.6, -0.6 * rare / (1 - rare))
    assert np.mean([drop_p_value(row) <= 0.05 for row in d]) <= 0.07
