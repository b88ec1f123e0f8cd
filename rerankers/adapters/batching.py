"""Batches under a token budget, and what happens when memory runs out all the same."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch

from ..api import report_share
from ..errors import ScoreError
from ..models.malloc import keep_freed_memory

log = logging.getLogger("rerankbench")


def plan_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Split the items 0..n-1 into batches whose lengths sum to at most `budget`, longest first.

    Equal lengths stay next to each other, in their given order. An item longer than the budget is a batch of its own.
    """
    batches: list[list[int]] = []
    room = -1
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if lengths[index] > room:
            batches.append([])
            room = budget
        batches[-1].append(index)
        room -= lengths[index]
    return batches


def run_batches(
    lengths: Sequence[int],
    budget: int,
    run: Callable[[list[int]], None],
    plan: Callable[[list[int], int], list[list[int]]] | None = None,
) -> int:
    """Call `run` with every planned batch, the longest first; returns the token budget that held.

    `plan` splits some items into batches under a budget; by default `plan_batches` does.

    When the device is out of memory, the budget is halved and what is left is planned again. A single item that does
    not fit raises ScoreError. `run` must keep nothing of a batch that failed. Nothing else is caught.
    """

    def by_length(items: list[int], budget: int) -> list[list[int]]:
        return [[items[i] for i in part] for part in plan_batches([lengths[i] for i in items], budget)]

    keep_freed_memory()
    plan = plan or by_length
    waiting, total, done = plan(list(range(len(lengths))), budget)[::-1], sum(lengths), 0
    while waiting:
        batch = waiting[-1]
        failed = False
        try:
            run(batch)
        except torch.cuda.OutOfMemoryError:
            failed = True  # handled below, where the exception no longer holds the batch's tensors
        if not failed:
            waiting.pop()
            done += sum(lengths[i] for i in batch)
            report_share(done / total if total else 1.0)
            continue
        tokens = sum(lengths[i] for i in batch)
        if len(batch) == 1:
            raise ScoreError(
                f"out of memory on one sequence of {tokens} tokens: use a smaller max_length, a half-precision dtype, "
                "or a device with more memory"
            )
        torch.cuda.empty_cache()
        budget = max(1, min(budget, tokens) // 2)
        log.warning("out of memory at %d tokens; continuing with a token budget of %d", tokens, budget)
        rest = [i for later in reversed(waiting) for i in later]
        waiting = plan(rest, budget)[::-1]
    return budget
