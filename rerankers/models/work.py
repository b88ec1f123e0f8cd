"""Counts the matrix products of a forward pass while it runs, so that `executed` FLOPs are what really ran."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .int8 import Int8Matrix
from .onednn import activate, blocked_linear
from .pointwise import gated

Matrix = Tensor | Int8Matrix  # (out, in)
Weights = tuple[Matrix, Tensor | None]


@dataclass
class Work:
    """FLOPs so far: 2 per multiply-add, matrix products only."""

    flops: int = 0

    def linear(self, x: Tensor, weight: Matrix, bias: Tensor | None = None, activation: str | None = None) -> Tensor:
        """`activation(x @ weight.T + bias)` for x (..., in) and weight (out, in): plain, blocked or int8."""
        self.flops += 2 * x.numel() * weight.shape[0]
        if isinstance(weight, Int8Matrix):
            return weight.linear(x, bias, activation)
        if weight.is_mkldnn:
            return blocked_linear(x, weight, bias, activation)
        return activate(activation, F.linear(x, weight, bias))

    def gated(self, x: Tensor, gate: Weights, up: Weights, activation: str) -> Tensor:
        """`activation(gate of x) * (up of x)`, each a matrix and its bias or None."""
        (matrix, bias), (other, other_bias) = gate, up
        if isinstance(matrix, Int8Matrix) and isinstance(other, Int8Matrix):
            self.flops += 2 * x.numel() * (matrix.shape[0] + other.shape[0])
            return matrix.gated(x, bias, other, other_bias, activation)
        if matrix.is_mkldnn:  # the activation is part of the product
            return self.linear(x, *gate, activation=activation).mul_(self.linear(x, *up))
        return gated(self.linear(x, *gate), self.linear(x, *up), activation)

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        """`a @ b` for a (..., m, k) and b (..., k, n) of equal leading shape."""
        self.flops += 2 * a.numel() * b.shape[-1]
        return torch.matmul(a, b)

    def attention(self, heads: int, head_dim: int, queries_times_keys: int) -> None:
        """Count q.k and weights.v of dense attention, given the sum over sequences of queries x keys."""
        self.flops += 4 * heads * head_dim * queries_times_keys
