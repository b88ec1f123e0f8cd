"""Weights in the blocked layout of oneDNN, which multiplies faster on CPUs than the plain one.

A blocked matrix serves `Ops.linear` only. Its products are those of the plain layout up to rounding, and do not depend
on the number of rows or threads. PyTorch's Inductor uses the same operators when it freezes a model for CPUs.
"""

from __future__ import annotations

import os

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS = 2048  # the row count that the layout is chosen for; any other works
_FUSED = {None: ("none", ""), "gelu": ("gelu", "none"), "gelu_tanh": ("gelu", "tanh"), "silu": ("swish", "")}


def set_cache_limits() -> None:
    """Set how many compiled products oneDNN and its wrapper in torch cache; called before a model's first product.

    oneDNN compiles a product for each number of rows, and attention for each length, and caches 1,024 of them unless
    set otherwise before the first (its developer guide, "Primitive Cache"): fewer than the texts of a collection need
    for. torch's wrapper caches another 1,024 (`LRU_CACHE_CAPACITY`), which keep alive what oneDNN has dropped.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8192")


def blocked(weight: Tensor) -> Tensor:
    """Return the matrix in oneDNN's layout, or itself where that is not to be had (other devices, dtypes or builds)."""
    known = weight.device.type == "cpu" and weight.ndim == 2 and weight.dtype in (torch.float32, torch.bfloat16)
    if not known or not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return weight
    if weight.dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return weight
    return torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), ROWS)


def blocked_linear(x: Tensor, weight: Tensor, bias: Tensor | None, activation: str | None) -> Tensor:
    """Return `activation(x @ weight.T + bias)` for a blocked weight."""
    if activation not in _FUSED:
        return activate(activation, blocked_linear(x, weight, bias, None))
    kind, algorithm = _FUSED[activation]
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, kind, [], algorithm)


def activate(name: str | None, x: Tensor) -> Tensor:
    """Return an activation by its name in the model configurations: gelu (exact), gelu_tanh, relu, silu."""
    if name is None:
        return x
    if name == "gelu_tanh":
        return F.gelu(x, approximate="tanh")
    return {"gelu": F.gelu, "relu": F.relu, "silu": F.silu}[name](x)
