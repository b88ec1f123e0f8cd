"""Matrices in int8 on CPUs, products by oneDNN's kernels.

Weights and states are symmetric: scale x int8. Sums are exact in int32; the dtype of the states, bfloat16 as in
attention and norms, holds a product before its token's scale, bias and activation (in float32) and after them: half of
the memory that passes by.

The products are so fast that each pass over memory beside them counts: what is before and after a product is one
compiled kernel each, where there is a C++ compiler.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor

from .compiled import compiled_on_cpus
from .onednn import activate, blocked, blocked_linear
from .quantised import Codes, Quantised, codes_of

_ROWS = 2048  # the row count that the layout is chosen for; any other works
_LARGEST = 127
_TRAP = (
    3  # a small product of a real kernel may take a little longer than one in bfloat16, a plain loop a thousand times
)
_TRIAL = 32, 512  # rows of states, width of a square matrix: large enough to tell a kernel from a plain loop


@dataclass(frozen=True)
class Int8Kernel:
    """How this CPU multiplies int8.

    Attributes:
        offset: added to the codes of states: 128 makes them unsigned, and oneDNN takes it off exactly again. CPUs with
            VNNI and without AMX have a kernel for unsigned states only; signed ones fall to a plain loop.
        seconds: of a trial product.
        faster: a dtype whose trial product takes less than a third of that; None: there is none.
    """

    offset: int
    seconds: float
    faster: str | None = None


@cache
def int8_kernel() -> Int8Kernel | None:
    """Return the faster of the two kernels, found by trial; None where int8 is not to be had, or not exact.

    Without VNNI oneDNN's sums of unsigned states may saturate at 16 bits; torch 2.4 and 2.5 do not take signed ones.
    """
    if not (hasattr(torch.ops.onednn, "qlinear_pointwise") and torch.backends.mkldnn.is_available()):
        return None
    rows, width = _TRIAL
    generator = torch.Generator().manual_seed(0)
    weight, states = (torch.randn(n, width, generator=generator) for n in (width, rows))
    others = {"float32": _seconds(partial(_multiply, states, blocked(weight)))}
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        half = weight.bfloat16(), states.bfloat16()
        others["bfloat16"] = _seconds(partial(_multiply, half[1], blocked(half[0])))
    exact = (codes_of(states, _LARGEST)[0].round().double() @ _coded(weight)[0].double().T) * _coded(weight)[1].T
    kernels = []
    for offset in (0, 128):
        matrix, shifted = Int8Matrix(weight, offset), _shifted(states, offset)
        try:
            product = matrix._product(Codes(*shifted, torch.float32))
        except RuntimeError:
            continue
        if float((product - exact).abs().max()) <= 1e-5 * float(exact.abs().max()):
            run = partial(matrix._product, Codes(*shifted, torch.bfloat16))  # as between the products of a model
            kernels.append(Int8Kernel(offset, _seconds(run, enough=20 * min(others.values()))))
    if not kernels:
        return None
    best = min(kernels, key=lambda kernel: kernel.seconds)
    other = min(others, key=lambda name: others[name])
    return replace(best, faster=other) if _TRAP * others[other] < best.seconds else best


def _multiply(states: Tensor, weight: Tensor) -> Tensor:
    return blocked_linear(states, weight, None, None) if weight.is_mkldnn else F.linear(states, weight)


def _seconds(product: Callable[[], Tensor], enough: float = math.inf) -> float:
    """Return the least time of a few calls after a first one; of one call that takes longer than `enough`."""
    product()
    best = math.inf
    for _ in range(5):
        start = perf_counter()
        product()
        best = min(best, perf_counter() - start)
        if best > enough:
            break
    return best


class Int8Matrix(Quantised):
    """A weight (out, in) as int8 with a scale for each output row; `offset` as in `Int8Kernel`, None: the kernel's."""

    def __init__(self, weight: Tensor, offset: int | None = None) -> None:
        if offset is None:
            kernel = int8_kernel()
            offset = kernel.offset if kernel else 0
        self.shape, self.offset = tuple(weight.shape), offset
        codes, scales = _coded(weight)
        self._scales = scales.flatten()
        self._zeros = torch.zeros(len(weight), dtype=torch.int64)
        self._codes = torch.ops.onednn.qlinear_prepack(codes, [_ROWS, self.shape[1]])

    def codes(self, x: Tensor) -> Codes:
        """See `Quantised`."""
        return Codes(*(to_unsigned_codes if self.offset else to_codes)(x), x.dtype)

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
        """Return codes of tokens times this matrix, (tokens, out): yet to be scaled by token."""
        plain = (None, 1.0, 0, x.dtype, "none", [], "")  # no bias, nothing after it
        packed = (self._codes, self._scales, self._zeros)
        return torch.ops.onednn.qlinear_pointwise(x.values, 1.0, self.offset, *packed, *plain)


def _coded(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return int8 codes of a matrix, and each row's float32 scale, (rows, 1); codes x scale is the matrix."""
    codes, scales = codes_of(x, _LARGEST)
    return codes.round().to(torch.int8), scales


def _unsigned(x: Tensor) -> tuple[Tensor, Tensor]:
    """The same codes as uint8, 128 higher."""
    codes, scales = codes_of(x, _LARGEST)
    return (codes.round() + 128).to(torch.uint8), scales


def _shifted(x: Tensor, offset: int) -> tuple[Tensor, Tensor]:
    return _unsigned(x) if offset else _coded(x)


to_codes = compiled_on_cpus(_coded)
to_unsigned_codes = compiled_on_cpus(_unsigned)


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
