"""Formulas that run as one kernel on CUDA, and as they stand elsewhere.

Between the matrix products of a layer, norms, rotations and gates move the states through memory once per torch
operator; compiled, once.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar

import torch
from torch import Tensor

log = logging.getLogger("rerankbench")
Formula = TypeVar("Formula", bound=Callable[..., Any])


def can_compile(x: Tensor) -> bool:
    """Whether torch.compile makes kernels for the device that x is on."""
    return x.is_cuda and _triton()


@cache
def _triton() -> bool:
    try:
        from torch.utils._triton import has_triton
    except ImportError:
        return False
    if not has_triton():
        log.warning("Triton is not to be had for this GPU: scoring works, but slower than it could")
        return False
    if not any(map(shutil.which, [os.environ.get("CC") or "cc", "gcc", "clang"])):
        log.warning("no C compiler on the PATH, which Triton needs: scoring works, but slower than it could")
        return False
    for limit in ("recompile_limit", "cache_size_limit"):  # its name before torch 2.6
        if hasattr(torch._dynamo.config, limit):  # 8 is few for a process that runs several models
            setattr(torch._dynamo.config, limit, max(64, getattr(torch._dynamo.config, limit)))
    return True


def compiled(formula: Formula) -> Formula:
    """Decorates a function of tensors, the first of which decides where it runs."""
    kernels: dict[str, Callable[..., Any]] = {}

    @wraps(formula)
    def run(x: Tensor, *rest: Any) -> Any:
        if not can_compile(x):
            return formula(x, *rest)
        if not kernels:
            kernels["cuda"] = torch.compile(formula)
        torch._dynamo.maybe_mark_dynamic(x, 0)  # the number of rows changes from batch to batch
        return kernels["cuda"](x, *rest)

    return run  # pyright: ignore[reportReturnType]
