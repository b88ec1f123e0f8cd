"""Rotary position embedding (Su et al., 2021, arXiv 2104.09864) in the half-split layout of the Llama family."""

from __future__ import annotations

import torch
from torch import Tensor


def rope_tables(positions: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each float32 of shape (rows, 1, head_dim / 2), for `positions` of shape (rows,)."""
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32, device=positions.device) / head_dim
    angles = positions.float()[:, None, None] / theta**exponents
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the pairs (i, i + head_dim / 2) of `x` (rows, heads, head_dim), in float32, back in x's dtype."""
    wide = x.float()
    out = torch.empty(x.shape, dtype=torch.float32, device=x.device)
    first, second = wide.chunk(2, dim=-1)
    new_first, new_second = out.chunk(2, dim=-1)
    torch.mul(first, cos, out=new_first).addcmul_(second, sin, value=-1)
    torch.mul(second, cos, out=new_second).addcmul_(first, sin)
    return out.to(x.dtype)
