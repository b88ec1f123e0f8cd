"""Activations in float32, and the gate of an MLP."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .tiles import matrix, rounded, wide

_LOG2_E = tl.constexpr(1.4426950408889634)
_FARTHEST = tl.constexpr(6.0)  # beyond it the normal distribution has less than 1e-9


@triton.jit
def activated(x, NAME: tl.constexpr):
    """Do what `onednn.activate` does to float32; NAME is "" for nothing.

    gelu is max(x, 0) - |x| P(-|x|) with the normal distribution P = 2 ** polynomial, a minimax fit of degree 7
    to log2 P between -6 and 0, within 6e-6 of P relative to it: cheaper than erf, and it does not cancel below 0.
    """
    if NAME == "gelu":
        a = tl.minimum(tl.abs(x), _FARTHEST)
        power = -1.834804947975499e-06 * a + 6.159815529827029e-05
        power = power * a - 0.0009305236744694412
        power = power * a + 0.008507885970175266
        power = power * a - 0.053960058838129044
        power = power * a - 0.4584644138813019
        power = power * a - 1.1512510776519775
        power = power * a - 0.9999952912330627
        x = tl.maximum(x, 0.0, propagate_nan=tl.PropagateNan.ALL) - a * tl.exp2(power)
    elif NAME == "gelu_tanh":  # (1 + tanh(u)) / 2 is sigmoid(2u)
        u = 0.7978845608028654 * x * (1.0 + 0.044715 * x * x)
        x = x / (1.0 + tl.exp2(-2.0 * _LOG2_E * u))
    elif NAME == "silu":
        x = x / (1.0 + tl.exp2(-_LOG2_E * x))
    elif NAME == "relu":
        x = tl.maximum(x, 0.0, propagate_nan=tl.PropagateNan.ALL)
    else:
        tl.static_assert(NAME == "")
    return x


@triton.jit
def _gated_kernel(
    gate, gate_stride, up, up_stride, out,
    NAME: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr, BLOCKS: tl.constexpr,
):  # fmt: skip
    row = (tl.program_id(0) // BLOCKS).to(tl.int64)
    column = tl.program_id(0) % BLOCKS * BLOCK + tl.arange(0, BLOCK)
    exists = column < WIDTH
    left = rounded(activated(wide(gate + row * gate_stride, column, exists), NAME), gate)
    right = wide(up + row * up_stride, column, exists)
    tl.store(out + row * WIDTH + column, left * right, mask=exists)


def gated(gate: Tensor, up: Tensor, activation: str) -> Tensor:
    """See `pointwise.gated`."""
    out = torch.empty(gate.shape, dtype=gate.dtype, device=gate.device)
    gate, up = matrix(gate), matrix(up)
    rows, width = gate.shape
    block = next((size for size in (4096, 2048) if width % size == 0), 1024)  # none partly empty, where possible
    blocks = triton.cdiv(width, block)
    kernel: Any = _gated_kernel
    if rows:
        with torch.cuda.device_of(gate):
            kernel[(rows * blocks,)](
                gate, gate.stride(0), up, up.stride(0), out,
                NAME=activation, WIDTH=width, BLOCK=block, BLOCKS=blocks, num_warps=block // 512,
            )  # fmt: skip
    return out
