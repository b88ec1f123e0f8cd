"""Rotary position embedding, of views too."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .tiles import wide

_TILE = 2048  # pairs of dimensions that a program turns


@triton.jit(do_not_specialize=["turns"])
def _rotate_kernel(
    x, row_stride, head_stride, cos, cos_stride, sin, sin_stride, out, turns,
    HEADS: tl.constexpr, HALF: tl.constexpr, BLOCK: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    turn = tl.program_id(0) * TILE + tl.arange(0, TILE)[:, None]  # of all heads of all rows
    column = tl.arange(0, BLOCK)[None, :]
    inside = (turn < turns) & (column < HALF)
    row, head = (turn // HEADS).to(tl.int64), turn % HEADS
    offsets = row * row_stride + head * head_stride + column
    first, second = wide(x, offsets, inside), wide(x + HALF, offsets, inside)
    c, s = wide(cos, row * cos_stride + column, inside), wide(sin, row * sin_stride + column, inside)
    offsets = turn.to(tl.int64) * (2 * HALF) + column
    tl.store(out + offsets, first * c - second * s, mask=inside)
    tl.store(out + HALF + offsets, second * c + first * s, mask=inside)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """See `rope.rotate`."""
    x = x if x.stride(2) == 1 else x.contiguous()
    rows, heads, width = x.shape
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    block = triton.next_power_of_2(width // 2)
    tile = max(1, _TILE // block)
    kernel: Any = _rotate_kernel
    if rows:
        with torch.cuda.device_of(x):
            kernel[(triton.cdiv(rows * heads, tile),)](
                x, x.stride(0), x.stride(1), cos, cos.stride(0), sin, sin.stride(0), out, rows * heads,
                HEADS=heads, HALF=width // 2, BLOCK=block, TILE=tile, num_warps=4,
            )  # fmt: skip
    return out
