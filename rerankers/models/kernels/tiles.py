"""How rows are dealt out to programs, and what every kernel does with them."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

_WARPS = ((1024, 4), (8192, 8), (16384, 16), (32768, 32))  # widest row -> warps; 32 numbers a thread, in registers


@triton.jit
def places(rows, stride, WIDTH: tl.constexpr, BLOCK: tl.constexpr, TILE: tl.constexpr):
    """Return a program's offsets into a matrix of rows `stride` apart, and which of them exist: (TILE, BLOCK)."""
    row = tl.program_id(0) * TILE + tl.arange(0, TILE)[:, None]
    column = tl.arange(0, BLOCK)[None, :]
    return row.to(tl.int64) * stride + column, (row < rows) & (column < WIDTH)


@triton.jit
def wide(start, offsets, exists):
    """Load numbers at some offsets, in float32; 0 where there are none."""
    return tl.load(start + offsets, mask=exists, other=0.0).to(tl.float32)


@triton.jit
def rounded(x, like):
    """Round a number to the dtype that `like` points to, in float32."""
    return x.to(like.dtype.element_ty).to(tl.float32)


def launch(kernel: Any, x: Tensor, *arguments: Any, **constants: Any) -> None:
    """Run a kernel on the rows of a matrix x. It takes `arguments`, the number of rows, and how they are dealt out."""
    rows, width = x.shape
    block = triton.next_power_of_2(width)
    warps = next(warps for widest, warps in _WARPS if block <= widest)
    tile = max(1, 1024 * warps // block)
    if rows:
        with torch.cuda.device_of(x):
            kernel[(triton.cdiv(rows, tile),)](
                *arguments, rows, WIDTH=width, BLOCK=block, TILE=tile, num_warps=warps, **constants
            )


def matrix(x: Tensor) -> Tensor:
    """Return rows (rows, width) of x (..., width), without gaps inside; copied only where no view is that."""
    flat = x.reshape(-1, x.shape[-1])
    return flat if flat.stride(1) == 1 else flat.contiguous()
