"""Rows as e4m3 codes with a scale each, of states as they are or of what an MLP makes of its products."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from .gates import activated
from .tiles import launch, matrix, places, wide

_LARGEST = tl.constexpr(448.0)  # of e4m3
_TINY = tl.constexpr(1.1754943508222875e-38 * 448)  # of float32, so that no scale is below


@triton.jit(do_not_specialize=["rows"])
def _codes_kernel(
    x, x_stride, up, up_stride, out, scales, rows,
    NAME: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    x_place, inside = places(rows, x_stride, WIDTH, BLOCK, TILE)
    states = activated(wide(x, x_place, inside), NAME)
    if up is not None:
        up_place, _ = places(rows, up_stride, WIDTH, BLOCK, TILE)
        states *= wide(up, up_place, inside)
    scale = tl.div_rn(tl.maximum(tl.max(tl.abs(states), 1)[:, None], _TINY), _LARGEST)
    # the quotient is corrected by its remainder, which rounds it as a division would, at half the price
    inverse = tl.div_rn(1.0, scale)
    code = states * inverse
    code = tl.fma(tl.fma(-code, scale, states), inverse, code)
    offsets, _ = places(rows, WIDTH, WIDTH, BLOCK, TILE)
    tl.store(out + offsets, code.to(tl.float8e4nv), mask=inside)
    row = tl.program_id(0) * TILE + tl.arange(0, TILE)[:, None]
    tl.store(scales + row, scale, mask=row < rows)


def codes_of(x: Tensor) -> tuple[Tensor, Tensor]:
    """See `fp8.to_codes`."""
    return _coded(x, None, None)


def codes_of_activated(product: Tensor, activation: str | None) -> tuple[Tensor, Tensor]:
    """Return those of activation(product)."""
    return _coded(product, None, activation)


def codes_of_gated(gate: Tensor, up: Tensor, activation: str | None) -> tuple[Tensor, Tensor]:
    """Return those of activation(gate) * up."""
    return _coded(gate, up, activation)


def _coded(x: Tensor, up: Tensor | None, activation: str | None) -> tuple[Tensor, Tensor]:
    x, up = matrix(x), None if up is None else matrix(up)
    out = torch.empty(x.shape, dtype=torch.float8_e4m3fn, device=x.device)
    scales = torch.empty(len(x), 1, device=x.device)
    stride = 0 if up is None else up.stride(0)
    launch(_codes_kernel, x, x, x.stride(0), up, stride, out, scales, NAME=activation or "")
    return out, scales
