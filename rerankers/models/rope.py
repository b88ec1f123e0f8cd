"""Rotary position embedding (Su et al., 2021, arXiv 2104.09864) in the half-split layout of the Llama family."""

from __future__ import annotations

import torch
from torch import Tensor

from .compiled import compiled


def rope_tables(positions: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each float32 of shape (rows, 1, head_dim / 2), for `positions` of shape (rows,)."""
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32, device=positions.device) / head_dim
    angles = positions.float()[:, None, None] / theta**exponents
    return angles.cos(), angles.sin()


@compiled
def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the pairs (i, i + head_dim / 2) of `x` (rows, heads, head_dim), in float32, back in x's dtype."""
    out = torch.empty(x.shape, dtype=torch.float32, device=x.device)
    first, second = x.chunk(2, dim=-1)
    new_first, new_second = out.chunk(2, dim=-1)
    new_first.copy_(first).mul_(cos).addcmul_(second.float(), sin, value=-1)
    new_second.copy_(second).mul_(cos).addcmul_(first.float(), sin)
    return out.to(x.dtype)
