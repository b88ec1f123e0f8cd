"""Batches under a token budget, and what happens when memory runs out."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rerankbench.rerankers.adapters.batching import plan_batches, run_batches
from rerankbench.rerankers.errors import ScoreError

LENGTHS = st.lists(st.integers(1, 60), max_size=40)


@given(LENGTHS, st.integers(1, 200))
def test_plan_holds_everything_once_longest_first(lengths, budget):
    batches = plan_batches(lengths, budget)
    order = [i for batch in batches for i in batch]
    assert order == sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    for batch in batches:
        assert len(batch) == 1 or sum(lengths[i] for i in batch) <= budget
    assert batches == plan_batches(lengths, budget)


@given(LENGTHS, st.integers(60, 400))
def test_out_of_memory_halves_the_budget_until_it_fits(lengths, memory):
    done: list[int] = []

    def run(batch: list[int]) -> None:
        if sum(lengths[i] for i in batch) > memory:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        done.extend(batch)

    held = run_batches(lengths, 2000, run)
    assert sorted(done) == list(range(len(lengths)))
    assert held == 2000 or sum(lengths) > memory


def test_one_sequence_that_does_not_fit_is_an_error_with_advice():
    def run(batch: list[int]) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(ScoreError, match="one sequence of 30 tokens: use a smaller max_length"):
        run_batches([10, 30, 20], 100, run)


def test_nothing_else_is_caught():
    def run(batch: list[int]) -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        run_batches([1, 2], 10, run)
