"""Matrices in fp8 (e4m3) on GPUs whose tensor cores multiply it, sums in float32.

e4m3 as in Micikevicius et al. 2022, arXiv 2209.05433: four bits of exponent and three of mantissa, at most 448. The
product takes the scales of tokens and rows along, so nothing is left to scale afterwards.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from .compiled import fused
from .onednn import activate
from .quantised import Codes, Quantised, codes_of

_LARGEST = 448  # of e4m3
_STEP = 16  # the product takes sizes that are multiples of it


@cache
def fp8_runs_here(device: torch.device) -> bool:
    """Return whether this device multiplies fp8 with scales by row: NVIDIA's from capability 9.0 on, with torch 2.5."""
    if device.type != "cuda":
        return False
    try:
        x = torch.ones(_STEP, _STEP, device=device, dtype=torch.bfloat16)
        Fp8Matrix(x)._product(Codes(*_coded(x), x.dtype), None)
    except (RuntimeError, AttributeError, ValueError):
        return False
    return True


def fp8_matrix(weight: Tensor) -> Fp8Matrix | Tensor:
    """Return the matrix in fp8; itself where the product does not take its sizes."""
    return weight if any(size % _STEP for size in weight.shape) else Fp8Matrix(weight)


class Fp8Matrix(Quantised):
    """A weight (out, in) as e4m3 with a scale for each output row."""

    def __init__(self, weight: Tensor) -> None:
        self.shape = tuple(weight.shape)
        codes, scales = _coded(weight)
        self._codes, self._scales = codes.t(), scales.t()  # (in, out), (1, out)

    def codes(self, x: Tensor) -> Codes:
        """See `Quantised`."""
        return Codes(*to_codes(x), x.dtype)

    def linear(self, x: Codes, bias: Tensor | None, activation: str | None) -> Tensor:
        """See `Quantised`."""
        return activate(activation, self._product(x, bias))

    def inner(
        self, x: Codes, bias: Tensor | None, activation: str | None, up: Quantised | None, up_bias: Tensor | None
    ) -> Codes:
        """See `Quantised`."""
        product = self._product(x, bias)
        if isinstance(up, Fp8Matrix):
            return Codes(*_gated(product, up._product(x, up_bias), activation), x.dtype)
        return Codes(*_inner(product, activation), x.dtype)

    def _product(self, x: Codes, bias: Tensor | None) -> Tensor:
        return torch._scaled_mm(  # pyright: ignore[reportPrivateImportUsage]
            x.values,
            self._codes,
            scale_a=x.scales,
            scale_b=self._scales,
            bias=bias,
            out_dtype=x.dtype,
            use_fast_accum=True,  # as vLLM and torchao do for inference; 6 to 18 % slower without on an H200
        )


def _coded(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return e4m3 codes of a matrix, and each row's float32 scale, (rows, 1); codes x scale is the matrix."""
    codes, scales = codes_of(x, _LARGEST)
    return codes.to(torch.float8_e4m3fn), scales


to_codes = fused("codes_of")(_coded)


@fused("codes_of_activated")
def _inner(product: Tensor, activation: str | None) -> tuple[Tensor, Tensor]:
    return _coded(activate(activation, product.float()))


@fused("codes_of_gated")
def _gated(gate: Tensor, up: Tensor, activation: str | None) -> tuple[Tensor, Tensor]:
    return _coded(activate(activation, gate.float()) * up.float())
