"""RMSNorm and LayerNorm, alone and after the addition of a block to the residual stream."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from .tiles import launch, matrix, places, rounded, wide


@triton.jit
def _rms(x, weight, column, exists, eps, WIDTH: tl.constexpr):
    mean_square = tl.sum(x * x, 1)[:, None] / WIDTH
    return x * tl.rsqrt(mean_square + eps) * wide(weight, column, exists)


@triton.jit
def _layer(x, weight, bias, column, exists, inside, eps, WIDTH: tl.constexpr):
    mean = tl.sum(x, 1)[:, None] / WIDTH
    apart = tl.where(inside, x - mean, 0.0)
    variance = tl.sum(apart * apart, 1)[:, None] / WIDTH
    normed = apart * tl.rsqrt(variance + eps) * wide(weight, column, exists)
    if bias is not None:
        normed += wide(bias, column, exists)
    return normed


@triton.jit(do_not_specialize=["eps", "rows"])
def _rms_kernel(x, stride, weight, eps, out, rows, WIDTH: tl.constexpr, BLOCK: tl.constexpr, TILE: tl.constexpr):
    offsets, inside = places(rows, stride, WIDTH, BLOCK, TILE)
    column = tl.arange(0, BLOCK)[None, :]
    normed = _rms(wide(x, offsets, inside), weight, column, column < WIDTH, eps, WIDTH)
    offsets, inside = places(rows, WIDTH, WIDTH, BLOCK, TILE)
    tl.store(out + offsets, normed, mask=inside)


@triton.jit(do_not_specialize=["scale", "eps", "rows"])
def _add_block_kernel(
    x, x_stride, block, block_stride, scale, after, before, eps, stream, out, rows,
    WIDTH: tl.constexpr, BLOCK: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    x_place, inside = places(rows, x_stride, WIDTH, BLOCK, TILE)
    block_place, _ = places(rows, block_stride, WIDTH, BLOCK, TILE)
    offsets, _ = places(rows, WIDTH, WIDTH, BLOCK, TILE)
    column = tl.arange(0, BLOCK)[None, :]
    added = wide(block, block_place, inside)
    if after is not None:
        added = rounded(_rms(added, after, column, column < WIDTH, eps, WIDTH), block)
    total = rounded(wide(x, x_place, inside) + added * scale, x)
    tl.store(stream + offsets, total, mask=inside)
    if before is not None:
        tl.store(out + offsets, _rms(total, before, column, column < WIDTH, eps, WIDTH), mask=inside)


@triton.jit(do_not_specialize=["eps", "rows"])
def _add_layer_norm_kernel(
    x, x_stride, block, block_stride, weight, bias, eps, stream, out, rows,
    WIDTH: tl.constexpr, BLOCK: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    x_place, inside = places(rows, x_stride, WIDTH, BLOCK, TILE)
    block_place, _ = places(rows, block_stride, WIDTH, BLOCK, TILE)
    offsets, _ = places(rows, WIDTH, WIDTH, BLOCK, TILE)
    column = tl.arange(0, BLOCK)[None, :]
    total = rounded(wide(x, x_place, inside) + wide(block, block_place, inside), x)
    if stream is not None:
        tl.store(stream + offsets, total, mask=inside)
    tl.store(out + offsets, _layer(total, weight, bias, column, column < WIDTH, inside, eps, WIDTH), mask=inside)


def _like(x: Tensor) -> Tensor:
    return torch.empty(x.shape, dtype=x.dtype, device=x.device)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """See `pointwise.rms_norm`."""
    rows, out = matrix(x), _like(x)
    launch(_rms_kernel, rows, rows, rows.stride(0), weight, eps, out)
    return out


def add_block(
    x: Tensor, block: Tensor, scale: float, after: Tensor | None, before: Tensor | None, eps: float
) -> tuple[Tensor, Tensor]:
    """See `pointwise.add_block`."""
    x, block, stream = matrix(x), matrix(block), _like(x)
    out = stream if before is None else _like(x)
    read = (x, x.stride(0), block, block.stride(0))
    launch(_add_block_kernel, x, *read, scale, after, before, eps, stream, out)
    return stream, out


def add_layer_norm(x: Tensor, block: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """See `pointwise.add_layer_norm`."""
    return _layer_normed(x, block, weight, bias, eps, None)


def add_then_norm(x: Tensor, block: Tensor, weight: Tensor, bias: Tensor | None, eps: float) -> tuple[Tensor, Tensor]:
    """See `pointwise.add_then_norm`."""
    stream = _like(x)
    return stream, _layer_normed(x, block, weight, bias, eps, stream)


def _layer_normed(
    x: Tensor, block: Tensor, weight: Tensor, bias: Tensor | None, eps: float, stream: Tensor | None
) -> Tensor:
    out, x, block = _like(x), matrix(x), matrix(block)
    launch(_add_layer_norm_kernel, x, x, x.stride(0), block, block.stride(0), weight, bias, eps, stream, out)
    return out
