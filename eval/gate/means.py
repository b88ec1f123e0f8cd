"""One test per variant over all its datasets: sees a small loss everywhere that no dataset proves alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..metrics.drop_test import UNSEEN
from .baseline import Accepted, GatePolicy
from .quality import MetricCheck, differences, with_test
from .snapshot import Snapshot


def means(cells: Sequence[tuple[Accepted, Snapshot]], policy: GatePolicy, seed: int) -> dict[str, list[MetricCheck]]:
    """`mean of N datasets/model/setting` -> its metrics, for variants with two datasets or more.

    Every dataset weighs the same: the difference of a query counts 1 / (datasets x queries of its dataset).
    The unseen query of the test is one of the dataset whose queries count most.
    """
    variants: dict[str, list[tuple[Accepted, Snapshot]]] = {}
    for known, now in cells:
        variants.setdefault(f"{known.model}/{known.setting}", []).append((known, now))
    return {
        f"mean of {len(members)} datasets/{name}": checks
        for name, members in variants.items()
        if len(members) > 1 and (checks := [c for m in policy.metrics if (c := _mean(members, m, policy, seed))])
    }


def _mean(
    members: Sequence[tuple[Accepted, Snapshot]], metric: str, policy: GatePolicy, seed: int
) -> MetricCheck | None:
    parts = [np.array(list(differences(known, now, metric).values())) for known, now in members]
    if not all(part.size for part in parts):
        return None
    queries = sum(part.size for part in parts)
    weighted = np.concatenate([part * (queries / len(parts) / part.size) for part in parts])
    largest = queries / len(parts) / min(part.size for part in parts)
    before, after = (float(np.mean([side.metrics[metric] for side in sides])) for sides in zip(*members))
    check = MetricCheck(metric, before, after, policy.tolerance, None)
    return with_test(check, weighted, largest * UNSEEN, policy, seed)
