"""A score as a formula over rows of an output head. Imports no torch, so that families can state it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Formula = Literal["row", "difference", "log_softmax"]


@dataclass(frozen=True)
class OutputRows:
    """Which rows of the output head score, and how (`decoder.score_rows` computes it).

    Attributes:
        rows: places of the rows; of a vocabulary head they are token ids.
        formula: `row` is the logit of the only row, `difference` that of the first less that of the second,
            `log_softmax` the logarithm of the first row's share among all of them.
        scale: factor on that.
        activation: name in torch.nn of the function on that; None: the number itself.
    """

    rows: tuple[int, ...]
    formula: Formula = "row"
    scale: float = 1.0
    activation: str | None = None
