"""What is between the matrix products of a layer, fused where that is possible."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .compiled import fused
from .onednn import activate


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Return RMSNorm (Zhang and Sennrich, 2019, arXiv 1910.07467) in float32, back in x's dtype."""
    wide = x.float()
    mean_square = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_() / wide.shape[-1]
    return (wide * torch.rsqrt(mean_square + eps)).mul_(weight).to(x.dtype)


norm = fused("rms_norm")(rms_norm)


@fused("add_block")
def add_block(
    x: Tensor, block: Tensor, scale: float, after: Tensor | None, before: Tensor | None, eps: float
) -> tuple[Tensor, Tensor]:
    """Return the residual stream x + scale * norm(block), and the norm of it that the next block reads.

    Args:
        x: states, shape (rows, hidden).
        block: the output of attention or MLP, the same shape.
        scale: factor on it.
        after: weight of the norm after the block, or None.
        before: weight of the norm before the next block, or None.
        eps: epsilon of the norms.

    Returns:
        The new states, and their norm (themselves without `before`).
    """
    if after is not None:
        block = rms_norm(block, after, eps)
    x = torch.add(x, block, alpha=scale)
    return x, x if before is None else rms_norm(x, before, eps)


@fused("gated")
def gated(gate: Tensor, up: Tensor, activation: str) -> Tensor:
    """Return activation(gate) * up."""
    return activate(activation, gate).mul_(up)


@fused("add_layer_norm")
def add_layer_norm(x: Tensor, block: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Return LayerNorm of x + block, as the encoders have it after every block; shapes (rows, hidden)."""
    return F.layer_norm(x + block, (x.shape[-1],), weight, bias, eps)


@fused("add_then_norm")
def add_then_norm(x: Tensor, block: Tensor, weight: Tensor, bias: Tensor | None, eps: float) -> tuple[Tensor, Tensor]:
    """Return the residual stream x + block, and its LayerNorm that the next block reads; shapes (rows, hidden)."""
    x = x + block
    return x, F.layer_norm(x, (x.shape[-1],), weight, bias, eps)
