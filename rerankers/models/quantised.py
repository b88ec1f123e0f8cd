"""Matrices of eight bits with a scale for each output row, times states that have one for each token.

What a token becomes depends on that token alone, whatever shares its batch (scales by row and by token: Xiao et al.
2023, arXiv 2211.10438, as "per-channel weights, per-token dynamic activations"). States become codes once for all
matrices that read them, and what only the next matrix reads becomes codes at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor


class Codes(NamedTuple):
    """States in eight bits: `values` (tokens, in), float32 `scales` (tokens, 1), and the dtype that they were in."""

    values: Tensor
    scales: Tensor
    dtype: torch.dtype


class Quantised(ABC):
    """A weight (out, in) in eight bits; serves `Ops`."""

    is_mkldnn = False
    shape: tuple[int, ...]

    @abstractmethod
    def codes(self, x: Tensor) -> Codes:
        """Return the codes of states (tokens, in)."""

    @abstractmethod
    def linear(self, x: Codes, bias: Tensor | None, activation: str | None) -> Tensor:
        """Return `activation(x @ weight.T + bias)`, (tokens, out) in the dtype of the states."""

    @abstractmethod
    def inner(
        self, x: Codes, bias: Tensor | None, activation: str | None, up: Quantised | None, up_bias: Tensor | None
    ) -> Codes:
        """Return the codes of `activation(x @ weight.T + bias)`, times `x @ up.T + up_bias` where there is an `up`."""


def codes_of(x: Tensor, largest: float) -> tuple[Tensor, Tensor]:
    """Return rows of x (rows, width) over their scales in float32, at most `largest`, and the scales, (rows, 1)."""
    wide = x.float()
    tiny = torch.finfo(torch.float32).tiny * largest
    scales = wide.abs().amax(1, keepdim=True).clamp(min=tiny) / largest
    return torch.div(wide, scales), scales
