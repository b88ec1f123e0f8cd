"""Matrices in eight bits on CPUs: weights by output row, states by token, products by oneDNN's int8 kernels.

Both are symmetric: a weight row is scale x int8, a token's state is scale x int8, so that what a token becomes depends
on that token alone, whatever shares its batch (scales by row and by token: Xiao et al. 2023, arXiv 2211.10438, as
"per-channel weights, per-token dynamic activations"). Sums are exact in int32; the dtype of the states, bfloat16 as in
attention and norms, holds a product before its token's scale, bias and activation (in float32) and after them: half of
the memory that passes by.

The products are so fast that each pass over memory beside them counts: what stands before and behind a product is one
compiled kernel each, where there is a C++ compiler.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from .compiled import compiled_on_cpus
from .onednn import activate

_ROWS = 2048  # the row count that the layout is chosen for; any other works
_LARGEST = 127


@cache
def int8_runs_here() -> bool:
    """Whether this CPU multiplies int8 exactly (VNNI: without it, oneDNN's sums may saturate at 16 bits).

    And whether this torch lets it: 2.4 and 2.5 do not; 2.4 takes no signed states and asks for VNNI by another name.
    """
    known = hasattr(torch.ops.onednn, "qlinear_pointwise") and torch.backends.mkldnn.is_available()
    if not known or not getattr(torch.cpu, "_is_vnni_supported", bool)():
        return False
    try:
        Int8Matrix(torch.ones(1, 1)).product(torch.ones(1, 1, dtype=torch.int8), torch.float32)
    except RuntimeError:
        return False
    return True


class Int8Matrix:
    """A weight (out, in) as int8 with a scale for each output row; serves `Work.linear` and `Work.gated`."""

    is_mkldnn = False

    def __init__(self, weight: Tensor) -> None:
        self.shape = tuple(weight.shape)
        codes, scales = _coded(weight)
        self._scales = scales.flatten()
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)
        self._codes = torch.ops.onednn.qlinear_prepack(codes, [_ROWS, self.shape[1]])

    def linear(self, x: Tensor, bias: Tensor | None, activation: str | None) -> Tensor:
        """`activation(x @ weight.T + bias)` for x (tokens, in), in x's dtype."""
        codes, scales = to_codes(x)
        return _from_product(self.product(codes, x.dtype), scales, bias, activation)

    def gated(self, x: Tensor, bias: Tensor | None, up: Int8Matrix, up_bias: Tensor | None, activation: str) -> Tensor:
        """`activation(x @ weight.T + bias) * (x @ up.T + up_bias)`, in x's dtype."""
        codes, scales = to_codes(x)
        gate, other = self.product(codes, x.dtype), up.product(codes, x.dtype)
        return _from_products(gate, other, scales, bias, up_bias, activation)

    def product(self, codes: Tensor, dtype: torch.dtype) -> Tensor:
        """Codes of tokens times this matrix in a dtype, (tokens, out): yet to be scaled by token."""
        plain = (None, 1.0, 0, dtype, "none", [], "")  # no bias, nothing behind it
        packed = (self._codes, self._scales, self._zeros)
        return torch.ops.onednn.qlinear_pointwise(codes, 1.0, 0, *packed, *plain)


def _coded(x: Tensor) -> tuple[Tensor, Tensor]:
    """int8 codes of a matrix, and the float32 scale of each row, shape (rows, 1); codes x scale is the matrix."""
    wide = x.float()
    scales = wide.abs().amax(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny * _LARGEST) / _LARGEST
    return torch.div(wide, scales).round().to(torch.int8), scales


to_codes = compiled_on_cpus(_coded)


def _scaled(product: Tensor, scales: Tensor, bias: Tensor | None) -> Tensor:
    wide = product.float()
    return wide * scales if bias is None else torch.addcmul(bias.float(), wide, scales)


@compiled_on_cpus
def _from_product(product: Tensor, scales: Tensor, bias: Tensor | None, activation: str | None) -> Tensor:
    return activate(activation, _scaled(product, scales, bias)).to(product.dtype)


@compiled_on_cpus
def _from_products(
    gate: Tensor, up: Tensor, scales: Tensor, bias: Tensor | None, up_bias: Tensor | None, activation: str
) -> Tensor:
    return (activate(activation, _scaled(gate, scales, bias)) * _scaled(up, scales, up_bias)).to(gate.dtype)
