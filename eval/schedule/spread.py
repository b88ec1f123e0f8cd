"""How long an experiment takes on several workers: the run's own scheduler on a virtual clock."""

from __future__ import annotations

from dataclasses import dataclass

from ..plan.plan import Plan, hours
from .virtual_pool import predict


@dataclass(frozen=True)
class Spread:
    """A predicted run. The efficiency is that of the reranking: sum of forward times over workers x wall time."""

    workers: int
    blocks: int
    hours: float
    efficiency: float | None


def spread(plan: Plan, block_queries: int, workers: int, tflops: float) -> Spread:
    """Return model after model, all datasets of a model together, the longest blocks first.

    `tflops` is sustained by each worker. The corpus of a dense first stage is encoded by one of them before; loading
    models is not reckoned with. The efficiency is None when no model's shape is known.
    """
    queries = {size.dataset: size.queries for size in plan.sizes}
    by_model: dict[str, list[float]] = {}
    for pass_ in plan.passes:
        if pass_.pflops is None or not queries[pass_.dataset]:
            continue
        each = (hours(pass_.pflops, tflops) or 0.0) / queries[pass_.dataset]
        whole, rest = divmod(queries[pass_.dataset], block_queries)
        sizes = [block_queries] * whole + [rest] * (rest > 0)
        by_model.setdefault(pass_.model, []).extend(size * each * 3600 for size in sizes)
    wall = sum(predict(seconds, workers) for seconds in by_model.values())
    busy = sum(sum(seconds) for seconds in by_model.values())
    return Spread(
        workers=workers,
        blocks=sum(len(seconds) for seconds in by_model.values()),
        hours=(hours(plan.encoding_pflops, tflops) or 0.0) + wall / 3600,
        efficiency=busy / (workers * wall) if wall else None,
    )
