"""Matrices in int8 on CPUs, products by oneDNN's kernels.

Weights and states are symmetric: scale x int8. Sums are exact in int32; the dtype of the states, bfloat16 as in
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
from .quantised import Codes, Quantised, codes_of

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
        matrix = Int8Matrix(torch.ones(1, 1))
        matrix._product(Codes(torch.ones(1, 1, dtype=torch.int8), torch.ones(1, 1), torch.float32))
    except RuntimeError:
        return False
    return True


class Int8Matrix(Quantised):
    """A weight (out, in) as int8 with a scale for each output row."""

    def __init__(self, weight: Tensor) -> None:
        self.shape = tuple(weight.shape)
        codes, scales = _coded(weight)
        self._scales = scales.flatten()
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)
        self._codes = torch.ops.onednn.qlinear_prepack(codes, [_ROWS, self.shape[1]])

    def codes(self, x: Tensor) -> Codes:
        """See `Quantised`."""
        return Codes(*to_codes(x), x.dtype)

    def linear(self, x: Codes, bias: Tensor | None, activation: str | None) -> Tensor:
        """See `Quantised`."""
        return _from_product(self._product(x), x.scales, bias, activation)

    def inner(
        self, x: Codes, bias: Tensor | None, activation: str | None, up: Quantised | None, up_bias: Tensor | None
    ) -> Codes:
        """See `Quantised`."""
        if isinstance(up, Int8Matrix):
            product, other = self._product(x), up._product(x)
            return self.codes(_from_products(product, other, x.scales, bias, up_bias, activation))
        return self.codes(self.linear(x, bias, activation))

    def _product(self, x: Codes) -> Tensor:
        """Codes of tokens times this matrix, (tokens, out): yet to be scaled by token."""
        plain = (None, 1.0, 0, x.dtype, "none", [], "")  # no bias, nothing behind it
        packed = (self._codes, self._scales, self._zeros)
        return torch.ops.onednn.qlinear_pointwise(x.values, 1.0, 0, *packed, *plain)


def _coded(x: Tensor) -> tuple[Tensor, Tensor]:
    """int8 codes of a matrix, and the float32 scale of each row, shape (rows, 1); codes x scale is the matrix."""
    codes, scales = codes_of(x, _LARGEST)
    return codes.round().to(torch.int8), scales


to_codes = compiled_on_cpus(_coded)


def _scaled(product: Tensor, scales: Tensor, bias: Tensor | None) -> Tensor:
    wide = product.float()
    return wide * scales if bias is None else torch.addcmul(bias.float(), wide, scales)


@compiled_on_cpus
def _from_product(product: Tensor, scales: Tensor, bias: Tensor | None, activation: str | None) -> Tensor:
    return activate(activation, _scaled(product, scales, bias)).to(product.dtype)


@compiled_on_cpus
def _from_products(
    gate: Tensor, up: Tensor, scales: Tensor, bias: Tensor | None, up_bias: Tensor | None, activation: str | None
) -> Tensor:
    return (activate(activation, _scaled(gate, scales, bias)) * _scaled(up, scales, up_bias)).to(gate.dtype)
