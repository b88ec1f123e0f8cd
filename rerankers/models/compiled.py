"""Formulas that run as one kernel, on CUDA or on CPUs, and as they stand elsewhere.

Between the matrix products of a layer, norms, rotations and gates move the states through memory once per torch
operator; compiled, once. On CPUs the compiler (torch.compile's C++, kept on disk by torch) takes seconds when it is
first asked, so only what runs beside int8 products asks for it.
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
    """Whether torch.compile makes kernels for the GPU that x is on."""
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
    if not _program("CC", "cc", "gcc", "clang"):
        log.warning("no C compiler on the PATH, which Triton needs: scoring works, but slower than it could")
        return False
    _allow_shapes()
    return True


@cache
def _cpp() -> bool:
    if not _program("CXX", "c++", "g++", "clang++"):
        log.warning("no C++ compiler on the PATH: int8 works, but slower than it could")
        return False
    _allow_shapes()
    return True


def _program(variable: str, *names: str) -> bool:
    return any(shutil.which(name) for name in (os.environ.get(variable), *names) if name)


def _allow_shapes() -> None:
    for limit in ("recompile_limit", "cache_size_limit"):  # its name before torch 2.6
        if hasattr(torch._dynamo.config, limit):  # 8 is few for a process that runs several models
            setattr(torch._dynamo.config, limit, max(64, getattr(torch._dynamo.config, limit)))


def compiled(formula: Formula) -> Formula:
    """Decorates a function of tensors, the first of which decides where it runs: one kernel on CUDA."""
    return _compiled(formula, can_compile, None)


def compiled_on_cpus(formula: Formula) -> Formula:
    """Decorates a function of tensors on the CPU: one kernel where there is a C++ compiler."""
    return _compiled(formula, lambda _: _cpp(), True)


def _compiled(formula: Formula, serves: Callable[[Tensor], bool], dynamic: bool | None) -> Formula:
    kernels: dict[str, Callable[..., Any]] = {}

    @wraps(formula)
    def run(x: Tensor, *rest: Any) -> Any:
        if not serves(x):
            return formula(x, *rest)
        if not kernels:
            kernels["one"] = torch.compile(formula, dynamic=dynamic)
        torch._dynamo.maybe_mark_dynamic(x, 0)  # the number of rows changes from batch to batch
        return kernels["one"](x, *rest)

    return run  # pyright: ignore[reportReturnType]
