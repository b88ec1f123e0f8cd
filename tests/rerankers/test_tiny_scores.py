"""The second level of the regression gate: every family scores its tiny checkpoint as it did when it was accepted."""

from __future__ import annotations

import numpy as np
import pytest
from rerankbench.rerankers.registry import FAMILIES
from tiny_scores import CASES, frozen, score

TOLERANCE = 1e-4  # of a logit: what rounding may change (docs/footguns.md); 2e-5 was seen between two makes of CPU


def test_every_family_is_watched() -> None:
    without_weights = {"own", "served"}
    assert set(CASES) == set(FAMILIES) - without_weights == set(frozen())


@pytest.mark.parametrize("family", CASES)
def test_scores_are_the_frozen_ones(family: str) -> None:
    now, accepted = score(family), frozen()[family]
    assert list(now) == sorted(accepted, key=list(now).index)
    for setting, values in accepted.items():
        np.testing.assert_allclose(now[setting], values, rtol=0, atol=TOLERANCE, err_msg=f"{family} {setting}")
