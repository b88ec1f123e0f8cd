"""Preparing one step ahead keeps order, laziness and errors."""

from __future__ import annotations

import threading

import pytest
from rerankbench.eval.runner.prefetch import prefetch


def test_in_order_and_one_step_ahead():
    asked = []
    steps = prefetch(lambda n: asked.append(n) or n * n, range(5))
    assert next(steps) == (0, 0)
    assert set(asked) <= {0, 1}
    assert list(steps) == [(1, 1), (2, 4), (3, 9), (4, 16)]
    assert list(prefetch(str, [])) == []


def test_preparation_runs_while_the_item_before_is_used():
    started = threading.Event()

    def prepare(n: int) -> int:
        if n == 1:
            started.set()
        return n

    steps = prefetch(prepare, range(2))
    next(steps)
    assert started.wait(5)


def test_an_error_comes_with_its_item():
    steps = prefetch(lambda n: 1 // (n - 1), range(3))
    assert next(steps) == (0, -1)
    with pytest.raises(ZeroDivisionError):
        next(steps)
