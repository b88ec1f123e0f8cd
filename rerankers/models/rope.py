"""Rotary position embedding (Su et al., 2021, arXiv 2104.09864) in the half-split layout of the Llama family."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .compiled import fused
from .rope_config import Rope


def frequencies(rope: Rope, head_dim: int) -> Tensor:
    """Return angle per position of each pair of dimensions, float32 of shape (head_dim / 2,).

    As transformers computes them (modeling_rope_utils.py): `linear` is position interpolation (arXiv 2306.15595),
    `llama3` that of Llama 3.1 (arXiv 2407.21783), `yarn` that of arXiv 2309.00071.
    """
    plain = 1.0 / rope.theta ** (torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
    if rope.kind == "default":
        return plain
    stretched = plain / rope.factor
    if rope.kind == "linear":
        return stretched
    if rope.kind == "llama3":
        turns = rope.original * plain / (2 * math.pi)
        share = ((turns - rope.slow) / (rope.fast - rope.slow)).clamp(0, 1)
    else:
        share = 1 - _ramp(rope, head_dim)
    return (1 - share) * stretched + share * plain


def _ramp(rope: Rope, head_dim: int) -> Tensor:
    """Return YaRN's ramp: 0 for dimensions that turn more than `fast` times within `original`, 1 below `slow`."""

    def dimension(turns: float) -> float:
        return head_dim * math.log(rope.original / (turns * 2 * math.pi)) / (2 * math.log(rope.theta))

    low, high = dimension(rope.fast), dimension(rope.slow)
    if rope.whole_steps:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, head_dim - 1)
    steps = torch.arange(head_dim // 2, dtype=torch.float32)
    return ((steps - low) / (high - low or 0.001)).clamp(0, 1)


def rope_tables(positions: Tensor, per_position: Tensor, factor: float = 1.0) -> tuple[Tensor, Tensor]:
    """Return cosines and sines times `factor`, each float32 of shape (rows, 1, head_dim / 2), for `positions` (rows,).

    `per_position` is of `frequencies`, on the device of `positions`.
    """
    angles = positions.float()[:, None, None] * per_position
    cos, sin = angles.cos(), angles.sin()
    return (cos, sin) if factor == 1 else (cos * factor, sin * factor)


@fused("rotate")
def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the pairs (i, i + head_dim / 2) of `x` (rows, heads, head_dim), in float32, back in x's dtype."""
    out = torch.empty(x.shape, dtype=torch.float32, device=x.device)
    first, second = x.chunk(2, dim=-1)
    new_first, new_second = out.chunk(2, dim=-1)
    new_first.copy_(first).mul_(cos).addcmul_(second.float(), sin, value=-1)
    new_second.copy_(second).mul_(cos).addcmul_(first.float(), sin)
    return out.to(x.dtype)
