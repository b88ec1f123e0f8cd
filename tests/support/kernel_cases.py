"""What each Triton kernel is asked, and how near it must be to the formula that it stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from rerankbench.rerankers.models.fp8 import _gated, _inner, to_codes
from rerankbench.rerankers.models.pointwise import add_block, add_layer_norm, add_then_norm, gated, norm
from rerankbench.rerankers.models.rope import rotate
from torch import Tensor

ACTIVATIONS = ("gelu", "gelu_tanh", "silu", "relu")


@dataclass(frozen=True)
class Case:
    """A fused formula, its kernel's name, and arguments.

    Where float32 sums fall on two sides of a rounding, kernel and formula may be `steps` of the result's dtype and
    `near` apart, which happens to a small `share` of numbers.
    """

    kernel: str
    formula: Callable[..., Any]
    arguments: tuple[Any, ...]
    steps: int = 1
    near: float = 2e-6  # terms of about 1 that cancel
    share: float = 0.02

    def check(self, found: Any, *, carries: bool = True) -> None:
        """Compare what the kernel gave with the formula.

        Triton's interpreter never `carries`: rounding up to a power of two, it gives half of it as e4m3.
        """
        plain = self.formula.__wrapped__(*self.arguments)  # pyright: ignore[reportFunctionMemberAccess]
        for mine, other in zip(*((x,) if isinstance(x, Tensor) else x for x in (found, plain)), strict=True):
            assert (mine.shape, mine.dtype, mine.device) == (other.shape, other.dtype, other.device), self
            if mine.dtype == torch.float32:  # scales
                torch.testing.assert_close(mine, other, rtol=2e-5, atol=0, msg=self._told)
                continue
            step, near = torch.finfo(mine.dtype).eps * self.steps, self.near
            mine, other = mine.float(), other.float()
            if step >= 0.125:
                near = 2**-9  # the smallest e4m3
                mine = mine if carries else torch.where(2 * mine == other, other, mine)
            torch.testing.assert_close(mine, other, rtol=step, atol=near, msg=self._told)
            assert (mine != other).sum() <= max(2.0, self.share * mine.numel()), self._told("too many differ")

    def _told(self, message: str) -> str:
        told = [(tuple(a.shape), a.dtype) if isinstance(a, Tensor) else a for a in self.arguments]
        return f"{self.kernel} {told}: {message}"


def kernel_cases(rows: int, width: int, dtype: torch.dtype, device: str) -> Iterator[Case]:
    """Every kernel, of matrices and of views that leave gaps."""
    torch.manual_seed(rows + width)

    def states() -> Tensor:
        return torch.randn(rows, width, device=device).to(dtype)

    def view() -> Tensor:
        return torch.randn(rows, width + 8, device=device).to(dtype)[:, 3 : width + 3]

    after, before = torch.rand(2, width, device=device).unbind()
    weight, bias = after.to(dtype), before.to(dtype)
    twice = {"steps": 2, "near": 2 * torch.finfo(dtype).eps}  # a step of the inner norm, one of the sum
    for x, block, names in ((states(), states(), ACTIVATIONS), (view(), view(), ACTIVATIONS[:1])):
        yield Case("rms_norm", norm, (x, after, 1e-6))
        yield Case("add_block", add_block, (x, block, 1.0, after, before, 1e-6), **twice)
        yield Case("add_block", add_block, (x, block, 0.25, None, before, 1e-6))
        yield Case("add_block", add_block, (x, block, 1.0, after, None, 1e-6), **twice)
        yield Case("add_block", add_block, (x, block, 0.25, None, None, 1e-6))
        yield Case("add_layer_norm", add_layer_norm, (x, block, weight, bias, 1e-6))
        yield Case("add_then_norm", add_then_norm, (x, block, weight, bias, 1e-6))
        yield Case("add_then_norm", add_then_norm, (x, block, weight, None, 1e-6))
        for name in names:
            yield Case("gated", gated, (3 * x, block, name), steps=2, share=0.1)  # gelu by erf cancels below -3
        yield Case("codes_of", to_codes, (x,), share=2e-3)
        for name in (*names, None):
            yield Case("codes_of_activated", _inner, (x, name))
            yield Case("codes_of_gated", _gated, (x, block, name))
    for heads, size in ((3, 64), (2, 96), (5, 40)):
        found = torch.randn(rows, heads + 2, size, device=device).to(dtype)
        tables = torch.randn(2, rows, 1, size // 2, device=device).unbind()
        for x in (found, found[:, 1 : heads + 1]):
            yield Case("rotate", rotate, (x, *tables))
    yield Case("rms_norm", norm, (torch.randn(rows, 6, width, device=device).to(dtype), after, 1e-6))
