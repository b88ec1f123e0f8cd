"""Matrices in eight bits on CPUs: weights by output row, states by token, products by oneDNN's int8 kernels.

Both are symmetric: a weight row is scale x int8, a token's state is scale x int8, so that what a token becomes depends
on that token alone, whatever shares its batch (scales by row and by token: Xiao et al. 2023, arXiv 2211.10438, as
"per-channel weights, per-token dynamic activations"). Sums are exact in int32; everything between the products stays
in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

from .onednn import activate

_ROWS = 512  # tokens at a time: what a product writes is still in the cache when it is scaled
_LARGEST = 127


@cache
def int8_runs_here() -> bool:
    """Whether this CPU multiplies int8 exactly (VNNI: without it, oneDNN's sums may saturate at 16 bits).

    And whether this torch lets it: 2.4 takes no signed states, and calls the question about VNNI by another name.
    """
    known = hasattr(torch.ops.onednn, "qlinear_pointwise") and torch.backends.mkldnn.is_available()
    if not known or not getattr(torch.cpu, "_is_vnni_supported", bool)():
        return False
    try:
        Int8Matrix(torch.ones(1, 1)).linear(torch.ones(1, 1), None, None)
    except RuntimeError:
        return False
    return True


class Int8Matrix:
    """A weight (out, in) as int8 with a scale for each output row; serves `Work.linear` and `Work.gated`."""

    is_mkldnn = False

    def __init__(self, weight: Tensor) -> None:
        self.shape = tuple(weight.shape)
        codes, scales = _codes(weight.float())
        self._scales = scales.flatten()
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)
        self._codes = torch.ops.onednn.qlinear_prepack(codes, [_ROWS, self.shape[1]])

    def linear(self, x: Tensor, bias: Tensor | None, activation: str | None) -> Tensor:
        """`activation(x @ weight.T + bias)` for float32 x (tokens, in)."""
        out = x.new_empty(len(x), self.shape[0])
        for rows, codes, scales in _chunks(x):
            out[rows] = activate(activation, self._product(codes, scales, bias))
        return out

    def gated(self, x: Tensor, bias: Tensor | None, up: Int8Matrix, up_bias: Tensor | None, activation: str) -> Tensor:
        """`activation(x @ weight.T + bias) * (x @ up.T + up_bias)`."""
        out = x.new_empty(len(x), self.shape[0])
        for rows, codes, scales in _chunks(x):
            gate = activate(activation, self._product(codes, scales, bias))
            torch.mul(gate, up._product(codes, scales, up_bias), out=out[rows])
        return out

    def _product(self, codes: Tensor, scales: Tensor, bias: Tensor | None) -> Tensor:
        packed = (self._codes, self._scales, self._zeros)
        plain = (None, 1.0, 0, torch.float32, "none", [], "")  # no bias, float32 out, nothing behind it
        product = torch.ops.onednn.qlinear_pointwise(codes, 1.0, 0, *packed, *plain).mul_(scales)
        return product if bias is None else product.add_(bias)


def _chunks(x: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    for start in range(0, len(x), _ROWS):
        rows = slice(start, start + _ROWS)
        yield rows, *_codes(x[rows])


def _codes(x: Tensor) -> tuple[Tensor, Tensor]:
    """int8 codes of a matrix, and the scale of each row, shape (rows, 1); codes x scale is the matrix."""
    largest = torch.finfo(x.dtype).tiny * _LARGEST
    scales = x.abs().amax(1, keepdim=True).clamp_(min=largest).div_(_LARGEST)
    return torch.div(x, scales).round_().to(torch.int8), scales
