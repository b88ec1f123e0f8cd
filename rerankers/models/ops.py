"""Counts the matrix products of a forward pass while it runs, so that `executed` FLOPs are what really ran."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .onednn import activate, blocked_linear
from .pointwise import gated
from .quantised import Codes, Quantised

Matrix = Tensor | Quantised  # (out, in)
Weights = tuple[Matrix, Tensor | None]  # and its bias
States = Tensor | Codes  # (tokens, in)


@dataclass
class Ops:
    """FLOPs so far: 2 per multiply-add, matrix products only."""

    flops: int = 0

    def linear(self, x: States, weight: Matrix, bias: Tensor | None = None, activation: str | None = None) -> Tensor:
        """Return `activation(x @ weight.T + bias)`, x (..., in), weight (out, in): plain, blocked or in eight bits."""
        self._count(x, weight)
        if isinstance(weight, Quantised):
            return weight.linear(x if isinstance(x, Codes) else weight.codes(x), bias, activation)
        assert isinstance(x, Tensor), "codes are for matrices in eight bits"
        if weight.is_mkldnn:
            return blocked_linear(x, weight, bias, activation)
        return activate(activation, F.linear(x, weight, bias))

    def shared(self, x: Tensor, *matrices: Matrix) -> States:
        """Return what several matrices read, as codes where all of them are in eight bits."""
        first = matrices[0]
        every = all(isinstance(matrix, Quantised) for matrix in matrices)
        return first.codes(x) if every and isinstance(first, Quantised) else x

    def feed(self, x: Tensor, up: Weights, down: Weights, activation: str, gate: Weights | None = None) -> Tensor:
        """Return `inner @ down.T + its bias`, inner: `activation(up of x)`, or `activation(gate of x) * (up of x)`."""
        first, other = (up, None) if gate is None else (gate, up)
        states = self.shared(x, first[0], up[0], down[0])
        if isinstance(states, Codes):
            inner = self._coded(states, first, other, activation)
        elif other is None:
            inner = self.linear(x, *first, activation)
        elif first[0].is_mkldnn:  # the activation is part of the product
            inner = self.linear(x, *first, activation).mul_(self.linear(x, *other))
        else:
            inner = gated(self.linear(x, *first), self.linear(x, *other), activation)
        return self.linear(inner, *down)

    def _coded(self, x: Codes, first: Weights, other: Weights | None, activation: str) -> Codes:
        (matrix, bias), (up, up_bias) = first, other or (None, None)
        assert isinstance(matrix, Quantised)
        assert up is None or isinstance(up, Quantised)
        self._count(x, matrix)
        if up is not None:
            self._count(x, up)
        return matrix.inner(x, bias, activation, up, up_bias)

    def _count(self, x: States, weight: Matrix) -> None:
        self.flops += 2 * (x.values if isinstance(x, Codes) else x).numel() * weight.shape[0]

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        """Return `a @ b` for a (..., m, k) and b (..., k, n) of equal leading shape."""
        self.flops += 2 * a.numel() * b.shape[-1]
        return torch.matmul(a, b)

    def attention(self, heads: int, head_dim: int, queries_times_keys: int) -> None:
        """Count q.k and weights.v of dense attention, given the sum over sequences of queries x keys."""
        self.flops += 4 * heads * head_dim * queries_times_keys
